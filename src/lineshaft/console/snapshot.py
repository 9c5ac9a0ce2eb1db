"""What the page shows at one moment, read once for everybody who looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from lineshaft.console.views import LiveValue, SystemView
from lineshaft.core.clock import Clock
from lineshaft.core.errors import LineshaftError
from lineshaft.core.ports import ReadModel

__all__ = ["Snapshot", "Sources"]

_LOG = structlog.get_logger(__name__)
_MOST_ROWS = 40
_COUNT_SHARE = 20
Row = dict[str, Any]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Rows as core.ports.ReadModel gives them.

    read_at   when the ledger last answered; older than `at` while it does not
    fault     why the ledger does not answer; empty when it does
    """

    at: datetime
    read_at: datetime | None = None
    fault: str = ""
    systems: tuple[SystemView, ...] = ()
    values: tuple[LiveValue, ...] = ()
    counts: dict[str, int] = {}
    processes: list[Row] = []
    calls: list[Row] = []
    events: list[Row] = []
    exceptions: list[Row] = []


class Sources:
    """Where a snapshot comes from. One read after another, so that the console holds one reader at most."""

    def __init__(
        self,
        reads: ReadModel,
        systems: Callable[[], Mapping[str, SystemView]],
        values: Callable[[], Sequence[LiveValue]],
        clock: Clock,
    ) -> None:
        self._reads = reads
        self._systems = systems
        self._values = values
        self._clock = clock
        self._last = Snapshot(at=datetime.min.replace(tzinfo=UTC))
        self._counts: dict[str, int] = {}
        self._count_again_at = 0.0

    async def take(self) -> Snapshot:
        """Never raises: while the ledger does not answer, its last rows stay and `fault` says so."""
        now = self._clock.now()
        last = msgspec.structs.replace(
            self._last,
            at=now,
            systems=tuple(self._systems().values()),
            values=tuple(self._values()),
        )
        try:
            self._last = msgspec.structs.replace(
                last,
                read_at=now,
                fault="",
                counts=await self._count(),
                processes=await self._reads.recent_processes(_MOST_ROWS),
                calls=await self._reads.recent_calls(_MOST_ROWS),
                events=await self._reads.recent_events(_MOST_ROWS),
                exceptions=await self._reads.open_exceptions(_MOST_ROWS),
            )
        except LineshaftError as fault:
            if not self._last.fault:
                _LOG.warning("console.ledger_away", reason=str(fault))
            self._last = msgspec.structs.replace(last, fault=str(fault))
        return self._last

    async def _count(self) -> dict[str, int]:
        """Counting reads whole tables: it may take a twentieth of the time, so it slows down as they grow."""
        started = self._clock.monotonic()
        if started >= self._count_again_at:
            self._counts = await self._reads.counts()
            took = self._clock.monotonic() - started
            self._count_again_at = started + took * _COUNT_SHARE
        return self._counts
