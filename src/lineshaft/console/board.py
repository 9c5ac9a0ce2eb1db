"""The one snapshot loop that all browsers share: it runs while somebody watches, and rests otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import msgspec

from lineshaft.console.changes import Changes
from lineshaft.core.clock import Clock
from lineshaft.core.ids import new_id

__all__ = ["Board", "Showing"]

_LOOP_SHARE = 4


class Showing(msgspec.Struct, frozen=True, kw_only=True):
    """version: where this browser stands now; panels: HTML by panel name."""

    version: str
    panels: dict[str, str]


class Board:
    """take      renders every panel afresh
    pause_s   least time between two snapshots, so that a browser gets at most two pushes a second
    poll_s    longest time between two snapshots while somebody watches and the bell is silent
    """

    def __init__(
        self,
        take: Callable[[], Awaitable[dict[str, str]]],
        changes: Changes,
        clock: Clock,
        *,
        pause_s: float = 0.5,
        poll_s: float = 1.0,
    ) -> None:
        self._take = take
        self._changes = changes
        self._clock = clock
        self._pause_s = pause_s
        self._poll_s = poll_s
        self._epoch = new_id()[:8]
        self._version = 0
        self._panels: dict[str, tuple[int, str]] = {}
        self._taken_at = -pause_s
        self._taking = asyncio.Lock()
        self._news = asyncio.Event()
        self._watchers = 0
        self._loop: asyncio.Task[None] | None = None

    @property
    def watchers(self) -> int:
        return self._watchers

    @property
    def rests(self) -> bool:
        return self._loop is None

    @property
    def closed(self) -> bool:
        return self._changes.closed

    async def current(self) -> Showing:
        """Every panel, at most pause_s old."""
        await self._refresh()
        return self._since(0)

    @asynccontextmanager
    async def attend(self) -> AsyncIterator[None]:
        """While inside, the loop runs."""
        self._watchers += 1
        if self._loop is None:
            self._loop = asyncio.create_task(self._run(), name="console-snapshots")
        try:
            yield
        finally:
            self._watchers -= 1
            if not self._watchers and self._loop is not None:
                self._loop.cancel()
                self._loop = None

    async def after(self, version: str, timeout_s: float) -> Showing:
        """The panels that changed since `version`, as soon as there are some; none after timeout_s.

        An unknown version, or one of an earlier run of the server, gets every panel.
        """
        seen = self._position(version)
        if self._version <= seen and not self.closed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), timeout_s)
        return self._since(seen)

    async def _run(self) -> None:
        try:
            while not self.closed:
                started = self._clock.monotonic()
                await self._refresh()
                took = self._clock.monotonic() - started
                await asyncio.sleep(max(self._pause_s, took * _LOOP_SHARE))
                await self._changes.wait(self._poll_s - self._pause_s)
        finally:
            self._loop = None if self._loop is asyncio.current_task() else self._loop
            self._announce()

    async def _refresh(self) -> None:
        async with self._taking:
            if self._version and self._clock.monotonic() - self._taken_at < self._pause_s:
                return
            panels = await self._take()
            self._taken_at = self._clock.monotonic()
            changed = {name: html for name, html in panels.items() if self._html(name) != html}
            if changed:
                self._version += 1
                self._panels |= {name: (self._version, html) for name, html in changed.items()}
                self._announce()

    def _announce(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _html(self, name: str) -> str | None:
        return self._panels[name][1] if name in self._panels else None

    def _since(self, seen: int) -> Showing:
        return Showing(
            version=f"{self._epoch}-{self._version}",
            panels={name: html for name, (version, html) in self._panels.items() if version > seen},
        )

    def _position(self, version: str) -> int:
        epoch, _, number = version.partition("-")
        known = epoch == self._epoch and number.isdecimal() and int(number) <= self._version
        return int(number) if known else 0
