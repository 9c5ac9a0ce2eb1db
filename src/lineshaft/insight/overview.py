"""How the plants stand: what is late, what waits and for whom, what happened. From indexes and rollups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.standing import DOMAINS, Cell, CellState, Flow, LateRow, Recent, Standing
from lineshaft.core.values import Event
from lineshaft.insight.overview_recent import recent
from lineshaft.insight.overview_work import (
    desks,
    late_calls,
    late_events,
    open_calls,
    open_processes,
    overdue_events,
)
from lineshaft.insight.rollups import HOUR, MINUTE, first_activity, marks
from lineshaft.insight.rollups_reads import FAILED, flows, known_plants, of_plants, percentile
from lineshaft.insight.service_levels import CALL, EVENT, ServiceLevels
from lineshaft.store import Store
from lineshaft.store.schema import LATENCY_COLUMNS, activity, outbox

__all__ = ["Overview"]

_LATELY_S = 900
_LAG_S = 300
_MOST_COUNTED = 10_000
_BEHIND_S = 180
_SHORTEST_S = 600
Plants = Collection[str] | None


class Overview:
    """plant: the node's own, which is shown also before anything happened in it."""

    def __init__(self, store: Store, levels: ServiceLevels, clock: Clock, plant: str) -> None:
        self._store = store
        self._levels = levels
        self._clock = clock
        self._plant = plant

    async def standing(self, plants: Plants) -> Standing:
        """plants: whose; None: all. raises TransientFault when the ledger does not answer"""
        return await self._store.read(partial(self._standing, plants=plants))

    async def cells(self, standing: Standing, plants: Sequence[str]) -> dict[str, list[Cell]]:
        """By plant, its domains in which anything happened or waits; of these plants."""
        return await self._store.read(partial(self._cells, standing=standing, plants=plants))

    async def flows(
        self, plants: Plants, begins: int, ends: int, step_s: int
    ) -> tuple[list[Flow], list[Flow]]:
        """As rollups_reads.flows."""
        return await self._store.read(lambda connection: flows(connection, plants, begins, ends, step_s))

    async def recent(self, plants: Plants, limit: int) -> list[Recent]:
        """Events, calls and processes, the newest first; for some plants, of the newest thousand each."""
        return await self._store.read(lambda connection: recent(connection, plants, limit))

    async def late(self, kind: str, subject: str, plants: Plants) -> list[LateRow]:
        """Calls or events that are late, of one operation or type; at most a hundred."""
        now = self._now
        if kind == CALL:
            return await self._store.read(
                lambda connection: late_calls(connection, self._levels, plants, now, subject)
            )
        since = int(now) - HOUR
        return await self._store.read(
            lambda connection: late_events(connection, self._levels, plants, since, subject)
        )

    @property
    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _standing(self, connection: Connection, plants: Plants) -> Standing:
        now, known = self._now, marks(connection)
        processes, stuck = open_processes(connection, self._levels, plants, now)
        calls, unsettled = open_calls(connection, self._levels, plants, now)
        untimely = overdue_events(connection, self._levels, plants, int(now) - HOUR)
        wrong = desks(connection, plants)
        late = sorted([*unsettled, *stuck, *untimely], key=lambda each: (-each.count, each.oldest))
        names = {each.plant for found in (processes, calls, wrong, untimely) for each in found}
        names |= {self._plant, *known_plants(connection), *(plants or ())}
        waiting, oldest = _outbox(connection) if plants is None else (None, "")
        is_known = "to" in known and known["to"] >= now - _BEHIND_S
        return Standing(
            begins=_begins(connection, known["from"], int(now)) if is_known else None,
            plants=sorted(name for name in names if name and (plants is None or name in plants)),
            late=late,
            work=[*processes, *calls],
            desks=wrong,
            outbox=waiting,
            outbox_oldest=oldest,
            lag_s=_lag(connection, plants, int(now) - _LAG_S),
        )

    def _cells(
        self, connection: Connection, standing: Standing, plants: Sequence[str]
    ) -> dict[str, list[Cell]]:
        now = int(self._now)
        counts = _Counts(standing, frozenset(plants))
        for row in _lately(connection, plants, now):
            here = (row.plant, row.domain)
            counts.in_hour[here] += row.count_
            counts.failed[here] += row.count_ if row.outcome in FAILED else 0
            is_new = row.newest >= now - _LATELY_S
            counts.alive |= {here} if is_new else set()
            counts.through |= {here} if is_new and row.outcome not in FAILED and row.kind != EVENT else set()
        found: dict[str, list[Cell]] = {plant: [] for plant in plants}
        order = {domain: number for number, domain in enumerate(DOMAINS)}
        for plant, domain in sorted(counts.places, key=lambda here: order.get(here[1], len(order))):
            found[plant].append(counts.cell(plant, domain, is_known=standing.begins is not None))
        return found


def _begins(connection: Connection, known_from: int, now: int) -> int:
    """The course of a new plant is its own, ten minutes at least, not the empty hours before it."""
    first = first_activity(connection)
    return known_from if first is None else max(known_from, min(first, now - _SHORTEST_S))


class _Counts:
    """By plant and domain. alive: where anything happened lately; through: where anything was done lately."""

    def __init__(self, standing: Standing, plants: frozenset[str]) -> None:
        self.late, self.parked, self.wrong, self.in_hour, self.failed = (
            defaultdict[Any, int](int) for _ in range(5)
        )
        self.alive: set[tuple[str, str]] = set()
        self.through: set[tuple[str, str]] = set()
        self.waits: set[tuple[str, str]] = set()
        for each in standing.late:
            if each.plant in plants:
                self.late[each.plant, each.domain] += each.count
                self.waits |= {(each.plant, each.domain)} if each.kind != EVENT else set()
        for work in standing.work:
            if work.plant in plants:
                self.parked[work.plant, work.domain] += work.count if work.state == "parked" else 0
        for desk in standing.desks:
            if desk.plant in plants:
                self.wrong[desk.plant, desk.domain] += desk.count

    @property
    def places(self) -> set[tuple[str, str]]:
        return {*self.late, *self.parked, *self.wrong, *self.in_hour}

    def cell(self, plant: str, domain: str, *, is_known: bool) -> Cell:
        here = (plant, domain)
        late, parked, wrong = self.late[here], self.parked[here], self.wrong[here]
        if here in self.waits and is_known and here not in self.through:
            state = CellState.STOPPED
        elif late or parked or wrong:
            state = CellState.DEGRADED
        elif not is_known:
            state = CellState.STARTING
        else:
            state = CellState.ACTIVE if here in self.alive else CellState.IDLE
        return Cell(
            plant=plant,
            domain=domain,
            state=state,
            late=late,
            parked=parked,
            exceptions=wrong,
            in_hour=self.in_hour[here],
            failed=self.failed[here],
        )


def _lately(connection: Connection, plants: Sequence[str], now: int) -> Sequence[Any]:
    table = activity.c
    question = (
        select(
            table.plant,
            table.domain,
            table.kind,
            table.outcome,
            func.sum(table.count).label("count_"),
            func.max(table.at).label("newest"),
        )
        .where(
            table.span == MINUTE,
            table.plant.in_(plants),
            table.domain.in_(DOMAINS),
            table.subject == "",
            table.at >= now - HOUR,
        )
        .group_by(table.plant, table.domain, table.kind, table.outcome)
    )
    return connection.execute(question).all()


def _outbox(connection: Connection) -> tuple[int, str]:
    """How many wait, of up to ten thousand, and since when the first does."""
    some = select(outbox.c.seq).limit(_MOST_COUNTED).subquery()
    count = connection.execute(select(func.count()).select_from(some)).scalar_one()
    first = connection.execute(select(outbox.c.event).order_by(outbox.c.seq).limit(1)).scalar()
    if not first:
        return 0, ""
    event = msgspec.json.decode(first, type=Event)
    return count, rfc3339(event.recordedtime or event.time)


def _lag(connection: Connection, plants: Plants, since: int) -> float | None:
    table = activity.c
    question = select(*(func.sum(table[name]) for name in LATENCY_COLUMNS)).where(
        table.span == MINUTE,
        of_plants(plants),
        table.domain == "",
        table.subject == "",
        table.at >= since,
        table.kind == EVENT,
    )
    return percentile([int(count or 0) for count in connection.execute(question).one()], 0.95)
