"""Callers under one key take turns."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from contextlib import suppress

__all__ = ["Turns"]


class Turns:
    """Callers under one key go one after the other, in the order of asking; other keys do not wait."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    async def take(self, key: Hashable) -> None:
        """Whoever has had its turn gives it on."""
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = deque()
            return
        turn = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # whoever had its turn was cancelled as well, and passed it over
                    waiting.remove(turn)
            else:  # it had its turn and was cancelled in the same moment
                self.give_on(key)
            raise

    def give_on(self, key: Hashable) -> None:
        waiting = self._waiting[key]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[key]

    def __len__(self) -> int:
        """Keys under which somebody has its turn."""
        return len(self._waiting)
