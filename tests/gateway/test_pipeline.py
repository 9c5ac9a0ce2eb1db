"""Every check of the gateway, in its order, each with its problem; and what is noted of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any

import msgspec
import pytest
from starlette.responses import HTMLResponse, Response

from lineshaft.core.access import ALL, Caller
from lineshaft.core.errors import (
    BusinessFault,
    ContractViolation,
    OutcomeUnknown,
    PermanentFault,
    TransientFault,
)
from lineshaft.core.requests import RequestNote
from lineshaft.core.tracing import Span, taking_spans
from lineshaft.gateway import exchange
from lineshaft.gateway.pipeline import Gateway, make_gateway
from lineshaft.gateway.policies import AccountPolicy, FieldRules
from lineshaft.gateway.route import PUBLIC, Answer, ApiRoute, Asked, Parameter, Retiring
from tests.clocks import ManualClock

from .asking import Accounts, Reply, ask

MES = Caller(
    name="key:mes",
    account="mes",
    permissions=frozenset({"read:orders", "do:*"}),
    plants=frozenset({"leipzig"}),
)
ELSEWHERE = Caller(name="key:far", account="far", permissions=frozenset({"*:*"}), plants=frozenset({"lyon"}))
BOSS = Caller(name="key:boss", account="boss", permissions=frozenset({"*:*"}), plants=frozenset({ALL}))
BODY = {
    "type": "object",
    "properties": {"quantity": {"type": "integer", "minimum": 1}},
    "required": ["quantity"],
    "unevaluatedProperties": False,
}
AS_MES = {"authorization": "Bearer mes"}
Handler = Callable[[Asked], Awaitable[Answer | Response]]


async def echo(asked: Asked) -> Answer:
    told = {"path": asked.path, "query": asked.query, "body": asked.body.decode(), "plant": asked.plant}
    return Answer(body=told, ref="r1")


def route(handler: Handler = echo, **changes: Any) -> ApiRoute:
    facets: dict[str, Any] = {
        "method": "GET",
        "path": "/api/v1/orders/{id}",
        "name": "order",
        "summary": "An order",
        "permission": "read:orders",
        "handler": handler,
    }
    return ApiRoute(**(facets | changes))


def post(handler: Handler = echo, **changes: Any) -> ApiRoute:
    facets = {"method": "POST", "path": "/api/do", "name": "do", "permission": "do:it", "request": BODY}
    return route(handler, **(facets | changes))


class Log:
    def __init__(self) -> None:
        self.soon: list[RequestNote] = []
        self.now: list[RequestNote] = []

    def note(self, note: RequestNote) -> None:
        self.soon.append(note)

    async def noted(self, note: RequestNote) -> None:
        self.now.append(note)


class Rules:
    def __init__(self, **policies: AccountPolicy) -> None:
        self.policies = policies

    def policy(self, account: str) -> AccountPolicy:
        return self.policies.get(account, DEFAULT)


DEFAULT = AccountPolicy()


def gateway(
    *routes: ApiRoute, log: Log | None = None, clock: Any = None, **policies: AccountPolicy
) -> Gateway:
    return make_gateway(
        routes,
        Accounts(MES, ELSEWHERE, BOSS),
        plant="leipzig",
        policies=Rules(**policies),
        log=log,
        clock=clock,
    )


async def get(app: Gateway, target: str, headers: Mapping[str, str] = AS_MES) -> Reply:
    return await ask(app, "GET", target, headers=headers)


async def test_a_request_reaches_its_handler_with_what_was_asked() -> None:
    wide = route(parameters=[Parameter(name="state", where="query")])
    reply = await get(gateway(wide), "/api/v1/orders/a%2Fb?state=open")
    assert reply.status == 200
    assert reply.json["path"] == {"id": "a/b"}
    assert reply.json["query"] == {"state": "open"}
    assert reply.json["plant"] == "leipzig"
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]


async def test_what_is_not_served_is_told_with_what_is() -> None:
    app = gateway(route(), post())
    assert (await get(app, "/api/v2/orders/1")).code == "no_such_route"
    refused = await ask(app, "DELETE", "/api/v1/orders/1", headers=AS_MES)
    assert (refused.status, refused.code, refused.headers["allow"]) == (
        405,
        "method_not_allowed",
        "GET, HEAD",
    )
    assert (await ask(app, "HEAD", "/api/v1/orders/1", headers=AS_MES)).status == 200
    for path in (
        "/api/v1/orders/%00",
        "/api/v1/orders/%ff",
        "/api/v1/orders/1?state=%ff",
        "/api/v1/orders/1?a=%01",
    ):
        assert ((refused := await get(app, path)).status, refused.code) == (400, "unreadable"), path


async def test_who_asks_has_to_be_known_and_allowed_here() -> None:
    trace = route(name="trace", path="/api/v1/trace/{id}")
    app = gateway(route(any_plant=True), trace, post(permission="decide:{what}", path="/api/{what}"))
    unknown = await get(app, "/api/v1/orders/1", {"authorization": "Bearer nobody"})
    assert (unknown.status, unknown.code) == (401, "not_authenticated")
    assert unknown.headers["www-authenticate"].startswith("Bearer")
    assert (await get(app, "/api/v1/orders/1", {"x-api-key": "mes"})).status == 200
    refused = await ask(app, "POST", "/api/stops", {"quantity": 1}, AS_MES)
    assert (refused.status, refused.code) == (403, "not_permitted")
    assert refused.json["detail"].startswith("key:mes may not decide:stops")
    far = {"authorization": "Bearer far"}
    refused = await get(app, "/api/v1/trace/1", far)
    assert (refused.status, refused.code) == (403, "plant_not_yours")
    assert (await get(app, "/api/v1/orders/1?plant=lyon", far)).json["plant"] == "lyon"
    assert (await get(app, "/api/v1/orders/1", far)).json["plant"] == "lyon", "the first of one's own"
    assert (await get(app, "/api/v1/orders/1", {"authorization": "Bearer boss"})).json["plant"] == "leipzig"
    assert (await get(app, "/api/v1/orders/1?plant=lyon")).code == "plant_not_yours"
    refused = await get(app, "/api/v1/trace/1?plant=lyon", far)
    assert (refused.status, refused.code) == (422, "plant_not_served")


async def test_a_part_of_the_path_is_never_any_of_what_it_stands_for() -> None:
    app = gateway(post(permission="do:{what}", path="/api/{what}"))
    assert (await ask(app, "POST", "/api/it", {"quantity": 1}, AS_MES)).status == 200
    refused = await ask(app, "POST", "/api/%3Csome%3E", {"quantity": 1}, AS_MES)
    assert (refused.status, refused.code) == (403, "not_permitted")


async def test_who_is_refused_uses_up_its_rate_and_a_stranger_that_of_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exchange, "ANYBODY", AccountPolicy(rate_per_s=1, burst=3))
    log, few = Log(), AccountPolicy(rate_per_s=1, burst=3)
    app = gateway(route(permission="read:secrets"), log=log, clock=ManualClock(), mes=few)
    for known, status in (("mes", 403), ("nobody", 401)):
        bearer = {"authorization": f"Bearer {known}"}
        answers = [await get(app, "/api/v1/orders/1", bearer) for _ in range(5)]
        assert [each.status for each in answers] == [status] * 3 + [429] * 2
    assert [note.status for note in log.soon] == [403] * 3 + [429] * 2 + [401] * 3


async def test_a_person_has_one_rate_however_often_it_logs_in() -> None:
    sessions = [
        msgspec.structs.replace(MES, account=f"jo{number}", name="user:jo", credential=str(number), csrf="t")
        for number in range(3)
    ]
    policies = {each.account: AccountPolicy(rate_per_s=1, burst=2) for each in sessions}
    app = make_gateway(
        [route()], Accounts(*sessions), plant="leipzig", policies=Rules(**policies), clock=ManualClock()
    )
    answers = [await get(app, "/api/v1/orders/1", {"cookie": each.account}) for each in sessions]
    assert [each.status for each in answers] == [200, 200, 429]


async def test_another_site_cannot_ask_in_a_browser_users_name() -> None:
    local = make_gateway([post(), route()], None, plant="leipzig")
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        refused = await ask(local, "POST", "/api/do", {"quantity": 1}, headers)
        assert (refused.status, refused.code) == (403, "cross_site")
        assert (await ask(local, "GET", "/api/v1/orders/1", headers=headers)).status == 200
    for headers in ({}, {"origin": "http://plant.example"}, {"sec-fetch-site": "same-origin"}):
        assert (await ask(local, "POST", "/api/do", {"quantity": 1}, headers)).status == 200
    signed_in = Caller(name="user:jo", account="jo", csrf="t", permissions=MES.permissions, plants=MES.plants)
    app = make_gateway([post()], Accounts(signed_in), plant="leipzig")
    refused = await ask(app, "POST", "/api/do", {"quantity": 1}, {"cookie": "jo"})
    assert (refused.status, refused.code) == (403, "csrf_token_missing")
    assert (
        await ask(app, "POST", "/api/do", {"quantity": 1}, {"cookie": "jo", "x-csrf-token": "t"})
    ).status == 200


async def test_the_rate_holds_for_each_key_and_is_told_on_every_answer() -> None:
    clock = ManualClock()
    app = gateway(
        route(), clock=clock, mes=AccountPolicy(rate_per_s=2, burst=2), boss=AccountPolicy(rate_per_s=0)
    )
    first = await get(app, "/api/v1/orders/1")
    assert first.headers["ratelimit-policy"] == '"rate";q=2;w=1'
    assert first.headers["ratelimit"] == '"rate";r=1;t=1'
    await get(app, "/api/v1/orders/1")
    refused = await get(app, "/api/v1/orders/1")
    assert (refused.status, refused.code, refused.headers["retry-after"]) == (429, "rate_limited", "1")
    assert refused.headers["ratelimit"] == '"rate";r=0;t=1'
    assert "ratelimit" not in (await get(app, "/api/v1/orders/1", {"authorization": "Bearer boss"})).headers
    clock.advance(0.5)
    assert (await get(app, "/api/v1/orders/1")).status == 200
    assert (await get(app, "/api/v1/orders/1")).status == 429


async def test_parameters_are_checked_as_declared_with_every_finding() -> None:
    listed = route(
        path="/api/v1/orders",
        parameters=[
            Parameter(name="limit", where="query", schema={"type": "integer", "maximum": 100}),
            Parameter(name="late", where="query", schema={"type": "boolean"}),
            Parameter(name="type", where="query", schema={"type": "array", "items": {"enum": ["a", "b"]}}),
            Parameter(name="site", where="query", required=True),
        ],
    )
    app = gateway(listed)
    told = (await get(app, "/api/v1/orders?limit=7&late=true&type=a&type=b&site=N")).json["query"]
    assert told == {"limit": "7", "late": "true", "type": "a,b", "site": "N"}
    refused = await get(app, "/api/v1/orders?limit=many&late=no&type=a,c&stat=x")
    assert (refused.status, refused.code) == (422, "contract_violation")
    assert sorted(finding.split(":")[0] for finding in refused.json["errors"]) == [
        "(root)", "late", "limit", "stat", "type/1",
    ]  # fmt: skip
    assert (await get(app, "/api/v1/orders")).status == 422
    assert (await get(app, "/api/v1/orders?site=1&site=2")).code == "parameter_twice"


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b'{"quantity": 0}', {}, 422, "contract_violation"),
        (b'{"quantity": 1, "more": 2}', {}, 422, "contract_violation"),
        (b'{"quantity": 1, "quantity": 2}', {}, 400, "unsound_body"),
        (b'{"quantity": ', {}, 400, "unsound_body"),
        (b"", {}, 400, "unsound_body"),
        (b'{"quantity": 1}' + b" " * 2000, {}, 413, "body_too_large"),
        (b"quantity=1", {"content-type": "application/x-www-form-urlencoded"}, 415, "not_json"),
        (b'{"quantity": 1}', {"content-encoding": "br"}, 415, "unknown_encoding"),
        (b'{"quantity": 1}', {"x-correlation-id": "two words"}, 400, "unreadable"),
    ],
)
async def test_a_body_is_as_its_route_declares(
    content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    app = gateway(post(), mes=AccountPolicy(body_bytes=1000))
    sent = AS_MES | {"content-type": "application/json; charset=utf-8"} | headers
    refused = await ask(app, "POST", "/api/do", content=content, headers=sent)
    assert (refused.status, refused.code) == (status, code)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (BusinessFault("closed", code="closed_period", owner="finance"), 422, "closed_period"),
        (ContractViolation("broken", findings=["a: wrong"]), 422, "contract_violation"),
        (TransientFault("away", retry_after_s=7), 503, "unavailable"),
        (OutcomeUnknown("sent"), 504, "outcome_unknown"),
        (PermanentFault("none", code="no_such_order"), 404, "no_such_order"),
        (PermanentFault("no"), 409, "permanent"),
        (ZeroDivisionError("secret"), 500, "internal_error"),
    ],
)
async def test_a_fault_is_a_problem_and_tells_no_stack(fault: Exception, status: int, code: str) -> None:
    async def fails(_: Asked) -> Answer:
        raise fault

    reply = await get(gateway(route(fails)), "/api/v1/orders/1")
    assert (reply.status, reply.code) == (status, code)
    assert "secret" not in reply.body.decode()
    assert reply.json["request_id"] == reply.headers["x-request-id"]
    assert reply.json.get("owner") == getattr(fault, "owner", None)
    assert reply.headers.get("retry-after") == ("7" if status == 503 else None)


async def test_a_handler_has_the_time_of_its_account() -> None:
    async def hangs(_: Asked) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    app = gateway(route(hangs), post(hangs), mes=AccountPolicy(timeout_s=0.02))
    reply = await get(app, "/api/v1/orders/1")
    assert (reply.status, reply.code) == (504, "timeout")
    reply = await ask(app, "POST", "/api/do", {"quantity": 1}, AS_MES)
    assert (reply.status, reply.code) == (504, "outcome_unknown")


async def test_fields_are_left_out_and_masked_as_the_account_may_see() -> None:
    order = {
        "id": "O-1",
        "price": 7,
        "lines": [{"material": "M", "cost": 3, "supplier": "S-1"}],
        "note": None,
    }

    async def tell(asked: Asked) -> Answer:
        assert asked.shown(order).get("price") is None
        return Answer(body=order)

    rules = FieldRules(
        deny=["price"], mask={"lines.cost": "hidden", "lines.supplier": "hash", "note": "last4"}
    )
    app = gateway(route(tell), mes=AccountPolicy(fields={"order": rules}))
    told = (await get(app, "/api/v1/orders/1")).json
    assert told.keys() == {"id", "lines", "note"}
    assert told["note"] is None
    (line,) = told["lines"]
    assert (line["material"], line["cost"]) == ("M", "***")
    assert line["supplier"].startswith("sha256:")
    only = AccountPolicy(fields={"*": FieldRules(allow=["id", "lines.material"])})
    told = (await get(gateway(route(tell), mes=only), "/api/v1/orders/1")).json
    assert told == {"id": "O-1", "lines": [{"material": "M"}]}


async def test_a_version_that_is_not_served_is_told_with_the_one_that_is() -> None:
    retiring = Retiring(since=date(2026, 1, 1), sunset=date(2026, 7, 1), successor="/api/v2/orders/{id}")
    app = gateway(route(version="v1.2", retiring=retiring))
    old = await get(app, "/api/v1/orders/1", AS_MES | {"accept": "application/json; version=1.1"})
    assert (old.status, old.headers["content-type"]) == (200, "application/json; version=1.2")
    assert old.headers["deprecation"] == "@1767225600"
    assert old.headers["sunset"] == "Wed, 01 Jul 2026 00:00:00 GMT"
    assert old.headers["link"] == '</api/v2/orders/{id}>; rel="successor-version"'
    for accept in ("application/json; version=1.3", "application/json;version=2", "text/csv"):
        refused = await get(app, "/api/v1/orders/1", AS_MES | {"accept": accept})
        assert refused.status == 406, accept
        assert refused.code in ("version_not_served", "not_acceptable")
    for accept in ("*/*", "text/html, application/json;q=0.5", "application/*"):
        assert (await get(app, "/api/v1/orders/1", AS_MES | {"accept": accept})).status == 200


async def test_every_call_is_noted_with_who_and_what_came_of_it() -> None:
    log = Log()
    app = gateway(route(), post(), log=log)
    await get(app, "/api/v1/orders/7", AS_MES | {"x-correlation-id": "story"})
    done = await ask(app, "POST", "/api/do", {"quantity": 1}, AS_MES)
    await ask(app, "POST", "/api/do", {"quantity": 0}, AS_MES)
    await get(app, "/api/v1/orders/7", {})
    (note,) = log.now
    assert (note.caller, note.account, note.route, note.status, note.ref) == (
        "key:mes",
        "mes",
        "do",
        200,
        "r1",
    )
    assert (note.request_id, note.method) == (done.headers["x-request-id"], "POST")
    assert note.duration_ms > 0
    read, refused, unknown = log.soon
    assert (read.path, read.correlation_id, read.plant) == ("/api/v1/orders/7", "story", "leipzig")
    assert (refused.status, refused.code) == (422, "contract_violation")
    assert (unknown.caller, unknown.status) == ("anonymous", 401)


async def test_a_page_keeps_its_own_headers_and_sends_who_is_unknown_to_the_log_in() -> None:
    async def page(_: Asked) -> Response:
        return HTMLResponse("<p>", headers={"Content-Security-Policy": "default-src 'self'"})

    shown = route(page, path="/lines/{id}", answer_media="text/html")
    reply = await get(gateway(shown), "/lines/1")
    assert reply.headers["content-security-policy"] == "default-src 'self'"
    assert reply.headers["referrer-policy"] == "no-referrer"
    sent_on = await get(gateway(shown), "/lines/1?tab=2", {})
    assert (sent_on.status, sent_on.headers["location"]) == (303, "/login?next=%2Flines%2F1%3Ftab%3D2")


async def test_what_is_public_needs_nobody_and_takes_any_parameter() -> None:
    health = route(path="/health", permission=PUBLIC, name="health")
    reply = await get(gateway(health), "/health?x=1&x=2", {})
    assert reply.status == 200
    assert reply.headers["ratelimit-policy"] == '"rate";q=2000;w=2'


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"permission": ""}, "who may use it"),
        ({"permission": "orders"}, "is no permission"),
    ],
)
def test_a_route_without_a_policy_cannot_be_made(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        route(**changes)


def test_routes_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        gateway(route(), route(name="other", path="/api/v1/orders/{key}"))
    with pytest.raises(ValueError, match="named order"):
        gateway(route(), route(path="/elsewhere"))
    with pytest.raises(ValueError, match="need claims"):
        gateway(post(idempotent=True))


async def test_only_http_is_spoken() -> None:
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    await gateway(route())({"type": "websocket"}, send, send)  # type: ignore[arg-type]
    assert told == [{"type": "websocket.close", "code": 1008}]


async def test_every_answer_is_told_by_its_route_and_status() -> None:
    told: list[tuple[str, str, int]] = []

    async def page(_: Asked) -> Response:
        return Response("page", media_type="text/html")

    app = make_gateway(
        [route(), route(page, path="/page", name="page", answer_media="text/html", permission=PUBLIC)],
        Accounts(MES),
        plant="leipzig",
        on_answer=lambda method, name, status, took_s: told.append((method, name, status)),
    )
    for path in ("/api/v1/orders/1", "/api/v1/orders/1?plant=nowhere", "/page", "/made/up"):
        await get(app, path)
    assert told == [
        ("GET", "order", 200),
        ("GET", "order", 403),
        ("GET", "page", 200),
        ("none", "none", 404),
    ]


async def test_a_handler_goes_on_under_the_trace_of_its_caller() -> None:
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    taken: list[Span] = []
    asked: list[str] = []

    async def keep(given: Asked) -> Answer:
        asked.append(given.traceparent)
        return Answer(body={})

    app = gateway(route(keep), route(keep, path="/quiet", name="quiet", noted=False), log=(log := Log()))
    with taking_spans(taken.append):
        await get(app, "/api/v1/orders/1", {**AS_MES, "traceparent": parent})
        await get(app, "/quiet")
    (told,) = taken
    assert (told.name, told.parent) == ("GET /api/v1/orders/{id}", parent)
    assert asked == [told.traceparent, ""]
    assert [note.route for note in log.soon] == ["order"]


class Told:
    """A page of refusals."""

    def refused(self, *, path: str, status: int, detail: str, request_id: str) -> Response:
        return Response(f"{status} {path}: {detail}", status, {"x-frame": "none"}, media_type="text/html")


async def test_browsers_are_refused_with_a_page() -> None:
    screen = route(name="screen", path="/screen", answer_media="text/html", tag="console")
    app = make_gateway([screen, route()], Accounts(MES, ELSEWHERE), plant="leipzig", page=Told())
    by_browser = {**AS_MES, "accept": "text/html,*/*;q=0.8"}
    refused = await get(app, "/screen?plant=lyon", by_browser)
    assert refused.status == 403
    assert refused.body.startswith(b"403 /screen: key:mes does not act for plant 'lyon'")
    assert refused.headers["content-type"].startswith("text/html")
    assert (refused.headers["x-frame"], refused.headers["cache-control"]) == ("none", "no-store")
    assert (await get(app, "/screen?plant=lyon")).code == "plant_not_yours"
    lost = await get(app, "/nowhere", by_browser)
    assert lost.body.startswith(b"404 /nowhere")
    assert (await get(app, "/nowhere")).code == "no_such_route"
    assert (await get(app, "/api/v1/orders/1?plant=lyon")).code == "plant_not_yours"
