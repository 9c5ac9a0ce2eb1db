"""What has changed since a browser last looked: one loop for all, which runs while somebody watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import msgspec
import structlog

from lineshaft.console.changes import LEDGER, Changes
from lineshaft.core.clock import Clock
from lineshaft.core.errors import LineshaftError
from lineshaft.core.ids import new_id

__all__ = ["Pulse", "Touched"]

_LOG = structlog.get_logger(__name__)
_LOOP_SHARE = 4


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """version: where this browser stands now; topics: what a page that shows them should read again."""

    version: str
    topics: frozenset[str]


class Pulse:
    """marks     of each topic of the ledger, a text that differs after a change
    pause_s   least time between two looks, so that a browser is told at most twice a second
    poll_s    longest time between two looks while somebody watches and the bell is silent
    """

    def __init__(
        self,
        marks: Callable[[], Awaitable[Mapping[str, str]]],
        changes: Changes,
        clock: Clock,
        *,
        pause_s: float = 0.5,
        poll_s: float = 1.0,
    ) -> None:
        self._marks = marks
        self._changes = changes
        self._clock = clock
        self._pause_s = pause_s
        self._poll_s = poll_s
        self._epoch = new_id()[:8]
        self._version = 0
        self._seen: Mapping[str, str] = {}
        self._topics: dict[str, int] = {}
        self._is_away = False
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

    @property
    def version(self) -> str:
        return f"{self._epoch}-{self._version}"

    @asynccontextmanager
    async def attend(self) -> AsyncIterator[None]:
        """While inside, the loop runs."""
        self._watchers += 1
        if self._loop is None:
            self._loop = asyncio.create_task(self._run(), name="console-pulse")
        try:
            yield
        finally:
            self._watchers -= 1
            if not self._watchers and self._loop is not None:
                self._loop.cancel()
                self._loop = None

    async def after(self, version: str, timeout_s: float) -> Touched:
        """What changed since `version`, as soon as something did; nothing after timeout_s.

        An unknown version, or one of an earlier run of the server: everything that ever changed.
        """
        seen = self._position(version)
        if self._version <= seen and not self.closed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), timeout_s)
        topics = frozenset(topic for topic, at in self._topics.items() if at > seen)
        return Touched(version=self.version, topics=topics)

    async def _run(self) -> None:
        try:
            rung: frozenset[str] = frozenset()
            while not self.closed:
                started = self._clock.monotonic()
                self._touch((rung - {LEDGER}) | await self._changed())
                took = self._clock.monotonic() - started
                await asyncio.sleep(max(self._pause_s, took * _LOOP_SHARE))
                rung = await self._changes.wait(self._poll_s - self._pause_s)
        finally:
            self._loop = None if self._loop is asyncio.current_task() else self._loop
            self._announce()

    async def _changed(self) -> frozenset[str]:
        """All of them when the ledger went away or came back: pages say so."""
        try:
            marks = await self._marks()
        except LineshaftError as fault:
            if self._is_away:
                return frozenset()
            _LOG.warning("console.no_pulse", reason=str(fault))
            self._is_away = True
            return frozenset(self._seen)
        before, self._seen = self._seen, marks
        if self._is_away:
            self._is_away = False
            return frozenset(marks)
        return frozenset(topic for topic, mark in marks.items() if before.get(topic) != mark)

    def _touch(self, topics: frozenset[str]) -> None:
        if topics:
            self._version += 1
            self._topics |= dict.fromkeys(topics, self._version)
            self._announce()

    def _announce(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _position(self, version: str) -> int:
        epoch, _, number = version.partition("-")
        known = epoch == self._epoch and number.isdecimal() and int(number) <= self._version
        return int(number) if known else 0
