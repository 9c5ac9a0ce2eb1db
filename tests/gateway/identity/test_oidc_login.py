"""Log-in to the console at an OIDC issuer: a real one, and one that lies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import aiohttp
import oidc_provider_mock
import pytest
from starlette.responses import Response

from lineshaft.core.clock import SystemClock
from lineshaft.ledger import audit_rows
from lineshaft.store import Store
from tests.clocks import ManualClock
from tests.gateway.identity.issuer import Issuer, issuer_at_work
from tests.gateway.identity.node import ACCESS, URL, IdentityNode

WHERE = {"issuer": "corp"}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def access(url: str, **console: str) -> dict[str, Any]:
    rules = {
        "name": "corp",
        "issuer": url,
        "audience": "lineshaft",
        "map": {"engineers": "engineer"},
        "plants_claim": "plants",
        "console": {"client_id": "console", **console},
    }
    return {**ACCESS, "oidc": [rules]}


async def set_out(node: IdentityNode, then: str = "/trace") -> tuple[str, str]:
    """(where the browser is sent, its cookie)"""
    answer = await node.ask("GET", "/login/{issuer}", where=WHERE, query={"next": then})
    assert answer.status_code == 303
    assert answer.headers["set-cookie"].endswith("; HttpOnly; SameSite=Lax; Secure; Max-Age=600")
    return answer.headers["location"], answer.headers["set-cookie"].partition(";")[0]


async def come_back(node: IdentityNode, cookie: str, query: dict[str, str]) -> Response:
    return await node.ask("GET", "/login/{issuer}/callback", where=WHERE, query=query, cookie=cookie)


def session_cookie(answer: Response) -> str:
    cookies = [value.decode() for name, value in answer.raw_headers if name == b"set-cookie"]
    assert len(cookies) == 2
    assert "Max-Age=0" in cookies[1]
    return cookies[0].partition(";")[0]


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    people = [
        oidc_provider_mock.User(sub="jo", claims={"roles": ["engineers"], "plants": ["leipzig"]}),
        oidc_provider_mock.User(sub="guest", claims={"roles": ["guests"]}),
    ]
    with oidc_provider_mock.run_server_in_thread(user_claims=people) as server:
        yield f"http://localhost:{server.server_port}"


async def test_a_person_logs_in_at_a_real_issuer(
    provider: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OIDC_SECRET", "a secret: 50 %")
    node = IdentityNode(store, tmp_path, SystemClock(), access(provider, client_secret="${env:OIDC_SECRET}"))
    place, cookie = await set_out(node)
    async with aiohttp.ClientSession() as browser:
        async with browser.post(place, data={"sub": "jo"}, allow_redirects=False) as answer:
            back = answer.headers["location"]
        assert back.startswith(f"{URL}/login/corp/callback?")
        answer_here = await come_back(node, cookie, dict(parse_qsl(urlsplit(back).query)))
        assert (answer_here.status_code, answer_here.headers["location"]) == (303, "/trace")
        caller = await node.by_cookie(session_cookie(answer_here))
        assert (caller.name, caller.roles, caller.plants) == ("oidc:corp#jo", {"engineer"}, {"leipzig"})
        assert caller.csrf

        place, cookie = await set_out(node)
        async with browser.post(place, data={"sub": "guest"}, allow_redirects=False) as answer:
            query = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    answer_here = await come_back(node, cookie, query)
    assert answer_here.headers["location"] == "/login?said=no_role"
    rows = await store.read(lambda connection: audit_rows(connection, action="login.refused", limit=9))
    assert [row["actor"] for row in rows] == ["oidc:corp#guest"]


@pytest.fixture
async def issuer(clock: ManualClock) -> AsyncIterator[Issuer]:
    async with issuer_at_work(clock) as found:
        yield found


@pytest.fixture
def node(store: Store, tmp_path: Path, clock: ManualClock, issuer: Issuer) -> IdentityNode:
    return IdentityNode(store, tmp_path, clock, access(issuer.url))


def agreed(issuer: Issuer, place: str) -> dict[str, str]:
    """What a browser brings back from an issuer at which its person agreed."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(place).query).items()}
    assert asked["code_challenge_method"] == "S256"
    issuer.codes["c"] = asked["code_challenge"], asked["nonce"]
    return {"code": "c", "state": asked["state"], "iss": issuer.url}


async def test_the_verifier_is_of_this_log_in(node: IdentityNode, issuer: Issuer) -> None:
    place, cookie = await set_out(node, "//evil.example")
    answer = await come_back(node, cookie, agreed(issuer, place))
    assert answer.headers["location"] == "/"
    assert (await node.by_cookie(session_cookie(answer))).name == "oidc:corp#42"
    place, cookie = await set_out(node)
    query = agreed(issuer, place)
    issuer.codes["c"] = "of another log-in", issuer.codes["c"][1]
    assert (await come_back(node, cookie, query)).headers["location"] == "/login?said=not_proved"


async def test_what_was_not_begun_here_or_is_not_proved_logs_nobody_in(
    node: IdentityNode, issuer: Issuer, clock: ManualClock
) -> None:
    async def tried(change: dict[str, str], claims: dict[str, Any], cookie: str | None = None) -> str:
        place, own = await set_out(node)
        query = agreed(issuer, place) | change
        issuer.claims = {"roles": ["engineers"], **claims}
        answer = await come_back(node, own if cookie is None else cookie, query)
        if "set-cookie" in answer.headers:
            return "logged in"
        return answer.headers["location"].partition("said=")[2]

    _, other = await set_out(node)
    token = issuer.token(aud="login+jwt")
    now = int(clock.now().timestamp())
    assert await tried({}, {}) == "logged in"
    attacks = {
        "no cookie": await tried({}, {}, ""),
        "cookie of another log-in": await tried({}, {}, other),
        "a token of the issuer as cookie": await tried({}, {}, f"__Host-lineshaft-login={token}"),
        "another state": await tried({"state": "x"}, {}),
        "no state": await tried({"state": ""}, {}),
        "answer of another issuer": await tried({"iss": "https://evil.example"}, {}),
        "no code": await tried({"code": ""}, {}),
        "unknown code": await tried({"code": "d"}, {}),
        "said no": await tried({"code": "", "error": "access_denied"}, {}),
        "another nonce": await tried({}, {"nonce": "x"}),
        "another client": await tried({}, {"aud": "portal"}),
        "for another party": await tried({}, {"azp": "portal"}),
        "another issuer": await tried({}, {"iss": "https://evil.example"}),
        "expired": await tried({}, {"exp": now - 60}),
    }
    assert {name: said for name, said in attacks.items() if said != "not_proved"} == {}
