"""Subscriptions over HTTP: each account's own, made once, and its secret told once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from lineshaft.contracts.catalogue import COUNT_ACCEPTED, EVENTS, THRESHOLD_EXCEEDED
from lineshaft.core.access import Caller, Refused
from lineshaft.core.signing import secret_bytes
from lineshaft.gateway.destinations import Destinations
from lineshaft.gateway.events.subscriptions import SubscriptionsApi, subscription_routes
from lineshaft.gateway.pipeline import Gateway, make_gateway
from lineshaft.ledger import Audit
from lineshaft.ledger.requests import RequestClaims
from lineshaft.ledger.subscriptions import Book
from lineshaft.store import Store
from lineshaft.store.schema import request_claims, subscriptions
from tests.clocks import ManualClock
from tests.gateway.asking import Reply, ask
from tests.gateway.events.telling import HISTORIAN, NOW
from tests.rows import rows

PORTAL = msgspec.structs.replace(HISTORIAN, name="key:portal", account="portal", system="")
ADMIN = Caller(
    name="user:anna",
    account="anna",
    permissions=frozenset({"administer:access", "subscribe:*"}),
    plants=frozenset({"*"}),
)
WANTED = {
    "name": "stops",
    "url": "https://hooks.example.com/in",
    "types": ["equipment.condition.*"],
}
WHY = {"reason": "they asked"}


class Names:
    async def caller(self, authorization: str, cookie: str) -> Caller:
        known = {"historian": HISTORIAN, "portal": PORTAL, "anna": ADMIN}
        try:
            return known[authorization.removeprefix("Bearer ")]
        except KeyError as error:
            raise Refused("nobody") from error


class Http:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._keys = 0

    async def __call__(self, who: str, method: str, path: str, body: Any = None, key: str = "") -> Reply:
        self._keys += 1
        headers = {"authorization": f"Bearer {who}"}
        if method == "POST":
            headers["idempotency-key"] = key or f"key-{self._keys}"
        return await ask(self._gateway, method, f"/api/v1/subscriptions{path}", body, headers)


@pytest.fixture
async def http(store: Store) -> AsyncIterator[Http]:
    clock = ManualClock(NOW)
    api = SubscriptionsApi(
        Book(store, Audit("w1", clock), clock), Destinations(["hooks.example.com"]), EVENTS
    )
    gateway = make_gateway(
        subscription_routes(api), Names(), plant="leipzig", claims=RequestClaims(store, clock), clock=clock
    )
    yield Http(gateway)
    await gateway.close()


async def test_made_once_and_its_secret_told_to_who_made_it(http: Http, store: Store) -> None:
    made = await http("portal", "POST", "", WANTED, key="k")
    again = await http("portal", "POST", "", WANTED, key="k")
    assert (made.status, made.headers["location"]) == (201, "/api/v1/subscriptions/stops")
    assert (again.status, again.code) == (409, "shown_once")
    assert len(secret_bytes(made.json["secret"])) == 32
    assert (made.json["account"], made.json["plants"], made.json["created_by"]) == (
        "portal",
        ["leipzig"],
        "key:portal",
    )
    assert len(await rows(store, subscriptions)) == 1
    assert made.json["secret"] not in str(await rows(store, request_claims))
    for path in ("", "/stops", f"/{made.json['subscription_id']}"):
        assert "secret" not in (await http("portal", "GET", path)).body.decode()


async def test_each_account_sees_its_own_and_who_administers_all(http: Http) -> None:
    await http("portal", "POST", "", WANTED)
    assert [each["name"] for each in (await http("portal", "GET", "")).json] == ["stops"]
    assert [each["name"] for each in (await http("anna", "GET", "")).json] == ["stops"]
    assert (await http("historian", "GET", "")).json == []
    for method, path, body in (
        ("GET", "/stops", None),
        ("GET", "/stops/deliveries", None),
        ("POST", "/stops/pause", WHY),
        ("POST", "/stops/redeliver", WHY),
    ):
        refused = await http("historian", method, path, body)
        assert (refused.status, refused.code) == (404, "no_such_subscription")
    assert (await http("nobody", "GET", "")).status == 401


async def test_paused_resumed_ended(http: Http) -> None:
    await http("portal", "POST", "", WANTED)
    for verb, state in (("pause", "paused"), ("resume", "active"), ("end", "ended")):
        answer = await http("portal", "POST", f"/stops/{verb}", WHY)
        assert (answer.status, answer.json["state"]) == (200, state)
    assert (await http("portal", "POST", "/stops/pause", {})).status == 422
    assert (await http("portal", "POST", "/stops/redeliver", WHY)).json == {"waiting": []}
    assert (await http("portal", "GET", "/stops/deliveries?state=failed")).json == []
    assert (await http("portal", "GET", "/stops/deliveries?state=lost")).status == 422


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"url": "https://evil.example.com/"}, 422, "is not declared"),
        ({"url": "http://169.254.169.254/latest/meta-data"}, 422, "is not declared"),
        ({"types": ["no.such.thing.v1"]}, 422, "no declared event type"),
        (
            {"types": [THRESHOLD_EXCEEDED.type, COUNT_ACCEPTED.type]},
            403,
            "subscribe:production.count.accepted",
        ),
        ({"types": ["*"]}, 403, "subscribe:*"),
        ({"plants": ["dresden"]}, 403, "dresden is not yours"),
        ({"name": "No Name"}, 422, "name"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
async def test_what_cannot_be_asked_for(
    http: Http, store: Store, changes: dict[str, Any], status: int, word: str
) -> None:
    refused = await http("portal", "POST", "", WANTED | changes)
    assert refused.status == status
    assert word in refused.body.decode()
    assert await rows(store, subscriptions) == []


async def test_a_name_is_taken_once(http: Http) -> None:
    await http("portal", "POST", "", WANTED)
    refused = await http("historian", "POST", "", WANTED)
    assert (refused.status, refused.code) == (409, "subscription_exists")
