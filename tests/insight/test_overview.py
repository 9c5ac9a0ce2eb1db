"""How the plants stand: late, open, parked, by plant and domain; the numbers are those of the rows."""

from __future__ import annotations

from typing import Any

import pytest

from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS, THRESHOLD_EXCEEDED
from lineshaft.core.standing import Cell, CellState, Late
from lineshaft.insight.overview import Overview
from lineshaft.insight.rollups import Rollups
from lineshaft.insight.service_levels import service_levels
from lineshaft.processes.corrective_maintenance import corrective_maintenance
from lineshaft.processes.counts import accept_count
from lineshaft.store import Outbox, Store
from lineshaft.store.schema import calls, events, exceptions, processes
from lineshaft.store.statements import put
from tests.clocks import ManualClock
from tests.facts import breach
from tests.insight.test_rollups import BREACH, CONFIRMATION, NOW, ago, call, event, process

DEFINITIONS = {"accept_count": accept_count, "corrective_maintenance": corrective_maintenance}
LEVELS = service_levels(EVENTS, CAPABILITIES, DEFINITIONS, {"corrective_maintenance": 14_400.0})


class Plant:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = ManualClock(NOW)
        self.overview = Overview(store, LEVELS, self.clock, "hamburg")

    async def put(self, table: Any, *given: dict[str, Any]) -> None:
        await self.store.write(lambda connection: [put(connection, table, [row]) for row in given] and None)

    async def late(self, plants: frozenset[str] | None = None) -> list[Late]:
        return list((await self.overview.standing(plants)).late)

    async def cells(self, plant: str = "hamburg") -> dict[str, Cell]:
        await Rollups(self.store, LEVELS, self.clock).look()
        standing = await self.overview.standing(None)
        return {cell.domain: cell for cell in (await self.overview.cells(standing, [plant]))[plant]}


@pytest.fixture
def plant(store: Store) -> Plant:
    return Plant(store)


def story(name: str) -> dict[str, str]:
    return {"correlation_id": name}


def wrong(number: int, owner: str = "finance", **more: str) -> dict[str, Any]:
    times = {"first_at": ago(600), "last_at": ago(60)}
    row = {"exception_id": f"x{number}", "owner": owner, "plant": "hamburg", "state": "open"}
    return row | times | more


async def test_a_call_is_late_while_somebody_still_has_to_do_with_it(plant: Plant) -> None:
    await plant.put(
        calls,
        call(1, "sending", 3_600, None),
        call(2, "sending", 10, None),
        call(3, "failed", 900, 800) | story("goes-on"),
        call(4, "failed", 900, 800) | story("given-up"),
        call(5, "unknown", 900, 800) | story("to-be-seen-to"),
        call(6, "posted", 3_600, 5),
        call(7, "unknown", 40 * 86_400, 800) | story("goes-on"),
    )
    await plant.put(processes, process(1, "waiting", 950, 900) | story("goes-on"))
    await plant.put(processes, process(2, "completed", 950, 700) | story("given-up"))
    await plant.put(exceptions, wrong(1, **story("to-be-seen-to")))
    standing = await plant.overview.standing(None)
    assert [(each.subject, each.count, each.oldest) for each in standing.late] == [
        (CONFIRMATION, 3, ago(3_600))
    ]
    waiting = {work.state: work.count for work in standing.work if work.kind == "call"}
    assert waiting == {"sending": 2, "failed": 1, "unknown": 1}
    rows = await plant.overview.late("call", CONFIRMATION, None)
    assert [row.key for row in rows] == ["c1", "c3", "c5"]
    assert await plant.overview.late("call", CONFIRMATION, frozenset({"leipzig"})) == []


async def test_a_process_is_late_when_it_does_not_get_on_not_when_it_waits(plant: Plant) -> None:
    level = LEVELS.process_s("accept_count")
    await plant.put(
        processes,
        process(1, "parked", level * 3, level + 1),
        process(2, "retrying", level * 3, level + 5),
        process(3, "running", level * 3, level - 1),
        process(4, "waiting", level * 9, level * 8),
        process(5, "parked", level * 9, level * 8) | {"type": "forgotten"},
    )
    (late,) = await plant.late()
    assert (late.kind, late.subject, late.count, late.oldest) == (
        "process",
        "accept_count",
        2,
        ago(level + 5),
    )


async def test_events_recorded_late_in_the_last_hour_are_told_and_listed(plant: Plant) -> None:
    await plant.put(
        events,
        event(1, 20, took_s=5.5),
        event(2, 21, took_s=1),
        event(3, 25, took_s=400, plant="leipzig"),
    )
    await Rollups(plant.store, LEVELS, plant.clock).look()
    assert [(each.plant, each.subject, each.count) for each in await plant.late(frozenset({"leipzig"}))] == [
        ("leipzig", BREACH, 1)
    ]
    assert sum(each.count for each in await plant.late()) == 2
    rows = await plant.overview.late("event", BREACH, None)
    assert [(row.key, row.begins, row.ends) for row in rows] == [
        ("e1", ago(25.5), ago(20)),
        ("e3", ago(425), ago(25)),
    ]
    plant.clock.advance(2 * 3_600)
    assert await plant.late() == []


async def test_the_state_of_a_cell_is_honest(plant: Plant) -> None:
    assert await plant.cells() == {}
    await plant.put(events, event(1, 20))
    assert (await plant.cells())["equipment"].state is CellState.ACTIVE
    await plant.put(exceptions, wrong(1))
    finance = (await plant.cells())["finance"]
    assert (finance.state, finance.exceptions) == (CellState.DEGRADED, 1)
    await plant.put(calls, call(1, "sending", 3_600, None))
    stopped = (await plant.cells())["production"]
    assert (stopped.state, stopped.late, stopped.in_hour) == (CellState.STOPPED, 1, 0)
    await plant.put(calls, call(2, "posted", 20, 10), call(3, "rejected", 20, 10))
    degraded = (await plant.cells())["production"]
    assert (degraded.state, degraded.in_hour, degraded.failed) == (CellState.DEGRADED, 2, 1)
    plant.clock.advance(1_200)
    assert (await plant.cells())["equipment"].state is CellState.IDLE
    plant.clock.advance(600)  # nobody counted since: what is not known is not called idle
    standing = await plant.overview.standing(None)
    cells = (await plant.overview.cells(standing, ["hamburg"]))["hamburg"]
    states = {cell.domain: cell.state for cell in cells}
    assert standing.begins is None
    assert states["equipment"] is CellState.STARTING
    assert states["production"] is CellState.DEGRADED


async def test_the_course_begins_with_the_first_that_happened_and_ten_minutes_ago_at_the_latest(
    plant: Plant,
) -> None:
    rollups = Rollups(plant.store, LEVELS, plant.clock)
    now = int(plant.clock.now().timestamp())

    async def begins() -> int | None:
        await rollups.look()
        while await rollups.look_back():
            pass
        return (await plant.overview.standing(None)).begins

    assert await begins() == 0  # all is known, and there was nothing
    await plant.put(events, event(1, 20))
    assert await begins() == now - 600
    for _ in range(60):
        plant.clock.advance(60)
        await rollups.look()
    assert await begins() == (now - 20) // 60 * 60


async def test_the_backlog_is_counted_by_plant_and_who_sees_one_plant_sees_no_other(plant: Plant) -> None:
    await plant.put(events, event(1, 20, plant="leipzig"), event(2, 20))
    await Rollups(plant.store, LEVELS, plant.clock).look()
    await plant.put(processes, process(1, "parked", 50, 40), process(2, "waiting", 80, 70))
    await plant.put(processes, process(3, "parked", 50, 40) | {"plant": "leipzig"})
    await plant.put(exceptions, wrong(1), wrong(2), wrong(3, "quality", plant="leipzig"))
    await plant.put(exceptions, wrong(4, state="resolved"))
    told = THRESHOLD_EXCEEDED.make(breach(), plant="hamburg", source="/x", identity=("1",), time=NOW)
    await plant.store.write(lambda connection: Outbox.add(connection, [told]))
    everything = await plant.overview.standing(None)
    assert everything.plants == ["hamburg", "leipzig"]
    assert [(desk.plant, desk.owner, desk.count) for desk in everything.desks] == [
        ("hamburg", "finance", 2),
        ("leipzig", "quality", 1),
    ]
    assert (everything.outbox, everything.outbox_oldest) == (1, ago(0))
    assert everything.lag_s is not None
    assert 0.5 < everything.lag_s <= 1
    one = await plant.overview.standing(frozenset({"leipzig"}))
    assert one.plants == ["leipzig"]
    assert {work.plant for work in one.work} | {desk.plant for desk in one.desks} == {"leipzig"}
    assert one.outbox is None
    assert (await plant.overview.standing(frozenset())).plants == []
