"""Plants as screens ask for them: on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lineshaft.contracts.plant_facts import Condition, Place
from lineshaft.ledger.projections import PlantReads
from lineshaft.store import Store, Worker
from tests.ledger.projections.plant_events import AT, Plant, told

BOTH = {"equipment_id": "FILLER-2", "physical_asset_id": "PUMP-7"}
STOP = {"rule": "stops", "start_time": "2026-03-02T06:00:00Z"}


@pytest.fixture
def plant(store: Store) -> Plant:
    return Plant(store)


@pytest.mark.parametrize(
    ("events", "condition"),
    [
        ([], Condition.UNKNOWN),
        ([told("equipment.state.changed", 1, **BOTH, state=6)], Condition.RUNNING),
        ([told("equipment.state.changed", 1, **BOTH, state=11)], Condition.STANDING),
        ([told("equipment.state.changed", 1, **BOTH, state=0)], Condition.UNKNOWN),
        ([told("equipment.alarm.raised", 1, **BOTH, alarm_id="A")], Condition.ALARM),
        (
            [
                told("equipment.alarm.raised", 1, **BOTH, alarm_id="A"),
                told("equipment.downtime.started", 2, **BOTH, **STOP),
            ],
            Condition.DOWN,
        ),
        (
            [
                told("equipment.downtime.started", 2, **BOTH, **STOP),
                told("equipment.downtime.ended", 3, **BOTH, **STOP),
                told("equipment.state.changed", 3, **BOTH, state=6),
            ],
            Condition.RUNNING,
        ),
    ],
)
async def test_the_condition_of_a_machine_follows_its_events(
    plant: Plant, events: list[object], condition: Condition
) -> None:
    await plant.hears(told("equipment.signal.lost", 0, **BOTH), *events)  # type: ignore[arg-type]
    reads = PlantReads(plant.store)
    (machine,) = await reads.machines("leipzig")
    assert (machine.id, machine.assets, machine.condition) == ("FILLER-2", ("PUMP-7",), condition)
    (totals,) = await reads.totals(None)
    assert totals.machines == {condition: 1}


async def test_a_machine_and_the_asset_in_it_are_one_and_their_open_work_is_counted(plant: Plant) -> None:
    await plant.hears(
        told("equipment.state.changed", 1, **BOTH, state=6),
        told("maintenance.request.created", 5, **BOTH, id="MR-1", maintenance_order_id="MO-1", state="new"),
        told("equipment.state.changed", 2, equipment_id="CAPPER", physical_asset_id="CAP-1", plant="lyon"),
    )
    reads = PlantReads(plant.store)
    (machine,) = await reads.machines("leipzig")
    assert machine.work == 2
    assert machine.at == AT + timedelta(seconds=5)
    assert {each.plant: sum(each.machines.values()) for each in await reads.totals(None)} == {
        "leipzig": 1,
        "lyon": 1,
    }
    assert [each.plant for each in await reads.totals({"lyon"})] == ["lyon"]
    assert [each.id for each in await reads.found("p", None, 10)] == ["PUMP-7", "CAP-1", "CAPPER"]
    assert [each.id for each in await reads.found("P", {"lyon"}, 10)] == ["CAP-1", "CAPPER"]
    assert await reads.found("%", None, 10) == []


async def test_the_place_of_equipment_is_what_its_master_data_said_last(plant: Plant) -> None:
    for at_s, parent in ((2, "L2"), (1, "L1")):
        event = told(
            "masterdata.equipment.changed",
            at_s,
            id="FILLER-2",
            equipment_level="WorkUnit",
            hierarchy_scope="northspring/leipzig/filling",
            parent_equipment_id=parent,
        )
        await plant.hears(event)
    assert await PlantReads(plant.store).places("leipzig") == [
        Place(id="FILLER-2", level="WorkUnit", parent="L2", path="northspring/leipzig/filling")
    ]
    assert await PlantReads(plant.store).places("lyon") == []


async def test_nodes_say_whose_they_are_and_since_when_they_are_not_seen(store: Store) -> None:
    begun = datetime.now(UTC) - timedelta(seconds=5)
    here = Worker(store, "here", plant="leipzig", lease_s=3600)
    there = Worker(store, "there", plant="lyon", lease_s=3600)
    await here.join()
    await there.join()
    await there.leave()
    found = {node.name: node for node in await PlantReads(store).nodes(None)}
    assert {name: (node.plant, node.alive) for name, node in found.items()} == {
        "here": ("leipzig", True),
        "there": ("lyon", False),
    }
    assert all(node.seen_at is not None and node.seen_at > begun for node in found.values())
    assert [node.name for node in await PlantReads(store).nodes({"lyon"})] == ["there"]
