"""The plants and their machines: what is down, where it is, why, and what came of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from lineshaft.app.console_part import console_part
from lineshaft.console import Changes
from lineshaft.console.plant_tree import Branch, plant_tree
from lineshaft.contracts.plant_facts import Condition, MachineFacts, Place, TagFacts
from lineshaft.store import Store, Worker
from tests.console.factory import PLANT, Factory, MovedClock, systems
from tests.console.line import hears, live_line, many_plants, working_day
from tests.console.looking import Look

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def look(store: Store, *, with_line: bool = True) -> Look:
    line = live_line(NOW) if with_line else None
    clock = MovedClock(NOW)
    values = line.views if line else tuple
    parts = {"line": line, "worker": "hamburg-1"}
    return Look(console_part(store, PLANT, systems, values, Changes(), None, clock, **parts))


async def at_work(store: Store) -> None:
    clock = MovedClock(NOW)
    breach = await Factory(store, NOW - timedelta(hours=3)).repaired()
    await hears(store, clock, breach)
    await working_day(store, clock, NOW)
    await Worker(store, "hamburg-1", plant="hamburg").join()


async def test_the_tree_stands_as_master_data_and_topics_say_and_the_worst_goes_up(store: Store) -> None:
    await at_work(store)
    text = await look(store).text("/plants")
    assert "hamburg 1 down 1 silent 1 no news 1 normal" in text
    filling = text.index("FILLING area 1 down 1 silent 1 normal")
    line = text.index("BL2 production line 1 down 1 silent 1 normal")
    filler = text.index("BL2-FILL FILLER-07 1 open maintenance down")
    packing = text.index("packing 1 no news BL3-PACK PACKER-03 no news")
    assert filling < line < filler < packing
    assert "BL2-LAB LABELLER-01 silent" in text
    assert "TANKS storage zone no machine here tells anything" in text
    assert "hamburg-1 this node" in text


async def test_a_machine_tells_values_states_stops_rules_and_what_came_of_them(store: Store) -> None:
    await at_work(store)
    text = await look(store).text("/asset?id=FILLER-07")
    for told in (
        "BL2-FILL down aborted since 15:45:00, reason SEAL",
        "Seal pressure in the last half hour",
        "1.62 bar",
        "seal-pressure-low v3 below 1.8 bar for 30 s; ends at 2 bar BL2.FILL.SEAL_P 700 13:00:03",
        "filler-heats-up v1 rises by more than 0.5 °C a second over 30 s",
        "seal-pressure-low v3 13:00:03 1.42 bar limit 1.80 corrective maintenance completed MR-5521",
        "07:00:00 48 min 00 s MECH-JAM",
        "Alarm A-711 Seal pressure low",
        "Maintenance request MR-6001 Seal of the filler leaks",
    ):
        assert told in text, told
    day = await look(store).html("/asset?id=BL2-FILL")
    assert day.count('<rect class="down"') == 2
    assert day.count('<rect class="running"') == 2
    week = await look(store).text("/asset?id=BL2-FILL&span=week")
    assert "down 2 h 03 min" in week
    rows = await look(store).rows("/asset?id=BL2-FILL&format=csv")
    assert [(row["reason"], row["upstream"]) for row in rows] == [
        ("SEAL", ""),
        ("MECH-JAM", ""),
        ("MAT-EMPTY", "BL2-CAP"),
    ]


async def test_the_sums_of_states_are_what_the_events_say(store: Store) -> None:
    await at_work(store)
    text = await look(store).text("/asset?id=BL2-FILL")
    # in 24 h: stopped until 20 h ago, a jam of 48 min 9 h ago, aborted for the last quarter
    for sum_ in (
        "stopped 4 h 00 min 17 %",
        "held 48 min 00 s 3 %",
        "aborted 15 min 00 s 1 %",
        "down 1 h 03 min",
    ):
        assert sum_ in text, sum_
    assert "running 18 h 57 min 79 %" in text


async def test_who_does_not_see_a_plant_sees_nothing_of_it(store: Store) -> None:
    await at_work(store)
    await many_plants(store, 8, 5)
    screen = look(store)
    elsewhere = {"plants": ["plant-000"]}
    text = await screen.text("/plants", **elsewhere)
    assert "plant-000" in text
    assert "hamburg" not in text
    assert "BL2" not in text
    assert "M-001" not in text
    for address in ("/plants?plant=hamburg", "/asset?id=BL2-FILL", "/asset?id=M-001-000&plant=plant-001"):
        assert (await screen.at(address, **elsewhere)).status_code == 404, address
    assert "M-000-000" in await screen.text("/plants?q=m-0", **elsewhere)
    assert "M-001-000" not in await screen.text("/plants?q=m-0", **elsewhere)
    assert (await screen.at("/asset?id=M-000-000&plant=plant-000", **elsewhere)).status_code == 200
    assert {row["plant"] for row in await screen.rows("/plants?format=csv&plant=plant-000", **elsewhere)} == {
        "plant-000"
    }


async def test_two_hundred_plants_page_by_25_and_only_those_in_trouble_are_chosen(store: Store) -> None:
    await many_plants(store, 200, 5)
    screen = look(store, with_line=False)
    first = await screen.html("/plants")
    assert first.count('id="plant-') == 25
    assert "201 plants" in first
    second = await screen.html("/plants?after=plant-023")
    assert "plant-024" in second
    assert "plant-023" not in second.partition("<main")[2].replace("after=plant-023", "")
    assert 'rel="next"' not in await screen.html("/plants?after=plant-180")
    trouble = await screen.text("/plants?only=trouble")
    assert "29 plants" in trouble
    assert "plant-007 1 down 1 alarm 1 standing 2 running" in trouble
    assert "plant-008" not in trouble
    assert len(await screen.rows("/plants?format=csv")) == 201


async def test_a_node_that_left_is_not_seen_since_and_one_elsewhere_says_so(store: Store) -> None:
    await many_plants(store, 2, 4)
    worker = Worker(store, "far-1", plant="plant-001", lease_s=300)
    await worker.join()
    screen = look(store)
    assert "plant-001 4 running connected" in await screen.text("/plants")
    await worker.leave()
    text = await screen.text("/plants?plant=plant-001")
    assert "far-1 not seen" in text
    assert "not connected" in text
    assert "What a node elsewhere still holds back, its own console shows." in text
    assert "No node of this plant works on this database" in await screen.text("/plants?plant=plant-000")


async def test_nothing_yet_says_what_will_appear(store: Store) -> None:
    screen = look(store, with_line=False)
    assert "Machines appear here as soon as the tag list names them" in await screen.text("/plants")
    missing = await screen.at("/asset?id=NOBODY")
    assert missing.status_code == 404
    assert "There is no machine or asset “NOBODY”" in bytes(missing.body).decode()


def titles(branch: Branch) -> object:
    return {below.title: titles(below) for below in branch.below} or branch.title


@pytest.mark.parametrize(
    ("places", "topic", "tree"),
    [
        ([], "", {"M": "M"}),
        ([], "plant/HH/area/line/m/speed", {"area": {"line": {"M": "M"}}}),
        ([], "other/area/line/m/speed", {"M": "M"}),
        ([], "hh/btl-l1/m", {"btl-l1": {"M": "M"}}),
        ([Place(id="M", path="e/hh/area/M")], "", {"area": {"M": "M"}}),
        ([Place(id="L", path="e/hh/area"), Place(id="M", parent="L")], "", {"area": {"L": {"M": "M"}}}),
        ([Place(id="area", level="Area"), Place(id="M", path="e/hh/area")], "", {"area": {"M": "M"}}),
        ([Place(id="hh", level="Site"), Place(id="M", parent="hh")], "", {"M": "M"}),
        ([Place(id="M", parent="N"), Place(id="N", parent="M")], "", {"M": "M", "N": "N"}),
        ([Place(id="M", parent="M")], "", {"M": "M"}),
    ],
)
def test_where_a_machine_stands(places: list[Place], topic: str, tree: object) -> None:
    machine = MachineFacts(id="M", plant="hh", condition=Condition.RUNNING)
    tag = TagFacts(tag="t", equipment_id="M", physical_asset_id="A", property="p", unit="C62", topic=topic)
    found = plant_tree("hh", [machine], places, [tag])
    assert titles(found) == tree
    assert [share.condition for share in found.shares] == [Condition.RUNNING]


async def test_pages_of_many_machines_are_quick(store: Store) -> None:
    await many_plants(store, 200, 50)
    screen = look(store)
    for address in (
        "/plants",
        "/plants?plant=plant-007",
        "/plants?q=M-014",
        "/asset?id=M-007-001&plant=plant-007",
    ):
        await screen.at(address)
        took = []
        for _ in range(3):
            begun = time.process_time()  # a busy machine lets us wait
            await screen.at(address)
            took.append(time.process_time() - begun)
        assert min(took) < 0.3, address
