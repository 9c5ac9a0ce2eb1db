"""Processes over HTTP, at the product's own server: what it tells, does and refuses."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from lineshaft.app.processes_api import process_routes
from lineshaft.app.steering import make_steering
from lineshaft.app.web import WebServer
from lineshaft.gateway.pipeline import make_gateway
from lineshaft.ledger import Audit, audit_rows
from tests.processes.plant import House
from tests.processes.steered import asking, paying
from tests.waiting import until

from .steered_plant import SteeredPlant

WHY = {"by": "anna", "reason": "the period is open"}
POSTING = {"reference": "other", "amount": 9}


class Api:
    def __init__(self, session: aiohttp.ClientSession, house: House) -> None:
        self._session = session
        self.house = house

    async def get(self, path: str = "", status: int = 200) -> Any:
        async with self._session.get(f"/api/processes{path}") as answer:
            return await self._body(answer, status)

    async def page(self, query: str) -> tuple[Any, Any]:
        async with self._session.get(f"/api/processes{query}") as answer:
            return await self._body(answer, 200), answer.links

    async def post(self, path: str, body: Any = WHY, status: int = 200) -> Any:
        async with self._session.post(f"/api/processes{path}", json=body) as answer:
            return await self._body(answer, status)

    async def post_text(self, path: str, text: str, status: int) -> Any:
        async with self._session.post(f"/api/processes{path}", data=text) as answer:
            return await self._body(answer, status)

    @staticmethod
    async def _body(answer: aiohttp.ClientResponse, status: int) -> Any:
        body = await answer.json(content_type=None)
        assert answer.status == status, body
        problem = answer.status >= 400
        assert answer.content_type == ("application/problem+json" if problem else "application/json")
        return body


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    plant = SteeredPlant(tmp_path, monkeypatch)
    await plant.begin()
    async with plant.running() as house:
        audit = Audit("node", house.clock)
        steering = make_steering(
            house.store, [paying, asking], audit, house.clock, zone=ZoneInfo("Europe/Berlin")
        )
        server = WebServer("127.0.0.1", 0)
        gateway = make_gateway(process_routes(steering), None, plant="NSP")
        serving = asyncio.create_task(server.run(gateway))
        async with aiohttp.ClientSession(server.url) as session:
            yield Api(session, house)
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        server.close()


async def test_they_are_listed_as_asked(api: Api) -> None:
    assert sorted(row["business_key"] for row in await api.get()) == ["ask/r1", "pay/r1"]
    assert [row["state"] for row in await api.get("?state=parked&owner=controlling")] == ["parked"]
    assert [row["type"] for row in await api.get("?state=all&waiting_for=r1-ext&limit=5")] == ["asking"]
    assert await api.get("?plant=leipzig") == []
    refused = await api.get("?stat=parked&limit=many&state=lost", 422)
    assert {finding.split(":")[0] for finding in refused["errors"]} == {"stat", "state", "limit"}


async def test_a_page_says_where_the_next_one_is(api: Api) -> None:
    found, following = [], "?state=open&limit=1"
    while following:
        page, links = await api.page(following)
        found += [row["business_key"] for row in page]
        following = links["next"]["url"].query_string if "next" in links else ""
        following = f"?{following}" if following else ""
    assert sorted(found) == ["ask/r1", "pay/r1"]
    assert "after" in (await api.get("?after=nowhere", 422))["errors"][0]


async def test_one_is_shown_by_id_or_business_key(api: Api) -> None:
    shown = await api.get("/pay/r1")
    assert shown["steps"][0]["name"] == "books.post"
    assert shown["next"][0]["action"] == "retry"
    assert await same(api, shown["process_id"][:8], shown)
    assert await same(api, quote("pay/r1", safe=""), shown)
    missing = await api.get("/nothing", 404)
    assert (missing["code"], missing["detail"]) == (
        "no_such_process",
        "there is no process 'nothing' (see `lineshaft processes list`)",
    )
    ambiguous = await api.get("/PUMP-7", 409)
    assert (ambiguous["code"], len(ambiguous["errors"])) == ("ambiguous_process", 2)


async def same(api: Api, ref: str, shown: dict[str, Any]) -> bool:
    again = await api.get(f"/{ref}")
    return bool(again | {"age_s": 0} == shown | {"age_s": 0})


async def test_what_is_done_is_done_and_audited(api: Api) -> None:
    told = await api.post("/pay/r1/retry")
    assert (told["action"], told["business_key"]) == ("retry", "pay/r1")
    await api.house.in_state("completed")
    assert api.house.answers.references == ["r1-1", "r1-2"]
    (row,) = await api.house.store.read(audit_rows)
    assert (row["actor"], row["action"], row["chain"]) == ("anna", "process.retried", "node")
    refused = await api.post("/pay/r1/retry", status=409)
    assert refused["code"] == "not_possible"
    assert refused["detail"] == "paying pay/r1 is completed: no retry now (possible while parked, retrying)"


async def test_a_value_comes_as_json(api: Api) -> None:
    refused = await api.post("/pay/r1/correct", WHY | {"value": {"reference": 7}}, 422)
    assert (refused["detail"], len(refused["errors"])) == ("the value cannot be taken", 2)
    tried = await api.post("/pay/r1/correct", WHY | {"value": {}, "dry_run": True})
    assert tried["findings"]
    assert (await api.get("/pay/r1"))["decisions"] == 0
    late = await api.post("/pay/r1/correct", WHY | {"value": POSTING, "seen": 1}, 409)
    assert (late["code"], late["changed_by"]) == ("changed_meanwhile", "")
    await api.post("/pay/r1/correct", WHY | {"value": POSTING, "seen": 0})
    await api.house.in_state("completed")
    assert api.house.answers.references == ["other", "r1-2"]


async def test_a_person_decides_and_wakes_it(api: Api) -> None:
    booked = {"reference": "r1-ext", "amount": 5}
    assert (await api.post("/ask/r1/skip", WHY, 422))["code"] == "contract_violation"
    await api.post("/ask/r1/skip", WHY | {"value": booked})

    async def waits_for(kind: str) -> None:
        async def reached() -> bool:
            return [step["kind"] for step in (await api.get("/ask/r1"))["waits_for"]] == [kind]

        await until(reached)

    await waits_for("approval")
    assert (await api.post("/ask/r1/approve", WHY, 422))["errors"]
    await api.post("/ask/r1/approve", WHY | {"role": "controller"})
    await waits_for("sleep")
    await api.post("/ask/r1/skip", WHY)
    await api.house.in_state("completed")
    assert (await api.get("/ask/r1"))["result"] == {"text": "anna: True"}


async def test_it_is_ended_and_copied(api: Api) -> None:
    await api.post("/pay/r1/abort")
    await api.house.in_state("aborted")
    assert (await api.post("/ask/r1/cancel", WHY | {"now": True}))["state"] == "terminated"
    api.house.answers.faults.clear()
    forked = (await api.post("/pay/r1/fork", WHY | {"step": 0}))["forked"]
    await api.house.in_state("completed")
    assert (await api.get(f"/{forked}"))["originals"][0]["business_key"] == "pay/r1"


async def test_instances_are_moved_after_a_dry_run(api: Api) -> None:
    move = {"type": "paying", "from": 1, "to": 1}
    tried = await api.post("/migrate", move | {"dry_run": True, "by": "anna"})
    assert (tried["fitting"], tried["moved"]) == (1, 0)
    assert (await api.post("/migrate", move | {"by": "anna"}, 422))["code"] == "reason_missing"
    assert (await api.post("/migrate", move | WHY))["moved"] == 1


async def test_who_and_why_are_required(api: Api) -> None:
    assert (await api.post("/pay/r1/abort", {"by": "anna"}, 422))["code"] == "reason_missing"
    assert (await api.post("/pay/r1/abort", {"reason": "x"}, 422))["errors"] == ["by: required (missing)"]
    unknown = await api.post("/pay/r1/abort", WHY | {"now": True}, 422)
    assert "now" in unknown["errors"][0]
    assert (await api.post_text("/pay/r1/abort", "{}", 415))["code"] == "not_json"
    assert (await api.get("/pay/r1"))["actions"] == []
