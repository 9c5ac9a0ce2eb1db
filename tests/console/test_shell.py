"""What every screen has around it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

from lineshaft.console import Assets, Headline, Shell, Visit, environment
from lineshaft.core.access import LOCAL, Caller
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import TransientFault
from tests.clocks import ManualClock
from tests.console.factory import PLANT, systems, values

JO = Caller(
    name="user:jo",
    permissions=frozenset({"read:console", "read:trace"}),
    plants=frozenset({"hamburg"}),
    csrf="t0k3n",
)


def shell(counted: list[frozenset[str] | None], fault: Exception | None = None) -> Shell:
    async def count(plants: frozenset[str] | None) -> int:
        counted.append(plants)
        if fault:
            raise fault
        return 3

    clock = SystemClock()
    headline = Headline(systems, values, count, ManualClock(), PLANT.name)
    return Shell(environment({"plant": PLANT, "asset": Assets().url}), PLANT, headline, clock, signed_in=True)


async def page(visit: Visit, fault: Exception | None = None) -> str:
    answer = await shell([], fault).missing(visit, here="trace", what="There is no such thing", hint="Look")
    assert answer.status_code == 404
    return bytes(answer.body).decode()


async def test_navigation_names_what_the_visitor_may_see() -> None:
    everything, little = await page(Visit(caller=LOCAL)), await page(Visit(caller=JO))
    assert 'href="audit"' in everything
    assert 'href="audit"' not in little
    assert 'href="trace" data-go="t" title="g t" aria-current="page"' in little


async def test_who_looks_is_told_and_has_the_token_of_the_session() -> None:
    assert 'content="t0k3n"' in await page(Visit(caller=JO))
    assert "user:jo" in await page(Visit(caller=JO))
    assert "Log out" not in await page(Visit(caller=LOCAL))


async def test_who_sees_other_plants_alone_is_at_home_there_and_decides_nothing_here() -> None:
    everywhere, here = Visit(caller=LOCAL), Visit(caller=JO)
    far = Caller(name="user:far", permissions=frozenset({"*:*"}), plants=frozenset({"porto", "lyon"}))
    elsewhere, nowhere = Visit(caller=far), Visit(caller=Caller(name="user:new"))
    homes = [shell([]).home(visit) for visit in (everywhere, here, elsewhere, nowhere)]
    assert homes == ["hamburg", "hamburg", "lyon", "hamburg"]
    assert shell([]).may(everywhere, "decide:processes")
    assert not shell([]).may(here, "decide:processes"), "no role of JO allows it"
    assert shell([]).may(elsewhere, "read:processes")
    assert not shell([]).may(elsewhere, "decide:processes")


async def test_the_sentence_about_the_plant_is_on_every_page() -> None:
    assert "3 open exceptions" in await page(Visit(caller=JO))
    away = await page(Visit(caller=JO), TransientFault("the database is locked"))
    assert "The ledger does not answer." in away
    assert "the database is locked" in away


async def test_how_the_systems_are_is_told_to_who_sees_their_plant() -> None:
    elsewhere = Caller(name="x", permissions=frozenset({"read:*"}), plants=frozenset({"lyon"}))
    told, other = await page(Visit(caller=JO)), await page(Visit(caller=elsewhere))
    disturbed = [view.title for view in systems().values() if view.state != "active"]
    assert disturbed
    assert any(title in told for title in disturbed)
    assert not any(title in other for title in disturbed)
    assert "no system is connected" not in other
    assert "3 open exceptions" in other


async def test_exceptions_are_counted_for_the_visitors_plants_and_not_twice_at_once() -> None:
    counted: list[frozenset[str] | None] = []
    made = shell(counted)
    for caller in (JO, JO, LOCAL):
        await made.missing(Visit(caller=caller), here="trace", what="", hint="")
    assert counted == [frozenset({"hamburg"}), None]


async def test_a_table_as_csv_is_no_formula_for_a_spreadsheet() -> None:
    rows = [["=cmd|' /C calc'!A0", -3.5, None, 'a "b", c'], ["-1", True, 0, "+49 40"]]
    answer = await shell([]).csv("some", ["a", "b", "c", "d"], rows)
    found = list(csv.reader(io.StringIO(bytes(answer.body).decode(), newline="")))
    assert found == [
        ["a", "b", "c", "d"],
        ["'=cmd|' /C calc'!A0", "-3.5", "", 'a "b", c'],
        ["'-1", "True", "0", "'+49 40"],
    ]
    assert answer.headers["content-disposition"] == 'attachment; filename="some.csv"'


async def test_a_file_is_named_in_plain_letters() -> None:
    answer = await shell([]).csv('stops-"Füller\r\n–1"; x', ["a"], [["\n=1"]])
    assert answer.headers["content-disposition"] == 'attachment; filename="stops--F-ller-1-x.csv"'
    assert b"'\n=1" in bytes(answer.body)


def test_an_address_keeps_the_query_and_leaves_out_what_is_empty() -> None:
    assert (
        Shell.address("x", {"state": "parked", "after": "7"}, after="", key="A&B")
        == "x?state=parked&key=A%26B"
    )
    assert Shell.address("x", {}) == "x"


def test_a_visit_sees_the_plants_of_its_caller() -> None:
    assert Visit(caller=LOCAL).plants is None
    assert Visit(caller=JO).plants == {"hamburg"}
    assert Visit(caller=JO).may("read:trace")
    assert not Visit(caller=JO).may("decide:processes")


def test_now_is_a_time_of_the_clock() -> None:
    assert abs((datetime.now(UTC) - shell([]).now).total_seconds()) < 60
