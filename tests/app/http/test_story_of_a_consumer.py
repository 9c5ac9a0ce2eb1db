"""What somebody does who connects to a node for the first time, with the commands that the README shows."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from lineshaft.backbone.server_state import free_port
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.contracts.examples import example
from tests.app.http.running import HttpNode
from tests.app.webhook_endpoint import Endpoint
from tests.waiting import PATIENCE_S, soon

ROLES = {
    "erp_feed": {"may": ["publish:production.*", "publish:inventory.*"]},
    "warehouse_desk": {"may": ["call:inventory.*"]},
}
ACCOUNTS: dict[str, dict[str, Any]] = {
    "erp": {"roles": ["erp_feed", "viewer"], "plants": ["leipzig"], "system": "erp"},
    "mes": {"roles": ["erp_feed"], "plants": ["leipzig"], "system": "mes"},
    "portal": {"roles": ["integrator"], "plants": ["leipzig"]},
    "stores": {"roles": ["warehouse_desk"], "plants": ["leipzig"]},
    "hasty": {"roles": ["integrator"], "plants": ["leipzig"], "limits": {"rate_per_s": 0.01, "burst": 2}},
}
ORDER = json.loads(json.dumps(example(EVENTS["production.order.released.v1"]))) | {"id": "PO-7"}
STOCK = {  # of a warehouse, the storage location would be: ERP may not tell that
    "material_definition_id": "WATER-05",
    "site": "leipzig",
    "quantity": {"value": "300", "unit": "C62"},
    "as_of": "2026-03-02T06:00:00Z",
    "source_sequence": "000000000042",
}


class Answer:
    """Of `curl -i`."""

    def __init__(self, said: str) -> None:
        head, _, body = said.replace("\r\n", "\n").partition("\n\n")
        first, *lines = head.split("\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.json: Any = json.loads(body) if body.startswith(("{", "[")) else None


@pytest.fixture(scope="module")
def endpoint() -> Endpoint:
    made = Endpoint()
    made.port = free_port()
    return made


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory, endpoint: Endpoint) -> Iterator[HttpNode]:
    settings = {
        "outgoing": {"hosts": [f"http://127.0.0.1:{endpoint.port}"]},
        "authority": {"reservation": "inventory"},
    }
    folder = tmp_path_factory.mktemp("story")
    with HttpNode(folder, accounts=ACCOUNTS, access={"roles": ROLES}, settings=settings) as node:
        node.run(endpoint.__aenter__())
        yield node
        node.run(endpoint.__aexit__())


def curl(
    node: HttpNode, key: str, path: str, *more: str, data: Any = None, kind: str = "application/json"
) -> Answer:
    body = ["-H", f"Content-Type: {kind}", "--data-binary", "@-"] if data is not None else []
    known = ["-H", f"Authorization: Bearer {key}"] if key else []
    ended = subprocess.run(
        ["curl", "-si", *known, *body, *more, f"{node.url}{path}"],
        input=json.dumps(data) if data is not None else "",
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    return Answer(ended.stdout)


def event(kind: str, id: str, data: Any, system: str = "erp") -> dict[str, Any]:
    source = f"/northspring/leipzig/{system}"
    return {"specversion": "1.0", "id": id, "source": source, "type": kind, "data": data}


def test_from_the_access_file_to_a_webhook(plant: HttpNode, endpoint: Endpoint) -> None:
    cloudevent = "application/cloudevents+json"
    key = plant.command("access", "keys", "create", "erp", "--title", "order feed").strip()
    secret = plant.told("access", "clients", "create", "portal")["secret"]
    form = f"grant_type=client_credentials&client_id=portal&client_secret={secret}"
    portal = curl(plant, "", "/oauth2/token", "-d", form).json["access_token"]

    wanted = {
        "name": "portal",
        "url": endpoint.url,
        "types": ["production.*"],
        "reason": "the portal shows orders",
    }
    made = curl(plant, portal, "/api/v1/subscriptions", "-H", "Idempotency-Key: s-1", data=wanted)
    assert made.status == 201, made.json
    endpoint.secret = made.json["secret"]
    stream = subprocess.Popen(
        [
            "curl",
            "-sN",
            "-H",
            f"Authorization: Bearer {portal}",
            f"{plant.url}/api/v1/events?type=production.*",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert stream.stdout is not None
        assert stream.stdout.readline().startswith("retry:")
        released = event("production.order.released.v1", "e-1", ORDER)
        first = curl(plant, key, "/api/events", data=released, kind=cloudevent)
        assert first.status == 202, first.json
        again = curl(plant, key, "/api/events", data=released, kind=cloudevent)
        assert (again.status, again.json["events"][0]["replayed"]) == (202, True)
        told = next(line for line in stream.stdout if line.startswith("data: "))
        assert json.loads(told[6:])["data"]["id"] == "PO-7"
    finally:
        stream.kill()
        stream.communicate()

    (got,) = soon(lambda: endpoint.taken)
    assert got.event["type"].endswith("production.order.released.v1")
    trace = soon(lambda: plant.told("trace", "PO-7")["stories"])
    assert "production.order.released.v1" in json.dumps(trace)

    def status() -> Answer | None:
        found = curl(plant, portal, "/api/v1/orders/PO-7/status")
        return found if found.status == 200 else None

    order = soon(status)
    assert order.json["request_state"] == "Released"
    unchanged = curl(
        plant, portal, "/api/v1/orders/PO-7/status", "-H", f"If-None-Match: {order.headers['etag']}"
    )
    assert unchanged.status == 304
    balance = event("inventory.balance.changed.v1", "e-2", STOCK)
    assert curl(plant, key, "/api/events", data=balance, kind=cloudevent).status == 202
    assert soon(lambda: curl(plant, portal, "/api/v1/stock/WATER-05").json.get("items"))

    compared = {
        "left": "erp",
        "right": "wms",
        "as_of": "2026-03-02T06:00:00Z",
        "compared": 200,
        "different": 5,
    }
    counted = event("inventory.balance.reconciled.v1", "e-4", {"site": "leipzig"} | compared)
    assert curl(plant, key, "/api/events", data=counted, kind=cloudevent).status == 202
    assert soon(lambda: plant.told("kpis", "--kpi", "stock_accuracy")["figures"][0]["value"]) == 0.975

    refused = curl(
        plant,
        plant.keys["mes"],
        "/api/events",
        data=event("production.order.released.v1", "e-3", ORDER, "mes"),
        kind=cloudevent,
    )
    assert refused.status == 403
    assert "operations_request.quantity is mastered by erp" in json.dumps(refused.json["errors"])
    assert curl(plant, portal, "/api/events", data=released, kind=cloudevent).json["code"] == "not_permitted"


def test_a_call_to_a_system_takes_effect_once(plant: HttpNode) -> None:
    path = "/api/system/inventory/v1/inventory/reserve"
    request = {
        "for_reference": "MO-1",
        "line": 1,
        "material_definition_id": "SEAL-KIT-01",
        "quantity": {"value": "1", "unit": "C62"},
        "site": "leipzig",
        "required_time": "2026-03-02T06:00:00Z",
    }
    stores = plant.keys["stores"]
    assert curl(plant, stores, path, data=request).json["code"] == "idempotency_key_missing"
    first = curl(plant, stores, path, "-H", "Idempotency-Key: r-1", data=request)
    assert first.status == 200, str(first.json)
    again = curl(plant, stores, path, "-H", "Idempotency-Key: r-1", data=request)
    assert (again.status, again.json) == (200, first.json)
    assert again.headers["idempotency-replayed"] == "true"
    other = curl(plant, stores, path, "-H", "Idempotency-Key: r-1", data=request | {"line": 2})
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
    wrong = curl(plant, stores, path, "-H", "Idempotency-Key: r-2", data=request | {"quantity": 1})
    assert wrong.status == 422
    assert wrong.json["errors"][0].startswith("quantity: ")


def test_who_asks_too_often_is_told_when_to_come_back(plant: HttpNode) -> None:
    asked = [curl(plant, plant.keys["hasty"], "/api/v1/orders") for _ in range(3)]
    assert [each.status for each in asked] == [200, 200, 429]
    assert asked[0].headers["ratelimit-policy"] == '"rate";q=2;w=200'
    assert asked[2].json["code"] == "rate_limited"
    assert 0 < int(asked[2].headers["retry-after"]) <= 100
