"""Every route of a node × role × plant, asked over HTTP, against a table that is written here by hand.

A route that is in no row of the table fails here by its name: say who may use it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from fnmatch import fnmatchcase

import aiohttp
import msgspec
import pytest

from lineshaft.app import node as node_module
from lineshaft.app.http_part import HttpPart
from lineshaft.app.node import Node
from lineshaft.app.plant_data import read_plant
from lineshaft.core.clock import SystemClock
from lineshaft.gateway.route import ApiRoute, path_parameters
from tests.app.http.running import ELSEWHERE, ROLES, HttpNode, matrix_accounts
from tests.waiting import until

ANYBODY = {*ROLES, "stranger"}
PEOPLE = {"viewer", "operator", "engineer", "administrator"}
DECIDERS = {"operator", "engineer", "administrator"}
CONSUMERS = PEOPLE | {"integrator"}
TABLE: list[tuple[str, str, set[str]]] = [
    ("GET", "/health*", ANYBODY),
    ("GET", "/metrics", PEOPLE),
    ("GET", "/static/*", ANYBODY),
    ("*", "/login*", ANYBODY),
    ("*", "/logout", ANYBODY),
    ("POST", "/oauth2/token", ANYBODY),
    ("GET", "/oauth2/jwks", ANYBODY),
    ("GET", "/.well-known/*", ANYBODY),
    ("POST", "/webhooks/*", ANYBODY),
    ("*", "/api/access/*", {"administrator"}),
    ("POST", "/api/events", {"administrator"}),
    ("*", "/api/v1/events*", CONSUMERS),
    ("*", "/api/v1/subscriptions*", CONSUMERS),
    ("GET", "/api/v1/orders*", CONSUMERS),
    ("GET", "/api/v1/assets*", CONSUMERS),
    ("GET", "/api/v1/stock*", CONSUMERS),
    ("GET", "/api/v1/quality*", CONSUMERS),
    ("GET", "/api/v1/trace/*", PEOPLE),
    ("GET", "/api/openapi.json", CONSUMERS),
    ("GET", "/api/asyncapi.json", CONSUMERS),
    ("GET", "/api/catalogue.md", CONSUMERS),
    ("*", "/api/system/*", {"engineer", "administrator"}),
    ("POST", "/api/process/*/v1", DECIDERS),
    ("POST", "/api/process/*/decisions", DECIDERS),
    ("GET", "/api/process/*", PEOPLE),
    ("POST", "/api/processes/*", DECIDERS),
    ("GET", "/api/processes*", PEOPLE),
    ("POST", "/api/exceptions/*", DECIDERS),
    ("GET", "/api/exceptions*", PEOPLE),
    ("GET", "/", PEOPLE),
    ("GET", "/catalogue", PEOPLE),
    ("GET", "/events-stream", PEOPLE),
    ("GET", "/exception*", PEOPLE),
    ("GET", "/process*", PEOPLE),
    ("GET", "/system*", PEOPLE),
    ("GET", "/plants*", PEOPLE),
    ("GET", "/authority", PEOPLE),
    ("GET", "/kpis", PEOPLE),
    ("GET", "/late", PEOPLE),
    ("GET", "/api/v1/kpis", PEOPLE),
    ("GET", "/api/systems", PEOPLE),
    ("POST", "/api/systems/*", DECIDERS),
    ("GET", "/trace*", PEOPLE),
    ("GET", "/keys", PEOPLE),
    ("GET", "/sent", PEOPLE),
    ("GET", "/audit", PEOPLE),
    ("POST", "/api/audit/verify", DECIDERS),
    ("GET", "/asset*", PEOPLE),
]


def who_may(route: ApiRoute) -> set[str] | None:
    rows = (
        who for method, path, who in TABLE if method in ("*", route.method) and fnmatchcase(route.path, path)
    )
    return next(rows, None)


def target(route: ApiRoute) -> str:
    path = route.path.replace(":path}", "}")
    return path.format(**{name: "x" for name, _ in path_parameters(route.path)})


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpNode]:
    with HttpNode(tmp_path_factory.mktemp("matrix"), accounts=matrix_accounts(), serves=False) as node:
        yield node


async def test_every_route_by_every_role_at_every_plant(
    ready: HttpNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[HttpPart] = []

    class Noted(HttpPart):
        def __init__(self, *given: object, **named: object) -> None:
            super().__init__(*given, **named)  # type: ignore[arg-type]
            made.append(self)

    monkeypatch.setattr(node_module, "HttpPart", Noted)
    stop = asyncio.Event()
    running = asyncio.create_task(Node(read_plant(ready.settings_path, SystemClock())).run(stop))
    file = ready.product.data_dir / "node.json"
    await until(lambda: file.exists() or running.done())
    assert not running.done(), running
    url = ready.product.address().console
    try:
        routes = made[0].gateway.routes
        unknown = [f"{route.method} {route.path}: who may use it?" for route in routes if not who_may(route)]
        assert unknown == [], unknown
        async with aiohttp.ClientSession(url) as http:
            findings = await asyncio.gather(*(found_at(http, ready, route) for route in routes))
    finally:
        stop.set()
        await running
    assert [finding for found in findings for finding in found] == []
    assert len(routes) > 90
    assert who_may(msgspec.structs.replace(routes[0], path="/api/v2/secrets")) is None


async def found_at(http: aiohttp.ClientSession, ready: HttpNode, route: ApiRoute) -> list[str]:
    """What was answered otherwise than the table says."""
    allowed = who_may(route) or set()
    findings = []
    stranger = await ask(http, route, {}, "")
    if "stranger" not in allowed and stranger not in ("401 not_authenticated", "303 /login"):
        findings.append(f"stranger: {stranger}")
    for account in matrix_accounts():
        role, where = account.rsplit("-", 1)
        for plant in ("", ELSEWHERE) if where != "all" else (ELSEWHERE,):
            answer = await ask(http, route, ready.key(account), plant)
            sees = where == "all" or (where == "there") == bool(plant) or (not plant and route.any_plant)
            if "stranger" in allowed:
                fits = answer == stranger or bool(plant)
            elif role not in allowed:
                fits = answer == "403 not_permitted"
            elif not sees:
                fits = answer == "403 plant_not_yours"
            else:
                fits = answer.split()[0] not in ("401", "403", "500")
            if not fits:
                findings.append(f"{route.method} {route.path} by {account} for {plant!r}: {answer}")
    return findings


async def ask(http: aiohttp.ClientSession, route: ApiRoute, key: dict[str, str], plant: str) -> str:
    """Status and code, or place."""
    body: dict[str, str] | None = {} if route.method not in ("GET", "DELETE") else None
    query = {"plant": plant} if plant else {}
    async with http.request(
        route.method, target(route), headers=key, params=query, allow_redirects=False, json=body
    ) as answer:
        if answer.content_type == "application/problem+json":
            return f"{answer.status} {(await answer.json(content_type=None))['code']}"
        place = answer.headers.get("location", "").partition("?")[0]
        return f"{answer.status} {place}".strip()
