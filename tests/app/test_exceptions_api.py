"""Exceptions over HTTP: who sees which, decisions on what was shown, and who is given them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest

from lineshaft.app.exceptions_api import exception_routes
from lineshaft.core.access import ALL, Caller
from lineshaft.gateway.pipeline import Gateway, make_gateway
from lineshaft.store import Store
from lineshaft.store.schema import exceptions
from tests.gateway.asking import Accounts, Reply, ask
from tests.ledger.exceptions_at_work import Bench, dead_event, reading
from tests.rows import rows

ZONE = ZoneInfo("Europe/Berlin")
PEOPLE = {"anna": "Anna Berg", "ben": ""}


class Desk:
    """Two exceptions at NSP and one at LYON; `at_nsp` sees the first two, `anywhere` all."""

    def __init__(self, bench: Bench, gateway: Gateway) -> None:
        self.bench = bench
        self._gateway = gateway

    async def ask(self, who: str, path: str = "", body: Mapping[str, Any] | None = None) -> Reply:
        method = "GET" if body is None else "POST"
        key = {"Authorization": f"Bearer {who}"}
        return await ask(self._gateway, method, f"/api/exceptions{path}", body, key)

    async def ids(self, plant: str = "NSP") -> list[str]:
        found = await rows(self.bench.store, exceptions)
        return sorted(row["exception_id"] for row in found if row["plant"] == plant)

    async def assignees(self) -> list[str]:
        return sorted(row["assignee"] for row in await rows(self.bench.store, exceptions))


@pytest.fixture
async def desk(store: Store) -> Desk:
    bench = Bench(store)
    await bench.desk.report([dead_event(1), reading(), dead_event(2, plant="LYON")])
    may = frozenset({"read:exceptions", "decide:exceptions"})
    callers = [
        Caller(name=f"user:{name}", account=name, permissions=may, plants=frozenset(plants))
        for name, plants in (("at_nsp", {"NSP"}), ("anywhere", {ALL}))
    ]
    routes = exception_routes(bench.work, lambda: PEOPLE, zone=ZONE)
    gateway = make_gateway(routes, Accounts(*callers), plant="NSP")
    return Desk(bench, gateway)


async def test_who_corrects_what_was_changed_meanwhile_is_told_who_did_it_and_when(desk: Desk) -> None:
    (one,) = [row["exception_id"] for row in (await desk.ask("at_nsp", "?kind=contract_violation")).json]
    fix: dict[str, Any] = {"set": ["unit=BAR"], "reason": "r", "seen": 0}
    assert (await desk.ask("at_nsp", f"/{one}/fix", fix)).json["decisions"] == 1
    late = await desk.ask("anywhere", f"/{one}/fix", fix)
    assert (late.status, late.code, late.json["changed_by"]) == (409, "changed_meanwhile", "user:at_nsp")
    shown = (await desk.ask("anywhere", f"/{one}")).json
    assert (late.json["changed_at"], shown["decisions"]) == (shown["history"][0]["at"], 1)
    assert "was fixed by user:at_nsp at " in late.json["detail"]
    assert (await desk.ask("anywhere", f"/{one}/fix", fix | {"seen": 1})).json["revision"] == 2
    assert (await desk.ask("anywhere", f"/{one}/fix", {"set": ["unit=BAR"], "reason": "r"})).json[
        "revision"
    ] == 3
    assert (await desk.ask("anywhere", f"/{one}/fix", fix | {"seen": -1})).status == 422


async def test_times_are_taken_with_any_offset_and_as_days_of_the_plant(store: Store) -> None:
    bench = Bench(store)
    await bench.desk.report([reading()])
    (kept,) = await rows(store, exceptions)
    at = datetime.fromisoformat(kept["last_at"])
    berlin, rio = at.astimezone(ZONE), at.astimezone(timezone(timedelta(hours=-3)))
    day, later = at.date(), timedelta(microseconds=1)
    gateway = make_gateway(exception_routes(bench.work, zone=ZONE), None, plant="NSP")

    async def count(**asked: object) -> int:
        return len((await ask(gateway, "GET", f"/api/exceptions?{urlencode(asked)}")).json)

    assert await count(since=berlin.isoformat()) == await count(until=(rio + later).isoformat()) == 1
    assert await count(since=(berlin + later).isoformat()) == await count(until=rio.isoformat()) == 0
    assert await count(since=day, until=day) == 1
    assert await count(since=day + timedelta(days=1)) == await count(until=day - timedelta(days=1)) == 0


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("since", "yesterday"),
        ("until", "2026-11-21T10:00:00"),
        ("since", "2026-11-21T10:00:00+01:00"),  # of which an address makes a space
        ("until", "9999-12-31"),
    ],
)
async def test_a_time_that_is_none_is_told_with_the_next_step(desk: Desk, name: str, given: str) -> None:
    for answer in (
        await desk.ask("at_nsp", f"?{name}={given}"),
        await desk.ask("at_nsp", "/discard", {"all": True, name: given.replace("+", " "), "reason": "r"}),
    ):
        assert (answer.status, answer.code) == (400, "unreadable_time")
        assert answer.json["errors"] == [
            f"{name}: {given.replace('+', ' ')!r} is no time with an offset, and no day"
        ]
        assert f"give {name} as 2026-03-02T06:00:00Z" in answer.json["detail"]
        assert "%2B for +" in answer.json["detail"]


async def test_rows_of_plants_that_the_caller_does_not_see_do_not_come_out(desk: Desk) -> None:
    (theirs,) = await desk.ids("LYON")
    assert {row["plant"] for row in (await desk.ask("at_nsp")).json} == {"NSP"}
    assert len((await desk.ask("anywhere")).json) == 3
    assert [row["plant"] for row in (await desk.ask("anywhere", "?plant=LYON")).json] == ["LYON"]
    assert (await desk.ask("at_nsp", "?plant=LYON")).code == "plant_not_yours"
    assert [row["exceptions"] for row in (await desk.ask("at_nsp", "?by=plant")).json] == [2]
    for answer in (
        await desk.ask("at_nsp", f"/{theirs}"),
        await desk.ask("at_nsp", f"/outcomes?ids={theirs}"),
        await desk.ask("at_nsp", f"/{theirs}/fix", {"set": ["unit=BAR"], "reason": "r"}),
        await desk.ask("at_nsp", "/redrive", {"ids": [theirs], "reason": "r", "wait_s": 0}),
        await desk.ask("at_nsp", "/discard", {"ids": [theirs], "reason": "r"}),
        await desk.ask("at_nsp", "/assign", {"ids": [theirs], "to": "anna"}),
    ):
        assert (answer.status, answer.code) == (404, "no_such_exception")
    assert (await desk.ask("anywhere", f"/{theirs}")).json["plant"] == "LYON"


async def test_all_are_all_that_the_caller_sees(desk: Desk) -> None:
    told = await desk.ask("at_nsp", "/assign", {"all": True, "to": "anna"})
    assert sorted(told.json["assigned"]) == await desk.ids()
    gone = await desk.ask("at_nsp", "/discard", {"all": True, "reason": "written off"})
    assert sorted(gone.json["discarded"]) == await desk.ids()
    assert [row["plant"] for row in (await desk.ask("anywhere")).json] == ["LYON"]


async def test_nothing_is_done_when_there_are_more_than_expected(desk: Desk) -> None:
    answer = await desk.ask("anywhere", "/discard", {"all": True, "expect": 2, "reason": "r"})
    assert (answer.status, answer.code) == (409, "not_as_shown")
    body = {"all": True, "expect": 1, "cause": "no number", "to": "anna"}
    assert (await desk.ask("anywhere", "/assign", body)).status == 200
    assert await desk.assignees() == ["", "", "anna"]


async def test_only_people_of_the_access_file_are_given_something(desk: Desk) -> None:
    answer = await desk.ask("at_nsp", "/assign", {"all": True, "to": "anne"})
    assert (answer.status, answer.json["errors"]) == (
        422,
        ["to: 'anne' is no person's account; did you mean 'anna'?"],
    )
    assert (await desk.ask("at_nsp", "/assign", {"all": True})).status == 422  # to whom?
    assert await desk.assignees() == ["", "", ""]
    assert (await desk.ask("at_nsp", "/assign", {"all": True, "to": "at_nsp"})).status == 200
    assert await desk.assignees() == ["", "at_nsp", "at_nsp"]
    assert len((await desk.ask("at_nsp", "?assignee=at_nsp")).json) == 2
    assert (await desk.ask("at_nsp", "/assign", {"all": True, "to": ""})).json["to"] == ""
    assert await desk.assignees() == ["", "", ""]


async def test_ids_are_not_narrowed_down_by_filters(desk: Desk) -> None:
    body = {"ids": await desk.ids(), "owner": "finance", "to": "anna"}
    assert (await desk.ask("at_nsp", "/assign", body)).status == 422
    assert (await desk.ask("at_nsp", "/assign", {"to": "anna"})).status == 422


async def test_no_more_ids_are_looked_for_than_people_type(desk: Desk) -> None:
    ids = await desk.ids()
    body = {"ids": [*(each[:35] for each in ids)] * 11, "to": "anna"}
    refused = await desk.ask("at_nsp", "/assign", body)
    assert (refused.status, "not named by their whole id" in refused.json["detail"]) == (404, True)
    assert (await desk.ask("at_nsp", "/assign", {"ids": ids * 501, "to": "anna"})).status == 422
    short = {"ids": [each[:35] for each in ids], "to": "anna"}
    assert (await desk.ask("at_nsp", "/assign", short)).json["assigned"] == ids


async def test_a_dry_run_needs_no_reason_and_nobody_who_decides(store: Store) -> None:
    bench = Bench(store)
    await bench.desk.report([dead_event()])
    gateway = make_gateway(exception_routes(bench.work, zone=ZONE), None, plant="NSP")
    answer = await ask(gateway, "POST", "/api/exceptions/redrive", {"all": True, "dry_run": True})
    assert (answer.status, answer.json[0]["verdict"]) == (200, "refused")
    one = answer.json[0]["exception_id"]
    body = {"set": ["unit=BAR"], "dry_run": True}
    assert (await ask(gateway, "POST", f"/api/exceptions/{one}/fix", body)).json["findings"] == []
    real = await ask(gateway, "POST", "/api/exceptions/redrive", {"all": True, "reason": "r"})
    assert (real.status, real.json["errors"]) == (422, ["by: required (missing)"])
    told = await ask(gateway, "GET", f"/api/exceptions/outcomes?ids={one}")
    assert [(each["state"], each["verdict"]) for each in told.json] == [("open", None)]
    assert (await ask(gateway, "GET", "/api/exceptions/outcomes?ids=,")).status == 422
