"""How old what is remembered of credentials may be: changes by any process are followed in five seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from lineshaft.core.clock import Clock
from lineshaft.core.errors import TransientFault

__all__ = ["Freshness"]

_LOOK_S = 1.5
_MOST_S = 5.0


class Freshness:
    """changes      a number that grows with each change, see core.credentials.Credentials
    on_change    forgets what is remembered
    generation   differs after each change: what was read under an earlier one is not to be remembered
    """

    def __init__(
        self, changes: Callable[[], Awaitable[int]], on_change: Callable[[], None], clock: Clock
    ) -> None:
        self._changes = changes
        self._on_change = on_change
        self._clock = clock
        self._number = -1
        self._as_of = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self.generation = 0

    async def hold(self) -> None:
        """Returns at once while the last look is recent; looks beside while it is not yet too old.

        raises  TransientFault when it is too old and the store does not answer: who was revoked is not let in
        """
        age = self._clock.monotonic() - self._as_of
        if age < _LOOK_S:
            return
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        if age >= _MOST_S:
            await asyncio.shield(self._looking)
            if self._clock.monotonic() - self._as_of >= _MOST_S:
                raise TransientFault("who may ask cannot be looked up: the store does not answer")

    async def look_now(self) -> None:
        """After a change of this process: it takes effect at once."""
        await self._look()

    def changed(self) -> None:
        self.generation += 1
        self._on_change()

    async def _look(self) -> None:
        began = self._clock.monotonic()
        try:
            number = await self._changes()
        except TransientFault:
            return
        finally:
            self._looking = None
        if number != self._number:
            self._number = number
            self.changed()
        self._as_of = max(self._as_of, began)
