"""A day that the plant has behind it, so that figures and courses of a plant just started are not empty.

What machines and MES told comes as events, by the product's own log and projections. Stories that were played
are copied back through the day, with times and ids of their own; documents in the target systems are not.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Table, delete, insert, select

from estate.plant import ENTERPRISE, MACHINES, ORDER, PLANT, WORK_CENTER, Machine
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.contracts.examples import example
from lineshaft.core.clock import rfc3339
from lineshaft.core.ids import business_key
from lineshaft.core.values import Event
from lineshaft.ledger import EventLog
from lineshaft.ledger.projections import Projections
from lineshaft.store import Store
from lineshaft.store.schema import (
    activity,
    activity_marks,
    asset_events,
    calls,
    events,
    process_steps,
    processes,
)

__all__ = ["copy_stories", "live_through"]

_HOURS = 24.0
_ROUTING, _ORDER = "masterdata.routing.changed", "production.order.released"
_EXECUTE, _STOPPED, _HELD, _IDLE = 6, 2, 11, 4
_COPIED = (events, calls, processes, process_steps, asset_events)
_MOMENT = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


class _SetClock:
    """Implements core.clock.Clock: when what was told is recorded."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


async def live_through(store: Store, now: datetime, chance: random.Random) -> None:
    """States, stops and confirmed quantities of every machine in the day before now."""
    clock = _SetClock(now)
    log, projections = EventLog(store, EVENTS, clock), Projections(store, EVENTS, clock)
    for event in sorted(_told(now - timedelta(hours=_HOURS), chance), key=lambda event: event.time):
        clock.at = event.time + timedelta(seconds=chance.uniform(0.02, 1.5))
        await log.record([event])
        await projections.apply([event])


def _told(begin: datetime, chance: random.Random) -> Iterator[Event]:
    routing, order = (example(EVENTS[f"{kind}.v1"]) for kind in (_ROUTING, _ORDER))
    pace = {"run_time_per_unit": f"{1 / ORDER.units_per_s:.4f}", "work_center_id": WORK_CENTER}
    before = begin - timedelta(hours=1)
    yield _event(_ROUTING, before, operations_segment=[routing["operations_segment"][0] | pace])
    part = order["segment_requirement"][0] | {"id": ORDER.operation}
    yield _event(_ORDER, before, id=ORDER.number, segment_requirement=[part])
    for machine in MACHINES:
        yield from _shift_of(machine, begin, chance)


def _shift_of(machine: Machine, begin: datetime, chance: random.Random) -> Iterator[Event]:
    about = {"equipment_id": machine.equipment, "physical_asset_id": machine.asset}
    state, since = _EXECUTE, begin
    yield _event(
        "equipment.state.changed", begin, **about, state=state, previous=None, start_time=rfc3339(begin)
    )
    at = begin + timedelta(hours=chance.uniform(0.2, 2))
    while at < begin + timedelta(hours=_HOURS - 1):
        kind, minutes = chance.choice(
            ((_STOPPED, (0.3, 0.5)), (_HELD, (6, 40)), (_IDLE, (5, 20)), (_STOPPED, (0.2, 0.4)))
        )
        ends = at + timedelta(minutes=chance.uniform(*minutes))
        for to, moment in ((kind, at), (_EXECUTE, ends)):
            facts = {"state": to, "previous": state, "previous_start_time": rfc3339(since), "mode": 1}
            yield _event("equipment.state.changed", moment, **about, **facts, start_time=rfc3339(moment))
            state, since = to, moment
        if kind == _HELD:
            facts = {
                "start_time": rfc3339(at),
                "state": kind,
                "mode": 1,
                "minor_stop_s": 30.0,
                "upstream": "",
            }
            facts["reason_code"] = chance.choice(("MECH-JAM", "MAT-EMPTY", "MECH-JAM", "CLEAN"))
            started = at + timedelta(seconds=30)
            yield _event("equipment.downtime.started", started, **about, **facts, end_time=None)
            yield _event("equipment.downtime.ended", ends, **about, **facts, end_time=rfc3339(ends))
        at = ends + timedelta(hours=chance.uniform(0.4, 2.5))
    if machine.counts:
        for hour in range(int(_HOURS) - 1):
            at = begin + timedelta(hours=hour)
            if share := _planned_share(at):
                yield from _confirmed(machine, at, share, chance)


def _planned_share(begin: datetime) -> float:
    """How much of an hour is to be worked: Monday 6:00 to Saturday 14:00 but the breaks, by the calendar."""
    local = begin.astimezone(ZoneInfo("Europe/Berlin"))
    hours = local.weekday() * 24 + local.hour + local.minute / 60
    in_breaks = sum(
        max(0.0, min(hours % 24 + 1, end) - max(hours % 24, start))
        for start, end in ((1.5, 2), (9.5, 10), (18, 18.5))
    )
    return 1 - in_breaks if 6 <= hours < 5 * 24 + 13 else 0.0


def _confirmed(machine: Machine, begin: datetime, share: float, chance: random.Random) -> Iterator[Event]:
    good = int(share * ORDER.units_per_s * 3600 * chance.uniform(0.72, 0.93))
    end, number = begin + timedelta(hours=1), f"C-{begin:%d%H}"
    yield _event(
        "production.confirmation.recorded",
        end,
        id=number,
        operations_request_id=ORDER.number,
        segment_requirement_id=ORDER.operation,
        actual_start_time=rfc3339(begin),
        actual_end_time=rfc3339(end),
        equipment_actual=[{"equipment_id": machine.equipment}],
        yield_quantity={"value": str(good), "unit": "C62"},
        scrap_quantity={"value": str(int(good * chance.uniform(0.004, 0.02))), "unit": "C62"},
        **dict.fromkeys(("scrap_reason", "rework_quantity", "rework_reason", "setup_end_time")),
        **dict.fromkeys(("processing_start_time", "processing_end_time")),
    )
    posted = end + timedelta(seconds=chance.expovariate(1 / 4))
    yield _event("production.confirmation.posted", posted, id=number, revision=1)


def _event(kind: str, time: datetime, **changes: Any) -> Event:
    """An example of the type with some fields changed; None leaves one out."""
    contract = EVENTS[f"{kind}.v1"]
    document = {name: value for name, value in (example(contract) | changes).items() if value is not None}
    data, source = contract.schema.convert(document), f"/{ENTERPRISE}/{PLANT}/mes/1"
    identity = (kind, rfc3339(time), repr(sorted(document.items(), key=str)))
    return contract.make(data, plant=PLANT, source=source, identity=identity, time=time)


async def copy_stories(store: Store, copies: int, chance: random.Random) -> None:
    """Spread over the day before the first row; what was counted of the past is counted anew. While no node
    runs on the store."""
    moments = sorted((chance.uniform(0.1, _HOURS) for _ in range(copies)), reverse=True)

    def unit(connection: Connection) -> None:
        rows = {table: [*connection.execute(_played(table)).mappings()] for table in _COPIED}
        for number, hours in enumerate(moments):
            back = _Back(f"{number}", timedelta(hours=hours), chance.uniform(0.2, 0.6))
            for table in _COPIED:
                if rows[table]:
                    connection.execute(insert(table), [back.row(row) for row in rows[table]])
        for table in (activity, activity_marks):
            connection.execute(delete(table))

    await store.write(unit)


def _played(table: Table) -> Any:
    """Of stories that are over: the processes that completed, and what has their correlation id."""
    done = select(processes.c.correlation_id).where(processes.c.state == "completed")
    if table is process_steps:
        ids = select(processes.c.process_id).where(processes.c.state == "completed")
        return select(table).where(table.c.process_id.in_(ids))
    return select(table).where(table.c.correlation_id.in_(done))


class _Back:
    """One copy: so long ago, and slower or quicker by a factor within the story."""

    def __init__(self, name: str, ago: timedelta, pace: float) -> None:
        self._name = name
        self._ago = ago
        self._pace = pace
        self._begin: datetime | None = None

    def row(self, row: Any) -> dict[str, Any]:
        return {name: self._text(value) if isinstance(value, str) else value for name, value in row.items()}

    def _text(self, text: str) -> str:
        moved = _MOMENT.sub(lambda found: self._moment(found[0]), text)
        return _ID.sub(lambda found: business_key("past", self._name, found[0]), moved)

    def _moment(self, text: str) -> str:
        at = datetime.fromisoformat(text)
        self._begin = self._begin or at
        return rfc3339(self._begin + (at - self._begin) * self._pace - self._ago)
