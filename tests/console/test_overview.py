"""The overview: late things first, each plant by domain, what waits, what happened; only what one may see."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lineshaft.app.console_part import console_part
from lineshaft.app.service_levels import USUAL_LEVELS
from lineshaft.console import Changes, Page, Visit
from lineshaft.console.standing_words import plain, sentences
from lineshaft.contracts.catalogue import CAPABILITIES
from lineshaft.contracts.operations.nouns import NOUNS
from lineshaft.core.access import LOCAL, Caller
from lineshaft.core.clock import rfc3339
from lineshaft.core.errors import TransientFault
from lineshaft.core.standing import Late
from lineshaft.insight.rollups import Rollups
from lineshaft.store import Store
from lineshaft.store.schema import calls, events, exceptions, processes
from lineshaft.store.statements import put
from tests.console.factory import PLANT, MovedClock, systems, values
from tests.console.test_page import text_of

NOW = datetime(2026, 3, 9, 14, 2, 30, tzinfo=UTC)
CONFIRMATION, BREACH = "orders.post_confirmation", "equipment.condition.threshold_exceeded.v1"


def ago(seconds: float) -> str:
    return rfc3339(NOW - timedelta(seconds=seconds))


class Tower:
    """The overview over a ledger of several plants, at one moment."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = MovedClock(NOW)
        pages = console_part(store, PLANT, systems, values, Changes(), None, self.clock)
        self.pages: dict[str, Page] = {page.path: page for page in pages}

    async def put(self, table: Any, *given: dict[str, Any]) -> None:
        await self.store.write(lambda connection: [put(connection, table, [row]) for row in given] and None)

    async def late_call(self, number: int, plant: str, age_s: float = 840) -> None:
        row = {"operation": CONFIRMATION, "plant": plant, "state": "sending", "created_at": ago(age_s)}
        await self.put(calls, {"call_id": f"c{number}", "idempotency_key": f"k{number}"} | row)

    async def event(self, number: int, plant: str, recorded_s: float = 30) -> None:
        times = {"time": ago(recorded_s + 0.4), "recorded_at": ago(recorded_s)}
        row = {"type": BREACH, "plant": plant, "subject": f"FILLER-{number}", "eventclass": "operational"}
        await self.put(events, {"event_id": f"e{number}"} | row | times)

    async def count(self) -> None:
        rollups = Rollups(self.store, USUAL_LEVELS, self.clock)
        await rollups.look()
        while await rollups.look_back():
            pass

    async def get(self, path: str = "/", *, plants: frozenset[str] | None = None, **query: str) -> str:
        caller = LOCAL if plants is None else Caller(name="jo", permissions=LOCAL.permissions, plants=plants)
        answer = await self.pages[path].show(Visit(caller=caller, query=query))
        return bytes(answer.body).decode()


def part(page: str, name: str) -> str:
    found = re.search(rf'<section[^>]* id="{name}".*?</section>', page, re.DOTALL)
    assert found, f"the page has no part {name}"
    return found[0]


@pytest.fixture
async def tower(
    migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Tower]:
    """Each look asks the ledger, unless a test says otherwise."""
    monkeypatch.setattr("lineshaft.console.screens.overview._FRESH_S", 0.0)
    file = tmp_path / "tower.db"
    shutil.copy(migrated_sqlite, file)
    store = Store.open(f"sqlite:///{file}")
    yield Tower(store)
    await store.close()


async def test_what_is_late_is_said_in_a_sentence_that_leads_to_just_these(tower: Tower) -> None:
    for number in range(3):
        await tower.late_call(number, "leipzig", 600 + number * 120)
    await tower.late_call(9, "hamburg", 5)
    levels = part(await tower.get(), "levels")
    assert "3 confirmations late in Leipzig, oldest 14 min" in text_of(levels)
    assert text_of(levels).count("late in") == 1
    (address,) = re.findall(r'href="(late\?[^"]+)"', levels)
    query = dict(pair.split("=") for pair in html.unescape(address).partition("?")[2].split("&"))
    rows = await tower.get("/late", **query)
    assert re.findall(r'id="late-(c\d)"', rows) == ["c2", "c1", "c0"]
    assert "None is late any more." in await tower.get("/late", **query | {"plant": "hamburg"})


async def test_when_nothing_is_late_one_calm_line_says_what_was_measured(tower: Tower) -> None:
    assert "What happened lately is being counted" in text_of(part(await tower.get(), "levels"))
    await tower.event(1, "hamburg", 90)
    await tower.count()
    calm = text_of(part(await tower.get(), "levels"))
    assert "Everything is in time 1 event, 0 calls, 0 processes in the last 3 h" in calm


async def test_plants_with_the_most_to_do_come_first_and_every_page_of_them_leads_on(tower: Tower) -> None:
    for number in range(60):
        await tower.event(number, f"plant{number:02}", 90)
    await tower.late_call(1, "plant41")
    await tower.late_call(2, "plant17")
    await tower.late_call(3, "plant17")
    await tower.count()
    page = await tower.get()
    rows = re.findall(r'<tr role="row" id="plant-([^"]+)"', page)
    assert rows[:3] == ["plant17", "plant41", "hamburg"]
    assert len(rows) == 25
    assert "61 in all" in text_of(part(page, "matrix"))
    seen = list(rows)
    while following := re.search(r'href="\./\?after=([^"&]+)" rel="next"', page):
        page = await tower.get(after=following[1])
        seen += re.findall(r'<tr role="row" id="plant-([^"]+)"', page)
    assert sorted(seen) == ["hamburg", *(f"plant{number:02}" for number in range(60))]
    found = await tower.get(q="plant3")
    assert re.findall(r'id="plant-([^"]+)"', found)[0] == "plant-search" or "plant30" in found
    assert "No plant has this in its name." in await tower.get(q="nowhere")


async def test_a_cell_has_a_word_and_the_number_that_matters(tower: Tower) -> None:
    for number in range(4):
        await tower.event(number, "leipzig", 90)
    await tower.late_call(1, "leipzig")
    await tower.count()
    page = await tower.get()

    def cell(plant: str, domain: str) -> str:
        found = re.search(rf'<td[^>]*id="cell-{plant}-{domain}".*?</td>', page, re.DOTALL)
        return text_of(found[0]) if found else ""

    assert cell("leipzig", "production") == "stopped 1 late"
    assert cell("leipzig", "equipment") == "active 4 / h"
    assert cell("hamburg", "production") == ""
    table = list(csv.DictReader(io.StringIO(await tower.get(format="csv"))))
    assert [
        (row["plant"], row["domain"], row["state"], row["late"], row["in_last_hour"]) for row in table
    ] == [
        ("leipzig", "production", "stopped", "1", "0"),
        ("leipzig", "equipment", "active", "0", "4"),
    ]


async def test_one_plant_has_its_domains_as_tiles(tower: Tower) -> None:
    assert "Each domain appears here" in await tower.get()
    await tower.event(1, "hamburg", 90)
    await tower.event(2, "leipzig", 90)
    await tower.count()
    alone = await tower.get(plant="leipzig")
    assert 'id="cell-leipzig-equipment"' in alone
    assert "hamburg-equipment" not in alone
    assert "<h1>Leipzig</h1>" in alone
    assert 'id="systems"' not in alone


async def test_what_waits_is_counted_with_its_oldest_and_leads_to_its_list(tower: Tower) -> None:
    row = {"type": "accept_count", "version": 1, "plant": "hamburg", "finished_at": ""}
    for number, state in enumerate(("parked", "waiting", "waiting")):
        key = {"process_id": f"p{number}", "business_key": f"b{number}", "state": state}
        await tower.put(processes, row | key | {"started_at": ago(700), "updated_at": ago(600 + number)})
    wrong = {
        "owner": "finance",
        "plant": "hamburg",
        "state": "open",
        "first_at": ago(7200),
        "last_at": ago(5),
    }
    await tower.put(exceptions, {"exception_id": "x1"} | wrong)
    waits = part(await tower.get(), "backlog")
    for said in ("Open processes 3", "parked1", "waiting2", "Open exceptions 1", "finance1"):
        assert said in text_of(waits), said
    assert 'href="processes?state=parked"' in waits
    assert 'href="exceptions?owner=finance"' in waits
    assert f'data-since="{ago(7200)[:19]}.000Z"' in waits


async def test_courses_show_what_happened_in_each_minute_with_the_sums_as_text(tower: Tower) -> None:
    for number in range(5):
        await tower.event(number, "hamburg", 90)
    await tower.event(9, "hamburg", 10_000)
    await tower.event(10, "hamburg", 8 * 86_400)  # the course of a new plant would be shorter
    await tower.count()
    flow = part(await tower.get(), "flow")
    told = [json.loads(html.unescape(found)) for found in re.findall(r"data-series='([^']+)'", flow)]
    (events_line, calls_line, _) = told[0]["lines"]
    assert len(told[0]["x"]) == len(events_line["y"]) == 180
    assert (events_line["y"][-2:], sum(events_line["y"]), sum(calls_line["y"])) == ([0.0, 5.0], 6.0, 0.0)
    assert 'data-label="number">6<' in flow
    for over, points in (("24h", 144), ("7d", 168)):
        longer = part(await tower.get(over=over), "flow")
        told = json.loads(html.unescape(re.findall(r"data-series='([^']+)'", longer)[0]))
        assert len(told["x"]) in (points, points + 1)
        ends = int(NOW.timestamp()) // 60 * 60
        lasts = [after - x for x, after in pairwise([*told["x"], ends])]
        rates = told["lines"][0]["y"]
        assert sum(rate * s / 60 for rate, s in zip(rates, lasts, strict=True)) == pytest.approx(6, abs=0.1)


async def test_who_sees_one_plant_sees_no_trace_of_another(tower: Tower) -> None:
    for plant in ("leipzig", "graz"):
        await tower.event(len(plant), plant, 90)
        await tower.late_call(len(plant), plant)
    await tower.count()
    jo = frozenset({"graz"})
    for query in ({}, {"plant": "leipzig"}, {"q": "leipzig"}, {"format": "csv"}, {"plant": "graz"}):
        page = await tower.get(plants=jo, **query)
        assert not re.search(r"in Leipzig|-leipzig-|FILLER-7|\bc7\b|^leipzig,", page, re.M), query
    assert "FILLER-4" in await tower.get(plants=jo)
    assert "Events to hand over" not in await tower.get(plants=jo)
    assert "bottles" not in (await tower.get(plants=jo)).lower()
    assert "None is late" in await tower.get("/late", plants=jo, call=CONFIRMATION, plant="leipzig")


async def test_while_the_ledger_is_away_the_last_it_told_stays(
    tower: Tower, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tower.event(1, "hamburg", 90)
    await tower.count()
    assert "FILLER-1" in await tower.get()

    async def away(_: object) -> None:
        raise TransientFault("the database does not answer: disk gone", hint="call IT")

    monkeypatch.setattr(tower.store, "read", away)
    assert "FILLER-1" in await tower.get()
    fresh = text_of(await Tower(tower.store).get())
    assert "What happened cannot be told now" in fresh
    assert "Seal pressure".lower() in fresh.lower()
    assert "disk gone" in await tower.get("/late", call=CONFIRMATION)


async def test_a_page_is_read_once_for_all_who_look_in_the_same_second(
    tower: Tower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineshaft.console.screens.overview._FRESH_S", 0.9)
    monkeypatch.setattr(tower.clock, "monotonic", lambda: 1000.0)
    await tower.get()
    asked: list[object] = []
    read = tower.store.read

    async def counted(question: Any) -> Any:
        asked.append(question)
        return await read(question)

    monkeypatch.setattr(tower.store, "read", counted)
    for _ in range(5):
        await tower.get()
    assert asked == []
    monkeypatch.setattr(tower.clock, "monotonic", lambda: 1001.0)
    await tower.get()
    assert asked


def test_sentences_have_the_words_of_the_plant() -> None:
    def say(kind: str, subject: str, count: int, oldest: str = "") -> str:
        late = Late(
            kind=kind, subject=subject, plant="graz", domain="x", count=count, oldest=oldest, level_s=5400
        )
        (sentence,) = sentences([late], str.title, NOW, with_plant=True, most=1)
        assert sentence.level == "1 h 30 min"
        return f"{sentence.says}, {sentence.age}"

    assert say("call", "goods.receive_count", 1, ago(40)) == "1 goods receipt late in Graz, 40 s"
    assert (
        say("call", "acme.weigh_truck", 2, ago(200_000)) == "2 acme weigh truck calls late in Graz, 2 d 7 h"
    )
    assert say("process", "accept_count", 1, ago(61)) == "1 accept count process stuck in Graz, 1 min"
    assert say("process", "accept_count", 1200, ago(61)).startswith("1\u202f200 accept count processes stuck")
    said = "1 condition threshold exceeded event recorded late in Graz in the last hour, "
    assert say("event", BREACH, 1) == said
    assert plain("event", "odd") == "odd"


def test_every_command_has_its_noun() -> None:
    commands = {
        operation.name
        for capability in CAPABILITIES.values()
        for operation in capability.operations.values()
        if operation.key
    }
    assert commands == set(NOUNS)
