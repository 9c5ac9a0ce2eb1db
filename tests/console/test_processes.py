"""The screens of processes: what is listed, what one says of itself, and to whom what is offered."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import insert, update
from starlette.responses import Response

from lineshaft.app.console_processes import ConsoleProcesses
from lineshaft.app.steering import make_steering
from lineshaft.console import Assets, Headline, Page, Shell, Visit, environment
from lineshaft.console.screens.process import ProcessScreen
from lineshaft.console.screens.processes import ProcessesScreen
from lineshaft.core.access import LOCAL, Caller
from lineshaft.core.clock import SystemClock
from lineshaft.gateway.policies import AccountPolicy, FieldRules, Shown, shown_fields
from lineshaft.ledger import Audit
from lineshaft.processes import SHIPPED
from lineshaft.processes.archive import Archive
from lineshaft.store import Store
from lineshaft.store.schema import process_steps, process_waits, processes
from tests.console.factory import PLANT
from tests.processes.steered import asking, paying

REPAIRED, PARKED, WAITING = "FILLER-07", "CAPPER-02", "LABELLER-01"


class Screens:
    def __init__(self, store: Store) -> None:
        clock = SystemClock()
        definitions = [*SHIPPED["corrective_maintenance"], asking, paying]
        self.steering = steering = make_steering(
            store, definitions, Audit("node", clock), clock, zone=ZoneInfo("Europe/Berlin")
        )
        reads = ConsoleProcesses(steering, {"corrective_maintenance": 60.0})

        async def none_open(plants: Any) -> int:
            return 0

        headline = Headline(dict, tuple, none_open, clock, PLANT.name)
        shell = Shell(environment({"plant": PLANT, "asset": Assets().url}), PLANT, headline, clock)
        screens = (ProcessesScreen(shell, reads), ProcessScreen(shell, reads))
        self.pages: dict[str, Page] = {page.path: page for screen in screens for page in screen.pages()}

    async def answer(self, path: str, caller: Caller = LOCAL, shown: Any = None, **query: str) -> Response:
        more = {"shown": shown, "told": getattr(shown, "told", lambda facts: facts)} if shown else {}
        return await self.pages[path].show(Visit(caller=caller, query=query, **more))

    async def text(self, path: str, caller: Caller = LOCAL, shown: Any = None, **query: str) -> str:
        return bytes((await self.answer(path, caller, shown, **query)).body).decode()


@pytest.fixture
def screens(store: Store) -> Screens:
    return Screens(store)


def caller(*roles: str, plants: frozenset[str] = frozenset({"*"}), decides: bool = True) -> Caller:
    permissions = {"read:*"} | ({"decide:processes"} if decides else set())
    return Caller(name="user:mia", roles=frozenset(roles), permissions=frozenset(permissions), plants=plants)


async def instance(store: Store, process_id: str, steps: list[dict[str, Any]], **facts: Any) -> None:
    row = {
        "process_id": process_id,
        "type": "asking",
        "version": 1,
        "business_key": f"ask/{process_id}",
        "state": "waiting",
        "plant": PLANT.name,
        "input": "{}",
        "correlation_id": "story",
        "started_at": "2026-03-09T13:00:00.000000Z",
        "updated_at": "2026-03-09T13:00:00.000000Z",
        **facts,
    }
    usual = {"process_id": process_id, "state": "waiting", "attempts": 1, "started_at": row["started_at"]}
    await store.write(lambda connection: connection.execute(insert(processes).values(**row)))
    if steps:
        rows = [usual | step for step in steps]
        await store.write(lambda connection: connection.execute(insert(process_steps), rows))


APPROVAL = {
    "step": "0",
    "kind": "approval",
    "name": "controller",
    "input": json.dumps({"role": "controller", "question": "Pay 5?", "timeout_s": 3600}),
}


async def test_the_list_says_where_each_stands(screens: Screens) -> None:
    page = await screens.text("/processes")
    assert page.count('<tr id="p-') == 3
    assert "waits for maintenance order completed" in page
    assert "ERP refused the requisition: the period 2026-03 is closed" in page
    assert page.count(">late<") == 1  # one is parked; to wait is not to be late
    assert '<b>1</b> <span class="state bad">parked</span>' in page
    assert page.count('class="choice"') == 3


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ({"state": "open"}, {PARKED, WAITING}),
        ({"state": "parked", "owner": "maintenance"}, {PARKED}),
        ({"key": "FILLER"}, {REPAIRED}),
        ({"waiting_for": "maintenance.order.completed.v1"}, {WAITING}),
        ({"late": "yes"}, {PARKED}),
        ({"since": "2026-03-09", "until": "2026-03-09"}, {REPAIRED, PARKED, WAITING}),
        ({"since": "2026-03-10"}, set()),
        ({"plant": "leipzig"}, set()),
    ],
)
async def test_filters_choose(screens: Screens, query: dict[str, str], keys: set[str]) -> None:
    answer = await screens.answer("/processes", LOCAL, None, format="csv", **query)
    assert answer.headers["content-disposition"] == 'attachment; filename="processes.csv"'
    table = list(csv.DictReader(io.StringIO(bytes(answer.body).decode())))
    assert {row["business_key"].partition("/")[0] for row in table} == keys


async def test_an_empty_list_says_the_way_out(screens: Screens) -> None:
    page = await screens.text("/processes", key="nothing")
    assert "No process is like that" in page
    assert 'href="process?id=nothing"' in page


async def test_a_day_that_is_none_is_said_where_it_was_asked(screens: Screens) -> None:
    answer = await screens.answer("/processes", since="yesterday")
    assert answer.status_code == 400
    assert "since: &#39;yesterday&#39; is no time with an offset" in bytes(answer.body).decode()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"until": "9999-12-31"}, 400),
        ({"since": "0001-01-01"}, 400),
        ({"since": "0001-01-01T00:00:00+14:00"}, 400),
        ({"after": "9999-12-31T23:59:59-14:00~x"}, 400),
        ({"since": "0002-01-01", "until": "9999-12-30"}, 200),
    ],
)
async def test_times_beyond_all_calendars_are_refused(
    screens: Screens, query: dict[str, str], status: int
) -> None:
    assert (await screens.answer("/processes", **query)).status_code == status


async def test_pages_link_to_the_next_and_keep_the_filters(store: Store, screens: Screens) -> None:
    for number in range(60):
        await instance(store, f"n{number:02}", [])
    page = await screens.text("/processes", type="asking")
    assert page.count('<tr id="p-') == 50
    following = (
        page.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    )
    assert following.startswith("processes?type=asking&after=")
    after = following.rpartition("after=")[2].replace("%3A", ":").replace("%7E", "~")
    rest = await screens.text("/processes", type="asking", after=after)
    assert rest.count('<tr id="p-') == 10
    assert 'rel="next"' not in rest


async def test_rows_of_other_plants_stay_away(screens: Screens) -> None:
    elsewhere = caller(plants=frozenset({"leipzig"}))
    assert '<tr id="p-' not in await screens.text("/processes", elsewhere)
    assert '<tr id="p-' not in await screens.text("/processes", elsewhere, plant="hamburg")
    assert (await screens.answer("/process", elsewhere, id=f"{PARKED}/")).status_code == 404
    assert (await screens.answer("/process", caller(), id=f"{PARKED}/")).status_code == 200


async def test_those_of_other_plants_make_nothing_ambiguous_and_offer_no_desk(
    store: Store, screens: Screens
) -> None:
    await instance(store, "many-1", [])
    await instance(store, "many-2", [], plant="leipzig", state="parked", owner="leipzig-desk")
    here, there = caller(plants=frozenset({PLANT.name})), caller(plants=frozenset({"leipzig"}))
    for who, found in ((here, "many-1"), (there, "many-2")):
        answer = await screens.answer("/process", who, id="many")
        assert (answer.status_code, f"ask/{found}" in bytes(answer.body).decode()) == (200, True)
    assert (await screens.answer("/process", here, id="many-2")).status_code == 404
    assert (await screens.answer("/process", id="many")).status_code == 303
    assert "leipzig-desk" not in await screens.text("/processes", here)
    assert "leipzig-desk" in await screens.text("/processes", there)


async def test_one_that_has_ended_tells_its_whole_way(screens: Screens) -> None:
    page = await screens.text("/process", id=f"{REPAIRED}/")
    assert page.count('class="node ') == page.count('class="step-row ') == 7
    assert "took 2 h 02 min" in page
    assert "2 tries" in page
    assert 'id="do-fork"' in page
    assert 'id="do-abort"' not in page


async def test_a_parked_one_says_why_and_offers_its_request(store: Store, screens: Screens) -> None:
    refused = {
        "code": "closed_period",
        "message": "period 3 is closed",
        "hint": "reopen it",
        "owner": "finance",
    }
    step = {
        "step": "0",
        "kind": "call",
        "name": "books.post",
        "state": "rejected",
        "input": json.dumps({"reference": "r1-1", "amount": 1}),
        "error": json.dumps(refused),
    }
    facts = {"type": "paying", "state": "parked", "at_step": "0", "owner": "finance"}
    await instance(store, "parked-1", [step], **facts)
    page = await screens.text("/process", id="parked-1")
    assert "period 3 is closed" in page
    assert "reopen it" in page
    for action in ("retry", "correct", "skip", "abort", "cancel"):
        assert f'data-url="api/processes/parked-1/{action}"' in page
    assert "&#34;reference&#34;: &#34;r1-1&#34;" in page

    def masked(value: Any) -> Any:
        return {**value, "amount": "•"} if isinstance(value, dict) and "amount" in value else value

    hidden = await screens.text("/process", shown=masked, id="parked-1")
    assert "correct" in hidden
    assert 'data-url="api/processes/parked-1/correct"' not in hidden
    assert "&#34;amount&#34;: 1" not in hidden
    assert 'data-original="{}"' in hidden  # of a skip: nothing to begin with rather than what is hidden

    looking = await screens.text("/process", caller(decides=False), id="parked-1")
    assert 'form class="action"' not in looking


async def test_what_rules_hide_of_processes_is_hidden_on_pages_in_files_and_in_the_api(
    store: Store, screens: Screens
) -> None:
    step = {"step": "0", "kind": "call", "name": "books.post", "state": "rejected"}
    asked = {"input": json.dumps({"reference": "S3CRET-1"}), "error": json.dumps({"message": "closed"})}
    facts = {"state": "parked", "at_step": "0", "owner": "S3CRET-2", "cause": "S3CRET-3 is closed"}
    await instance(store, "parked-1", [step | asked], **facts)
    rules = FieldRules(deny=["cause", "steps.input.reference"], mask={"owner": "hidden"})
    for name in ("show_process", "*"):
        policy = AccountPolicy(fields={name: rules, "list_processes": rules})
        api = shown_fields(policy, "show_process", ("console-process",), payloads=True)
        page = shown_fields(policy, "console-process", ("show_process",), payloads=True)
        listed = shown_fields(policy, "console-processes", ("list_processes",))
        assert api
        assert page
        assert listed

        def payload(value: Any, rules: Shown = page) -> Any:
            return rules.payload(value)

        payload.told = page  # type: ignore[attr-defined]
        told = await screens.steering.show("parked-1")
        assert str(msgspec.to_builtins(told)).count("S3CRET") >= 3
        assert "S3CRET" not in str(api(told))
        assert "S3CRET" in await screens.text("/process", id="parked-1")
        hidden = await screens.text("/process", shown=payload, id="parked-1")
        assert "S3CRET" not in hidden
        assert "books.post" in hidden
        for form in ("", "csv"):
            answer = await screens.pages["/processes"].show(
                Visit(caller=LOCAL, query={"format": form, "key": "ask/parked-1"}, told=listed)
            )
            text = (
                bytes(answer.body)
                .decode()
                .replace('<option value="S3CRET-2"', "")
                .replace("S3CRET-2</option>", "")
            )
            assert "S3CRET" not in text
            assert "parked-1" in text


async def test_who_has_not_the_role_is_not_asked(store: Store, screens: Screens) -> None:
    await instance(store, "asked-1", [APPROVAL])
    url = 'data-url="api/processes/asked-1/approve"'
    other = await screens.text("/process", caller("operator"), id="asked-1")
    assert "Pay 5?" in other
    assert url not in other
    assert "you have not this role" in other
    assert url in await screens.text("/process", caller("controller"), id="asked-1")
    assert 'class="choice"' not in await screens.text("/processes", caller(decides=False))


async def test_one_in_the_archive_shows_the_same_without_actions(store: Store, screens: Screens) -> None:
    live = await screens.text("/process", id=f"{REPAIRED}/")
    nothing = timedelta(0)
    archive = Archive(store, SystemClock(), keep=nothing, keep_archived=timedelta(days=99_999))
    assert (await archive.sweep_all()).archived == 1
    page = await screens.text("/process", id=f"{REPAIRED}/")
    assert "from the archive" in page
    assert page.count('class="step-row ') == live.count('class="step-row ')
    assert 'form class="action"' not in page
    elsewhere = caller(plants=frozenset({"leipzig"}))
    assert (await screens.answer("/process", elsewhere, id=f"{REPAIRED}/")).status_code == 404
    assert (await screens.answer("/process", caller(plants=frozenset({PLANT.name})), id=f"{REPAIRED}/")).body


async def test_what_may_mean_several_leads_to_the_list(store: Store, screens: Screens) -> None:
    await instance(store, "many-1", [])
    await instance(store, "many-2", [])
    answer = await screens.answer("/process", id="many")
    assert (answer.status_code, answer.headers["location"]) == (303, "processes?key=many")
    missing = await screens.answer("/process", id="nosuch")
    assert missing.status_code == 404
    assert "There is no process “nosuch”" in bytes(missing.body).decode()


async def test_members_of_its_family_are_linked(store: Store, screens: Screens) -> None:
    child = {"step": "0", "kind": "child", "name": "asking", "input": "{}"}
    await instance(store, "parent-1", [child])
    await instance(store, "child-1", [APPROVAL], parent_id="parent-1")
    wait = {"process_id": "parent-1", "step": "0", "event_type": "lineshaft.process.ended", "key": "child-1"}
    await store.write(lambda c: c.execute(insert(process_waits).values(**wait)))
    parent = await screens.text("/process", id="parent-1")
    assert parent.count('href="process?id=child-1"') >= 2
    assert 'href="process?id=parent-1"' in await screens.text("/process", id="child-1")
    await store.write(lambda c: c.execute(update(processes).values(wanted="abort")))
    assert "asked to abort" in await screens.text("/process", id="parent-1")
