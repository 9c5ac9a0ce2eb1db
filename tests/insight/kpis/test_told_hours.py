"""Hours that are packed tell what the events do, whatever comes when; on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from lineshaft.contracts.kpis import KpiBoard
from lineshaft.core.clock import rfc3339
from lineshaft.core.values import Event
from lineshaft.insight.kpis import KpiReads, ToldHours
from lineshaft.insight.kpis.facts import FACTS
from lineshaft.insight.kpis.told_hours import HOUR, covered
from lineshaft.ledger.audit import Audit, AuditEntry
from lineshaft.store import Store
from lineshaft.store.schema import activity_marks, events, told_hours
from tests.clocks import ManualClock
from tests.insight.kpis.evening import AT, LEVELS, Evening, confirmed, hour, planned, states, stopped
from tests.ledger.projections.plant_events import told
from tests.rows import rows

KEEP = timedelta(days=90)
LENGTH_H = 14
LATEST_H = LENGTH_H + 3


class Packing(Evening):
    """Events are recorded at the clock's time, and packed when they are."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.clock = ManualClock(AT)
        self.plant.clock = self.clock
        self.plant.log._clock = self.clock
        self.hours = ToldHours(store, self.clock, KEEP)

    def at(self, hours: float) -> None:
        self.clock.advance((AT + timedelta(hours=hours) - self.clock.now()).total_seconds())

    async def pack(self) -> None:
        while not await self.hours.look() or await self.hours.look_back():
            pass

    async def board(self, start: float, end: float, plants: frozenset[str] | None = None) -> KpiBoard:
        reads = KpiReads(self.store, LEVELS, self.clock, zone=self.reads._zone)
        begins, ends = (AT + timedelta(hours=each) for each in (start, end))
        return await reads.board(plants, start=begins, end=ends)

    async def unpacked(self) -> None:
        await self.store.write(lambda connection: connection.execute(delete(activity_marks)))


@pytest.fixture
def packing(store: Store) -> Packing:
    return Packing(store)


def happened(random: Random) -> list[tuple[float, Event]]:
    """(when it is recorded, what) in that order, in hours: most at once, some an hour, or many, later."""

    def some_time() -> float:
        return round(random.uniform(0, LENGTH_H), 4)

    found: list[Event] = []
    for plant in ("leipzig", "linz"):
        found += planned(str(random.randint(5, 15)), plant=plant)
        found.append(_routed(some_time(), random.randint(5, 15), plant))
        for number in range(3):
            one: dict[str, Any] = {"equipment": f"FILLER-{number}", "plant": plant}
            changes = sorted({some_time() for _ in range(random.randint(0, 8))})
            found += states(*((at, random.choice((2, 4, 6, 11))) for at in changes), **one)
            for _ in range(random.randint(0, 3)):
                start = some_time()
                end = random.choice((None, start + random.uniform(0.1, 4)))
                found += stopped(start, end, upstream=random.choice(("", "FILLER-9")), **one)
            for batch in range(random.randint(0, 5)):
                start, id = some_time(), f"C-{number}-{batch}"
                made: dict[str, Any] = {"plant": plant, "id": id}
                made["equipment_actual"] = [{"equipment_id": one["equipment"]}]
                end = start + random.uniform(0.1, 3)
                found.append(confirmed(start, end, str(random.randint(0, 900)), "9", **made))
                if random.random() < 0.3:
                    found.append(confirmed(start, end + 0.5, "500", "5", **made | {"revision": 2}))
                answer = random.choice(("posted", "rejected"))
                if random.random() < 0.7:
                    facts: dict[str, Any] = {"plant": plant, "id": id, "revision": 1}
                    found.append(told(f"production.confirmation.{answer}", (end + 0.02) * 3600, **facts))
        compared: dict[str, Any] = {"compared": 100, "different": random.randint(0, 9), "plant": plant}
        found.append(told("inventory.balance.reconciled", some_time() * 3600, **compared))
        for number in range(2):
            found += _repaired(number, some_time(), plant)
    ordered = []
    for event in found:
        at = max(0.0, (event.time - AT).total_seconds() / 3600)
        late = random.choice((0.0, 0.0, 0.0, 0.2, 1.5, random.uniform(0, 9)))
        ordered.append((min(at + late, LATEST_H), event))
    return sorted(ordered, key=lambda entry: entry[0])


def _routed(at: float, run_time_s: int, plant: str) -> Event:
    segment = {"id": "FILL", "work_center_id": "LINE-2", "is_count_point": True}
    routing: dict[str, Any] = {"operations_segment": [segment | {"run_time_per_unit": str(run_time_s)}]}
    return told("masterdata.routing.changed", at * 3600, plant=plant, **routing)


def _repaired(number: int, broken: float, plant: str) -> list[Event]:
    order = f"MO-{number}"
    asset: dict[str, Any] = {"physical_asset_id": f"PUMP-{number}", "plant": plant}
    ids = {"id": f"R-{number}", "maintenance_order_id": order}
    done = {"id": order, "maintenance_request_id": ids["id"]}
    times = {"actual_start_time": hour(broken + 1), "actual_end_time": hour(broken + 2)}
    part: dict[str, Any] = {"for_reference": order, "material_definition_id": "SEAL", "plant": plant}
    return [
        told(
            "maintenance.request.created",
            broken * 3600 + 60,
            malfunction_start=hour(broken),
            **asset,
            **ids,
        ),
        told("inventory.reservation.created", broken * 3600 + 90, id=f"{order}-SEAL", **part),
        told("maintenance.order.completed", broken * 3600 + 7300, **asset, **done, **times),
    ]


@pytest.mark.parametrize("seed", range(6))
async def test_packed_hours_tell_what_the_events_do_however_late_they_come(
    packing: Packing, seed: int
) -> None:
    random = Random(seed)
    history, audit = happened(random), Audit("node", packing.clock)
    starts = random.randint(0, 10)  # what is older is packed afterwards
    for number in range(LATEST_H + 1):
        some = [event for at, event in history if number <= at < number + 1]
        packing.at(number + random.uniform(0.7, 0.99))
        await packing.hears(*some)
        decided = AuditEntry(actor="dana", action="exception.fixed", subject=f"e{number % 3}")
        await packing.store.write(partial(audit.append, entries=[decided]))
        if number >= starts:
            await packing.pack()
    packing.at(LATEST_H + 2)
    await packing.pack()
    begins, ends = await packing.store.read(covered)
    assert ends == int(AT.timestamp()) + (LATEST_H + 2) * HOUR
    assert begins < int(AT.timestamp())
    asked: Sequence[tuple[float, float, frozenset[str] | None]] = [
        (0, LENGTH_H, None),
        (0, LENGTH_H, frozenset({"linz"})),
        (1.3, 9.8, None),
        (5.2, 5.9, None),
        (4, LATEST_H + 1.5, frozenset({"leipzig", "linz"})),
    ]
    boards = [await packing.board(*each) for each in asked]
    await packing.unpacked()
    for each, board in zip(asked, boards, strict=True):
        assert board == await packing.board(*each), each
    assert {figure.id for figure in boards[0].figures if figure.value} >= {"oee", "reconciliation_effort"}


async def test_what_is_packed_is_not_read_from_the_events(packing: Packing) -> None:
    await packing.filler()
    packing.at(9)
    await packing.pack()
    before = await packing.board(0, 8)
    await packing.store.write(lambda connection: connection.execute(delete(events)))
    assert await packing.board(0, 8) == before


async def test_an_hour_is_packed_anew_when_something_comes_that_tells_of_it(packing: Packing) -> None:
    await packing.filler()
    packing.at(9)
    await packing.pack()
    before = await packing.board(0, 8)
    packing.at(11)
    await packing.pack()
    await packing.hears(confirmed(4.2, 5.2, "300", "3"))
    await packing.pack()
    packed = await packing.board(0, 8)
    assert _value(packed, "oee") > _value(before, "oee")
    await packing.unpacked()
    assert await packing.board(0, 8) == packed


async def test_two_that_pack_write_the_same(packing: Packing) -> None:
    await packing.filler()
    packing.at(9)
    await packing.pack()
    found = await rows(packing.store, told_hours)
    other = ToldHours(packing.store, packing.clock, KEEP)
    await packing.unpacked()
    while not await other.look() or await other.look_back():
        pass
    assert found
    assert await rows(packing.store, told_hours) == found


async def test_hours_go_when_events_do(packing: Packing) -> None:
    await packing.filler()
    packing.at(9)
    await packing.pack()
    packing.at(KEEP.total_seconds() / 3600 + 3.5)
    await packing.hours.forget()
    oldest = int(AT.timestamp()) + 3 * HOUR
    first = select(func.min(told_hours.c.at))
    assert await packing.store.read(lambda connection: connection.execute(first).scalar()) == oldest
    assert (await packing.store.read(covered))[0] == oldest


async def test_a_node_that_was_away_catches_up_with_what_others_recorded(packing: Packing) -> None:
    await packing.pack()
    packing.at(7)
    await packing.filler()
    packing.at(9)
    assert not await packing.hours.look()  # an hour at a time
    await packing.pack()
    assert (await packing.store.read(covered))[1] == int((AT + timedelta(hours=9)).timestamp())
    board = await packing.board(0, 8)
    await packing.unpacked()
    assert await packing.board(0, 8) == board


async def test_a_payload_that_cannot_be_read_is_left_out(packing: Packing) -> None:
    row = {"type": next(iter(FACTS)), "plant": "leipzig", "time": _text(1), "recorded_at": _text(1)}
    row |= {"event_id": "broken", "data": "{}"}
    await packing.store.write(lambda connection: connection.execute(events.insert(), [row]))
    packing.at(9)
    await packing.pack()
    assert await rows(packing.store, told_hours) == []


def _value(board: KpiBoard, kpi: str) -> float:
    (found,) = (figure.value for figure in board.figures if figure.id == kpi)
    assert found is not None
    return found


def _text(hours: float) -> str:
    at: datetime = AT + timedelta(hours=hours)
    return rfc3339(at)
