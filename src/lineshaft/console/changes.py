"""The bell by which writers tell the console that it is worth looking again."""

from __future__ import annotations

import asyncio

__all__ = ["Changes"]


class Changes:
    """ring() is cheap and may be called for every write and every batch of readings, from the loop's thread.

    Nobody has to ring: without it, and for writes of other processes, the console looks once a second while
    somebody watches.
    """

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def ring(self) -> None:
        self._rung.set()

    def close(self) -> None:
        """Ends every open event stream, so that a server can stop without waiting for its browsers."""
        self._closed = True
        self._rung.set()

    async def wait(self, timeout_s: float) -> None:
        """Return when the bell was rung since the last call, or after timeout_s."""
        try:
            await asyncio.wait_for(self._rung.wait(), timeout_s)
        except TimeoutError:
            return
        if not self._closed:
            self._rung.clear()
