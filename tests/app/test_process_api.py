"""Process APIs at the engine: a start tells its event once, an instance is seen, a role decides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lineshaft.app.processes_api import process_routes
from lineshaft.app.steering import make_steering
from lineshaft.core.access import ALL, Caller
from lineshaft.core.values import Event
from lineshaft.gateway.pipeline import Gateway, make_gateway
from lineshaft.gateway.process_api import process_api_routes
from lineshaft.ledger import Audit, audit_rows
from lineshaft.ledger.requests import RequestClaims, RequestLog
from tests.gateway.asking import Accounts, Reply, ask
from tests.processes.plant import House
from tests.processes.steered import asking, paying
from tests.waiting import until

from .steered_plant import SteeredPlant

PERMISSIONS = frozenset({"start:*", "read:processes", "decide:processes"})


def person(name: str, *roles: str) -> Caller:
    return Caller(
        name=f"user:{name}",
        account=name,
        roles=frozenset(roles),
        permissions=PERMISSIONS,
        plants=frozenset({ALL}),
    )


class Api:
    def __init__(self, house: House) -> None:
        self.house = house
        self.told: list[Event] = []
        self.forbidden: list[str] = []
        steering = make_steering(
            house.store, [paying, asking], Audit("node", house.clock), house.clock, zone=ZoneInfo("UTC")
        )
        routes = process_api_routes(
            [paying, asking],
            steering,
            self._publish,
            house.clock,
            enterprise="northspring",
            authority=lambda *_: self.forbidden,
        )
        self.app: Gateway = make_gateway(
            [*routes, *process_routes(steering)],
            Accounts(person("anna", "controller"), person("otto", "operator")),
            plant="NSP",
            claims=RequestClaims(house.store, house.clock),
            log=RequestLog(house.store),
        )

    async def _publish(self, event: Event) -> None:
        self.told.append(event)

    async def get(self, path: str, status: int = 200) -> Any:
        reply = await ask(self.app, "GET", path, headers={"authorization": "Bearer anna"})
        assert reply.status == status, reply.body
        return reply.json

    async def post(self, path: str, body: Any, who: str = "anna", **headers: str) -> Reply:
        sent = {"authorization": f"Bearer {who}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return await ask(self.app, "POST", path, body, sent)


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    plant = SteeredPlant(tmp_path, monkeypatch)
    await plant.begin()
    async with plant.running() as house:
        yield Api(house)


async def test_a_start_tells_the_event_that_starts_it_once(api: Api) -> None:
    assert paying.starts_on is not None
    sample = (await api.get("/api/process/paying/v1/instances?state=all"))[0]
    given = (await api.get(f"/api/process/paying/v1/instances/{sample['process_id']}"))["input"]
    path = "/api/process/paying/v1"
    started = await api.post(path, given, idempotency_key="k1", x_correlation_id="story-7")
    assert started.status == 202, started.body
    again = await api.post(path, given, idempotency_key="k1")
    assert again.body == started.body
    (event,) = api.told
    assert (event.type, event.plant, event.correlationid) == (paying.starts_on.type, "NSP", "story-7")
    assert event.source == "/northspring/NSP/anna"
    assert started.json["event_id"] == event.id
    assert started.json["process_id"] == sample["process_id"]  # the same key never starts twice
    assert started.headers["location"] == f"/api/process/paying/v1/instances/{sample['process_id']}"
    assert (await api.post("/api/process/paying/v1", {}, idempotency_key="k2")).status == 422
    api.forbidden = ["posting.amount is mastered by erp; user:anna speaks for no system"]
    refused = await api.post("/api/process/paying/v1", given, idempotency_key="k3")
    assert (refused.status, refused.code, refused.json["errors"]) == (403, "not_the_master", api.forbidden)
    assert len(api.told) == 1


async def test_instances_are_those_of_the_process(api: Api) -> None:
    (one,) = await api.get("/api/process/asking/v1/instances")
    assert (one["type"], one["business_key"]) == ("asking", "ask/r1")
    assert (await api.get("/api/process/asking/v1/instances/ask/r1"))["process_id"] == one["process_id"]
    assert (await api.get("/api/process/paying/v1/instances/ask/r1", 404))["code"] == "no_such_process"
    assert await api.get("/api/process/asking/v1/instances?state=finished") == []
    await api.get("/api/process/asking/v1/instances?state=lost", 422)


async def test_only_the_role_that_is_asked_decides_and_in_the_callers_name(api: Api) -> None:
    skipped = {"value": {"reference": "r1-ext", "amount": 5}, "reason": "seen"}
    assert (await api.post("/api/processes/ask/r1/skip", skipped)).status == 200

    async def asks() -> bool:
        told = await api.get("/api/process/asking/v1/instances/ask/r1")
        return [step["kind"] for step in told["waits_for"]] == ["approval"]

    await until(asks)
    path = "/api/process/asking/v1/instances/ask/r1/decisions"
    approval = {"decision": "approve", "role": "controller", "reason": "it can wait"}
    refused = await api.post(path, approval, "otto")
    assert (refused.status, refused.code) == (403, "not_your_role")
    refused = await api.post("/api/processes/ask/r1/approve", {"role": "controller", "reason": "x"}, "otto")
    assert refused.code == "not_your_role"
    refused = await api.post(path, approval | {"role": "operator"}, "otto")
    assert refused.status == 409
    refused = await api.post("/api/processes/ask/r1/abort", {"by": "anna", "reason": "x"}, "otto")
    assert (refused.status, refused.code) == (403, "not_your_name")
    assert (await api.post(path, approval)).status == 200
    actors = {(row["actor"], row["action"]) for row in await api.house.store.read(audit_rows)}
    assert ("user:anna", "process.approved") in actors
