"""The KPIs as they are asked for: all of them or one, of some plants, over a period."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from lineshaft.contracts.kpis import KpiBoard
from lineshaft.core.clock import Clock
from lineshaft.core.errors import ContractViolation, TransientFault
from lineshaft.insight.kpis.catalogue import KPIS
from lineshaft.insight.kpis.periods import edges, period
from lineshaft.insight.kpis.question import Question, WorkingTime
from lineshaft.insight.rollups_reads import known_plants
from lineshaft.insight.service_levels import ServiceLevels
from lineshaft.model.calendar import CalendarEntry, EquipmentPeriod
from lineshaft.store import Store

__all__ = ["KpiReads", "Targets"]

Targets = Mapping[str, float]
"""By id of the KPI, in its unit: instead of the usual ones."""

_FRESH_S = 10.0
_SHARE = 20  # of the time at most: what takes long is asked less often
_AT_ONCE_S = 0.25
_KEPT_S = 300.0
_MOST_KEPT = 64
_MOST_WAITING = 32
_SIDE_BY_SIDE = 2
"""Of the few readers that all screens share."""

_Asked = tuple[frozenset[str] | None, str, str, datetime | None, datetime | None]


class _Known:
    """board: the last answer, until there is a new one; took_s: what that took"""

    task: asyncio.Task[KpiBoard]

    def __init__(self, at: float, board: KpiBoard | None) -> None:
        self.at = at
        self.board = board
        self.took_s = 0.0

    def is_old(self, now: float) -> bool:
        return self.task.done() and now - self.at >= max(_FRESH_S, self.took_s * _SHARE)


class KpiReads:
    """site: whose shifts are meant by the period `shift`; zone: of its days"""

    def __init__(
        self,
        store: Store,
        levels: ServiceLevels,
        clock: Clock,
        *,
        zone: ZoneInfo,
        site: str = "",
        working: WorkingTime = lambda plant, asked: None,
        targets: Targets | None = None,
    ) -> None:
        self._store = store
        self._levels = levels
        self._clock = clock
        self._zone = zone
        self._site = site
        self._working = working
        self._targets = {kpi.id: kpi.target for kpi in KPIS} | dict(targets or {})
        self._known: dict[_Asked, _Known] = {}
        self._turn = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def board(
        self,
        plants: frozenset[str] | None,
        *,
        span: str = "24h",
        start: datetime | None = None,
        end: datetime | None = None,
        kpi: str = "",
    ) -> KpiBoard:
        """plants: None for all. span: one of PERIODS, unless a start is given; end: now, if left out

        Who asks for the same meanwhile gets the same answer, at most ten seconds old. Where that takes long,
        the one before is given, up to five minutes old, while the next is made.

        raises  ContractViolation for a period or a KPI that is none, TransientFault when the store is away or
                too many other periods are being counted
        """
        if kpi and kpi not in self._targets:
            ids = ", ".join(each.id for each in KPIS)
            raise ContractViolation(f"there is no KPI {kpi!r}", findings=[f"kpi: one of {ids}"])
        asked = (plants, span if start is None else "", kpi, start, end)
        now = self._clock.monotonic()
        self._known = self._kept(now)
        known = self._known.get(asked)
        if known is None or known.is_old(now):
            moments = self._moments(span, start, end)
            if sum(not one.task.done() for one in self._known.values()) >= _MOST_WAITING:
                if known is not None and known.board is not None:
                    return known.board
                raise TransientFault("too many KPIs are being counted", hint="ask again in a minute")
            known = _Known(at=now, board=known.board if known and known.took_s > _AT_ONCE_S else None)
            known.task = asyncio.create_task(self._answer(known, plants, moments, kpi))
            known.task.add_done_callback(lambda task: self._forget(asked, task))
            self._known[asked] = known
        return await asyncio.shield(known.task) if known.board is None else known.board

    async def _answer(
        self, known: _Known, plants: frozenset[str] | None, moments: list[datetime], kpi: str
    ) -> KpiBoard:
        async with self._turn:
            began = self._clock.monotonic()
            board = await self._store.read(lambda connection: self._ask(connection, plants, moments, kpi))
            known.board, known.took_s = board, self._clock.monotonic() - began
        return board

    def _kept(self, now: float) -> dict[_Asked, _Known]:
        """What is under way, and of the answers of the last minutes the newest."""
        recent = [(each, one) for each, one in self._known.items() if now - one.at < _KEPT_S]
        done = [each for each, one in recent if one.task.done()]
        old = set(done[: max(0, len(done) - _MOST_KEPT)])
        return {each: one for each, one in recent if each not in old}

    def _forget(self, asked: _Asked, task: asyncio.Task[KpiBoard]) -> None:
        """What failed is asked again."""
        if task.cancelled() or task.exception():
            self._known.pop(asked, None)

    async def plants(self) -> list[str]:
        """In which anything has happened."""
        return sorted(set(await self._store.read(known_plants)))

    def _moments(self, span: str, start: datetime | None, end: datetime | None) -> list[datetime]:
        now = self._clock.now()
        if start is None:
            start, usual = period(span, now, self._zone, self._shifts)
            end = end or usual
        return edges(start, min(end or now, now), self._zone)

    def _shifts(self, start: datetime, end: datetime) -> Sequence[CalendarEntry] | None:
        return self._working(
            self._site, EquipmentPeriod(equipment_id=self._site, start_time=start, end_time=end)
        )

    def _ask(
        self, connection: Connection, plants: frozenset[str] | None, moments: list[datetime], only: str
    ) -> KpiBoard:
        question = Question(connection, plants, moments, self._clock.now(), self._working, self._levels)
        figures = [kpi.figure(question, self._targets[kpi.id]) for kpi in KPIS if only in ("", kpi.id)]
        plant = next(iter(plants)) if plants is not None and len(plants) == 1 else ""
        return KpiBoard(start_time=moments[0], end_time=moments[-1], plant=plant, figures=figures)
