"""Identity behind the real pipeline: what a caller with a key, a token or a cookie gets."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from starlette.responses import HTMLResponse

from lineshaft.core.credentials import CredentialKind
from lineshaft.gateway.pipeline import Gateway, make_gateway
from lineshaft.gateway.route import Answer, ApiRoute, Asked
from tests.gateway.asking import Reply, ask
from tests.gateway.identity.node import IdentityNode

PASSWORD = "correct horse battery"
FORM = {"content-type": "application/x-www-form-urlencoded"}
OURS = {"sec-fetch-site": "same-origin"}


async def whoami(asked: Asked) -> Answer:
    return Answer(body={"caller": asked.caller.name, "plant": asked.plant})


async def page(asked: Asked) -> HTMLResponse:
    return HTMLResponse(f"<p>{asked.caller.name}")


@pytest.fixture
async def gateway(node: IdentityNode) -> Gateway:
    await node.set_password("jo", PASSWORD)

    def route(method: str, path: str, permission: str, handler: Any = whoami, **more: Any) -> ApiRoute:
        return ApiRoute(
            method=method,
            path=path,
            name=permission,
            summary="",
            permission=permission,
            handler=handler,
            **more,
        )

    routes = [
        route("GET", "/api/orders", "read:orders"),
        route("POST", "/api/calls", "call:erp.post", request={"type": "object"}),
        route("GET", "/", "read:console", page, answer_media="text/html"),
    ]
    access = node.access
    return make_gateway(
        [*routes, *access.routes],
        access.authenticator,
        plant="leipzig",
        policies=access.directory,
        clock=node.clock,
        tls=True,
    )


async def log_in(gateway: Gateway) -> str:
    form = urlencode({"account": "jo", "password": PASSWORD, "next": "/"}).encode()
    answer = await ask(gateway, "POST", "/login", content=form, headers=FORM | OURS)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    return answer.headers["set-cookie"].partition(";")[0]


def challenge(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.headers["www-authenticate"]


async def test_keys_and_tokens_open_what_their_roles_allow(gateway: Gateway, node: IdentityNode) -> None:
    _, key = await node.make("mes")
    for headers in ({"authorization": f"Bearer {key}"}, {"x-api-key": key}):
        reply = await ask(gateway, "GET", "/api/orders", headers=headers)
        assert (reply.status, reply.json) == (200, {"caller": "key:mes", "plant": "leipzig"})
    assert reply.headers["strict-transport-security"].startswith("max-age=")
    assert (reply.headers["cache-control"], reply.headers["x-content-type-options"]) == (
        "no-store",
        "nosniff",
    )
    refused = await ask(gateway, "POST", "/api/calls", {}, headers={"x-api-key": key})
    assert (refused.status, refused.code) == (403, "not_permitted")
    elsewhere = await ask(gateway, "GET", "/api/orders?plant=jena", headers={"x-api-key": key})
    assert (elsewhere.status, elsewhere.code) == (403, "plant_not_yours")

    _, secret = await node.make("mes", CredentialKind.CLIENT)
    proof = base64.b64encode(f"mes:{secret}".encode()).decode()
    answer = await ask(
        gateway,
        "POST",
        "/oauth2/token",
        content=b"grant_type=client_credentials",
        headers=FORM | {"authorization": f"Basic {proof}"},
    )
    assert answer.headers["content-type"] == "application/json"
    token = answer.json["access_token"]
    reply = await ask(gateway, "GET", "/api/orders", headers={"authorization": f"Bearer {token}"})
    assert reply.json["caller"] == "client:mes"


async def test_who_is_not_known_is_challenged_and_a_browser_led_to_the_log_in(gateway: Gateway) -> None:
    nothing = await ask(gateway, "GET", "/api/orders")
    assert challenge(nothing) == (401, 'Bearer realm="lineshaft"')
    wrong = await ask(gateway, "GET", "/api/orders", headers={"x-api-key": "lsk_wrong"})
    assert challenge(wrong) == (401, 'Bearer realm="lineshaft", error="invalid_token"')
    led = await ask(gateway, "GET", "/?key=1")
    assert (led.status, led.headers["location"]) == (303, "/login?next=%2F%3Fkey%3D1")
    shown = await ask(gateway, "GET", "/login?next=/trace")
    assert shown.status == 200


async def test_a_browser_changes_something_only_from_our_page(gateway: Gateway, node: IdentityNode) -> None:
    cookie = await log_in(gateway)
    by_cookie = {"cookie": cookie}
    assert (await ask(gateway, "GET", "/", headers=by_cookie)).body == b"<p>user:jo"
    token = (await node.by_cookie(cookie)).csrf
    cases: list[tuple[dict[str, str], int]] = [
        ({}, 403),
        (OURS, 403),
        (OURS | {"x-csrf-token": "wrong"}, 403),
        ({"sec-fetch-site": "cross-site", "x-csrf-token": token}, 403),
        ({"origin": "https://evil.example", "x-csrf-token": token}, 403),
        (OURS | {"x-csrf-token": token}, 200),
    ]
    said = [
        (await ask(gateway, "POST", "/api/calls", {}, headers=by_cookie | headers)).status
        for headers, _ in cases
    ]
    assert said == [status for _, status in cases]


async def test_a_key_needs_no_token_and_goes_before_a_cookie(gateway: Gateway, node: IdentityNode) -> None:
    cookie = await log_in(gateway)
    _, key = await node.make("portal")
    both = {"cookie": cookie, "x-api-key": key}
    assert (await ask(gateway, "GET", "/api/orders", headers=both)).json["caller"] == "key:portal"
    wrong = {"cookie": cookie, "authorization": "Bearer lsk_wrong"}
    assert (await ask(gateway, "GET", "/api/orders", headers=wrong)).status == 401


async def test_an_administrator_sees_and_revokes(gateway: Gateway, node: IdentityNode) -> None:
    before = node.access.directory.access
    jo = msgspec.structs.replace(before.accounts["jo"], roles=["administrator"])
    node.access.replace(msgspec.structs.replace(before, accounts={**before.accounts, "jo": jo}))
    cookie = await log_in(gateway)
    headers = {"cookie": cookie, "x-csrf-token": (await node.by_cookie(cookie)).csrf, **OURS}
    key_id, key = await node.make("mes")
    by_key = {"x-api-key": key}
    assert (await ask(gateway, "GET", "/api/orders", headers=by_key)).status == 200
    assert (await ask(gateway, "GET", "/api/access/credentials", headers=by_key)).code == "not_permitted"

    listed = (await ask(gateway, "GET", "/api/access/credentials", headers=headers)).json
    assert [(row["id"], row["kind"]) for row in listed] == [(key_id, "key"), ("password:jo", "password")]
    assert not any("hash" in row for row in listed)
    told = (await ask(gateway, "GET", "/api/access/accounts", headers=headers)).json
    assert [row["account"] for row in told] == ["jo", "mes", "portal"]
    (session,) = (await ask(gateway, "GET", "/api/access/sessions", headers=headers)).json
    assert session["name"] == "user:jo"

    path = f"/api/access/credentials/{key_id}/revoke"
    assert (await ask(gateway, "POST", path, {}, headers=headers)).status == 422
    done = await ask(gateway, "POST", path, {"reason": "lost"}, headers=headers)
    assert (done.status, done.json) == (200, {"id": key_id})
    assert (await ask(gateway, "GET", "/api/orders", headers=by_key)).status == 401  # at once
    again = await ask(gateway, "POST", path, {"reason": "lost"}, headers=headers)
    assert (again.status, again.code) == (404, "no_such_credential")
    path = f"/api/access/sessions/{session['id']}/end"
    assert (await ask(gateway, "POST", path, {"reason": "left"}, headers=headers)).status == 200
    assert (await ask(gateway, "GET", "/api/orders", headers=headers)).status == 401
