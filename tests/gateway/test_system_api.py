"""Operations over HTTP, at the real door with the tests' books behind it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from lineshaft.calls import System
from lineshaft.core.access import Caller
from lineshaft.core.clock import SystemClock
from lineshaft.gateway.pipeline import Gateway, make_gateway
from lineshaft.gateway.system_api import system_routes
from lineshaft.ledger.call_states import call_row
from lineshaft.ledger.requests import RequestClaims, RequestLog
from lineshaft.store import Store
from lineshaft.store.schema import api_requests, calls
from tests.books import PLANT, Books, Ledgerman, answer_lost, no_credentials, unknown_material
from tests.calls.conftest import QUICK, door_on
from tests.rows import rows

from .asking import Accounts, Reply, ask

CLERK = Caller(
    name="key:clerk", account="clerk", permissions=frozenset({"call:books.*"}), plants=frozenset({PLANT})
)
VIEWER = Caller(
    name="key:viewer",
    account="viewer",
    permissions=frozenset({"call:books.balance"}),
    plants=frozenset({PLANT}),
)
POST = "/api/system/books/v1/books/post"
POSTING = {"reference": "R1", "amount": 100}


class House:
    def __init__(self, store: Store, target: Ledgerman) -> None:
        clock = SystemClock()
        self.store = store
        self.target = target
        system = System("books", target, {"books": Books}, QUICK, clock)
        routes = system_routes([system], door_on(store, target), partial(call_row, store))
        self.routes = routes
        self.app: Gateway = make_gateway(
            routes,
            Accounts(CLERK, VIEWER),
            plant=PLANT,
            claims=RequestClaims(store, clock),
            log=RequestLog(store),
        )

    async def post(self, body: Any = POSTING, key: str = "k1", who: str = "clerk") -> Reply:
        headers = {"authorization": f"Bearer {who}", "idempotency-key": key, "x-correlation-id": "story-9"}
        return await ask(self.app, "POST", POST, body, headers)

    async def get(self, target: str, who: str = "clerk") -> Reply:
        return await ask(self.app, "GET", target, headers={"authorization": f"Bearer {who}"})


@pytest.fixture
async def house(store: Store) -> House:
    return House(store, Ledgerman())


async def test_a_command_takes_effect_once_and_is_told_with_its_document(house: House) -> None:
    done = await house.post()
    assert done.status == 200
    told = done.json
    assert (told["document"], told["replayed"], told["reply"]["amount"]) == ("D1", False, 100)
    again = await house.post()
    assert (again.body, again.headers["idempotency-replayed"]) == (done.body, "true")
    other_key = await house.post(key="k2")
    assert (other_key.json["document"], other_key.json["replayed"]) == ("D1", True)
    assert len(house.target.effects) == 1
    (call,) = await rows(house.store, calls)
    assert (call["actor"], call["correlation_id"]) == ("key:clerk", "story-9")
    noted = await rows(house.store, api_requests)
    assert call["causation_id"] == noted[0]["request_id"] == done.headers["x-request-id"]
    assert noted[0]["ref"] == call["call_id"] == told["call_id"]


async def test_a_query_takes_its_fields_as_parameters(house: House) -> None:
    reply = await house.get("/api/system/books/v1/books/balance?account=a", "viewer")
    assert reply.status == 200, reply.body
    refused = await house.get("/api/system/books/v1/books/balance", "viewer")
    assert (refused.status, refused.json["errors"]) == (422, ['(root): "account" is a required property'])


async def test_who_may_only_look_may_not_post(house: House) -> None:
    refused = await house.post(who="viewer")
    assert (refused.status, refused.code) == (403, "not_permitted")
    assert house.target.sends == 0


async def test_a_payload_is_held_to_the_writers_view_of_its_contract(house: House) -> None:
    refused = await house.post({"reference": "R1", "amount": "many", "colour": "red"})
    assert (refused.status, refused.code) == (422, "contract_violation")
    assert len(refused.json["errors"]) == 2


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (unknown_material, 422, "unknown_account"),
        (no_credentials, 502, "credentials"),
    ],
)
async def test_what_the_target_refuses_is_told_with_its_code(
    store: Store, fault: Any, status: int, code: str
) -> None:
    reply = await House(store, Ledgerman([fault])).post()
    assert (reply.status, reply.code) == (status, code)


async def test_an_unknown_outcome_is_read_back_where_that_can_be(store: Store) -> None:
    house = House(store, Ledgerman([answer_lost]))
    assert (await house.post()).json["document"] == "D1"
    assert len(house.target.effects) == 1


async def test_an_unknown_outcome_says_so_and_where_to_look(store: Store) -> None:
    house = House(store, Ledgerman([answer_lost], reads_back=False))
    unknown = await house.post()
    assert (unknown.status, unknown.code) == (504, "outcome_unknown")
    told = (await house.get(unknown.headers["location"])).json
    assert (told["state"], told["operation"]) == ("unknown", "books.post")
    assert (await house.post()).code == "outcome_unknown"
    assert len(house.target.effects) == house.target.sends == 1
    assert {note["ref"] for note in await rows(store, api_requests) if note["method"] == "POST"} == {
        told["call_id"]
    }


async def test_the_state_of_a_call_is_for_who_may_make_it(house: House) -> None:
    call_id = (await house.post()).json["call_id"]
    told = (await house.get(f"/api/system/calls/{call_id}")).json
    assert (told["state"], told["document"], told["operation"]) == ("posted", "D1", "books.post")
    for target, who in ((f"/api/system/calls/{call_id}", "viewer"), ("/api/system/calls/none", "clerk")):
        refused = await house.get(target, who)
        assert (refused.status, refused.code) == (404, "no_such_call")
