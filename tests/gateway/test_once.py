"""A request under one key has one effect and one answer, on both databases."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lineshaft.core.access import Caller
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import BusinessFault, OutcomeUnknown
from lineshaft.gateway.pipeline import Gateway, make_gateway
from lineshaft.gateway.policies import AccountPolicy
from lineshaft.gateway.route import Answer, ApiRoute, Asked
from lineshaft.ledger.requests import RequestClaims, RequestLog
from lineshaft.store import Store, Worker
from lineshaft.store.schema import api_requests, request_claims
from tests.rows import rows
from tests.waiting import PATIENCE_S

from .asking import Accounts, Reply, ask

PERMISSIONS, PLANTS = frozenset({"do:*"}), frozenset({"leipzig"})
MES = Caller(name="key:mes", account="mes", permissions=PERMISSIONS, plants=PLANTS)
WMS = Caller(name="key:wms", account="wms", permissions=PERMISSIONS, plants=PLANTS)


class Work:
    """A handler that counts, and waits, or fails, where it is told so."""

    def __init__(self) -> None:
        self.done: list[bytes] = []
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()
        self.faults: list[Exception] = []

    async def __call__(self, asked: Asked) -> Answer:
        self.begun.set()
        await self.go.wait()
        if self.faults:
            raise self.faults.pop()
        self.done.append(asked.body)
        number = len(self.done)
        return Answer(
            body={"number": number}, status=201, headers={"Location": f"/{number}"}, ref=f"c{number}"
        )


class Rules:
    def __init__(self, timeout_s: float) -> None:
        self._policy = AccountPolicy(timeout_s=timeout_s)

    def policy(self, account: str) -> AccountPolicy:
        return self._policy


def gateway(
    store: Store,
    work: Work,
    worker: Worker | None = None,
    *,
    timeout_s: float = PATIENCE_S,
    claims: RequestClaims | None = None,
) -> Gateway:
    """claims: those of another gateway of the same process"""
    route = ApiRoute(
        method="POST",
        path="/api/do/{what}",
        name="do",
        summary="Do it",
        permission="do:it",
        handler=work,
        request={"type": "object"},
        idempotent=True,
    )
    return make_gateway(
        [route],
        Accounts(MES, WMS),
        plant="leipzig",
        policies=Rules(timeout_s),
        claims=claims or RequestClaims(store, SystemClock(), worker),
        log=RequestLog(store),
    )


async def do(app: Gateway, body: Any, key: str | None, who: str = "mes", target: str = "/api/do/it") -> Reply:
    headers = {"authorization": f"Bearer {who}"} | ({} if key is None else {"idempotency-key": key})
    content = body if isinstance(body, bytes) else None
    if content is not None:
        headers["content-type"] = "application/json"
    return await ask(app, "POST", target, body, headers, content=content)


async def test_a_repeat_gets_the_recorded_answer(store: Store) -> None:
    work = Work()
    first = await do(gateway(store, work), {"a": 1, "b": 1.0}, '"k-1"')
    app = gateway(store, work)  # as after a restart
    for body in ({"a": 1, "b": 1.0}, b'{ "b":1.0,"a" :1 }'):
        again = await do(app, body, "k-1")
        assert (again.status, again.body, again.headers["location"]) == (201, first.body, "/1")
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers["content-type"] == "application/json"
    assert len(work.done) == 1
    assert "idempotency-replayed" not in first.headers
    noted = await rows(store, api_requests)
    assert [(row["caller"], row["ref"], row["status"]) for row in noted] == [
        ("key:mes", "c1", 201),
        ("key:mes", "", 201),
        ("key:mes", "", 201),
    ]


async def test_a_key_is_needed_and_belongs_to_one_request_of_one_account(store: Store) -> None:
    work = Work()
    app = gateway(store, work)
    assert (await do(app, {"a": 1}, "k")).status == 201
    for body, key, who, target, status, code in (
        ({"a": 1}, None, "mes", "/api/do/it", 400, "idempotency_key_missing"),
        ({"a": 1}, "k" * 201, "mes", "/api/do/it", 400, "idempotency_key_unusable"),
        ({"a": 1}, "kä", "mes", "/api/do/it", 400, "idempotency_key_unusable"),
        ({"a": 2}, "k", "mes", "/api/do/it", 422, "idempotency_key_reused"),
        ({"a": 1}, "k", "mes", "/api/do/else", 422, "idempotency_key_reused"),
        (b'{"a": 1.0}', "k", "mes", "/api/do/it", 422, "idempotency_key_reused"),
        (b'{"a": "1"}', "k", "mes", "/api/do/it", 422, "idempotency_key_reused"),
    ):
        refused = await do(app, body, key, who, target)
        assert (refused.status, refused.code) == (status, code), (body, key)
    assert len(work.done) == 1
    assert (await do(app, {"a": 2}, "k", "wms")).json == {"number": 2}


async def test_one_in_flight_is_not_begun_again_and_goes_on_without_its_client(store: Store) -> None:
    work, claims = Work(), RequestClaims(store, SystemClock())
    app, hasty = (gateway(store, work, timeout_s=each, claims=claims) for each in (PATIENCE_S, 0.5))
    await do(app, {}, "before")  # there is a connection
    work.go.clear()
    slow = await do(hasty, {}, "k")
    assert (slow.status, slow.code) == (504, "outcome_unknown")
    assert "ask again under the same key" in slow.json["detail"]
    refused = await do(app, {}, "k")
    assert (refused.status, refused.code, refused.headers["retry-after"]) == (409, "request_in_flight", "1")
    work.go.set()
    await hasty.close()
    again = await do(app, {}, "k")
    assert (again.status, again.json, again.headers["idempotency-replayed"]) == (201, {"number": 2}, "true")
    assert len(work.done) == 2


async def test_many_at_once_under_one_key_have_one_effect(store: Store) -> None:
    work = Work()
    apps = [gateway(store, work) for _ in range(2)]
    replies = await asyncio.gather(*(do(apps[0], {}, "k") for each in range(20)))
    assert len(work.done) == 1
    assert sorted({reply.status for reply in replies}) in ([201], [201, 409])


@pytest.mark.parametrize("fault", [OutcomeUnknown("sent"), ZeroDivisionError()])
async def test_what_is_not_settled_is_worked_on_anew(store: Store, fault: Exception) -> None:
    work = Work()
    work.faults = [fault]
    app = gateway(store, work)
    assert (await do(app, {}, "k")).status >= 500
    assert await rows(store, request_claims) == []
    assert (await do(app, {}, "k")).status == 201
    assert sorted(row["status"] for row in await rows(store, api_requests))[0] == 201
    assert len(await rows(store, api_requests)) == 2


async def test_a_refusal_of_the_target_is_an_answer_that_stays(store: Store) -> None:
    work = Work()
    work.faults = [BusinessFault("closed", code="closed_period", owner="finance")]
    app = gateway(store, work)
    for _ in range(2):
        refused = await do(app, {}, "k")
        assert (refused.status, refused.code, refused.json["owner"]) == (422, "closed_period", "finance")
    assert work.done == []


async def test_what_a_dead_worker_was_at_is_taken_over_and_what_a_living_one_is_at_is_not(
    store: Store,
) -> None:
    work = Work()
    work.go.clear()
    other = Worker(store, "other", lease_s=300)
    await other.join()
    slow = gateway(store, work, other)
    theirs = asyncio.create_task(do(slow, {}, "k"))
    await work.begun.wait()
    theirs.cancel()
    mine = Worker(store, "mine", lease_s=300)
    await mine.join()
    (row,) = await rows(store, request_claims)
    assert row["claimed_by"].startswith("other:1:")
    quick = Work()
    app = gateway(store, quick, mine)
    assert (await do(app, {}, "k")).code == "request_in_flight"
    await other.leave()
    assert (await do(app, {}, "k")).status == 201
    assert len(quick.done) == 1
    work.go.set()  # it was only slow, and comes back
    await slow.close()
    (row,) = await rows(store, request_claims)
    assert (row["state"], row["claimed_by"].split(":")[0]) == ("done", "mine")


async def test_a_secret_is_shown_once_and_kept_nowhere(store: Store) -> None:
    async def make(_: Asked) -> Answer:
        return Answer(body={"secret": "hush"}, is_secret=True)

    app = gateway(store, make)  # type: ignore[arg-type]
    assert (await do(app, {}, "k")).json == {"secret": "hush"}
    again = await do(app, {}, "k")
    assert (again.status, again.code, again.headers["idempotency-replayed"]) == (409, "shown_once", "true")
    assert b"hush" not in str(await rows(store, request_claims)).encode()
