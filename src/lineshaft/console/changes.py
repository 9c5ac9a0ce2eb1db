"""The bell by which writers tell the console that it is worth looking again."""

from __future__ import annotations

import asyncio

__all__ = ["LEDGER", "SYSTEMS", "VALUES", "Changes"]

LEDGER, SYSTEMS, VALUES = "ledger", "systems", "values"
"""What may have changed. Of the ledger, what it was is looked up: see pulse."""


class Changes:
    """ring() is cheap and may be called for every write and every batch of readings, from the loop's thread.

    Nobody has to ring for the ledger: without it, and for writes of other processes, the console looks once
    a second while somebody watches.
    """

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._about: set[str] = set()
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def ring(self, about: str = LEDGER) -> None:
        self._about.add(about)
        self._rung.set()

    def close(self) -> None:
        """Ends every open event stream, so that a server can stop without waiting for its browsers."""
        self._closed = True
        self._rung.set()

    async def wait(self, timeout_s: float) -> frozenset[str]:
        """What it was rung for since the last call, as soon as it is; nothing after timeout_s."""
        try:
            await asyncio.wait_for(self._rung.wait(), timeout_s)
        except TimeoutError:
            return frozenset()
        if not self._closed:
            self._rung.clear()
        about, self._about = frozenset(self._about), set()
        return about
