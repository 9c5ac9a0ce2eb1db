"""Every route × role × plant, asked at the gateway, against a table of who may what.

The table is written by hand: a route with a permission that it does not know fails here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import msgspec
import pytest

from lineshaft.app.exceptions_api import exception_routes
from lineshaft.app.processes_api import process_routes
from lineshaft.core.access import ALL, Caller
from lineshaft.core.clock import SystemClock
from lineshaft.core.requests import Claimed, RecordedAnswer, RequestClaim, RequestNote
from lineshaft.gateway.catalogue_api import catalogue_routes
from lineshaft.gateway.consumer_api import consumer_routes
from lineshaft.gateway.events.events_in import events_in_route
from lineshaft.gateway.events.subscriptions import subscription_routes
from lineshaft.gateway.identity.roles import BUILT_IN
from lineshaft.gateway.openapi import openapi_route
from lineshaft.gateway.pipeline import make_gateway
from lineshaft.gateway.process_api import process_api_routes
from lineshaft.gateway.route import Answer, ApiRoute, Asked, path_parameters
from lineshaft.gateway.system_api import system_routes
from lineshaft.processes.corrective_maintenance import corrective_maintenance

from .asking import Accounts, ask
from .test_openapi import systems

HERE, THERE = "leipzig", "lyon"
PEOPLE = {"viewer", "operator", "engineer", "administrator"}
MAY = {
    "read:orders": PEOPLE | {"integrator"},
    "read:assets": PEOPLE | {"integrator"},
    "read:stock": PEOPLE | {"integrator"},
    "read:quality": PEOPLE | {"integrator"},
    "read:contracts": PEOPLE | {"integrator"},
    "read:processes": PEOPLE,
    "read:exceptions": PEOPLE,
    "decide:processes": {"operator", "engineer", "administrator"},
    "decide:exceptions": {"operator", "engineer", "administrator"},
    "start:corrective_maintenance": {"operator", "engineer", "administrator"},
    "call:<some>": {"engineer", "administrator"},
    "publish:<some>": {"administrator"},
    "subscribe:<some>": PEOPLE | {"integrator"},
} | {f"call:{name}": {"engineer", "administrator"} for system in systems() for name in system.operations}


class Parts:
    """What the routes are made of, none of which is reached."""

    def __getattr__(self, name: str) -> Any:
        async def unreachable(*_: Any, **__: Any) -> Any:
            raise AssertionError(name)

        return unreachable


PARTS: Any = Parts()


def every_route() -> list[ApiRoute]:
    routes = [
        *system_routes(systems(), PARTS, PARTS.state),
        *process_api_routes([corrective_maintenance], PARTS, PARTS.publish, SystemClock(), enterprise="nsp"),
        *process_routes(PARTS),
        *exception_routes(PARTS, zone=UTC),
        *consumer_routes(PARTS),
        *catalogue_routes(None, version="1"),
        *subscription_routes(PARTS),
        events_in_route(PARTS),
    ]
    return [*routes, openapi_route(routes, "1")]


class NoClaims:
    async def claim(self, scope: str, caller: str, key: str, fingerprint: str) -> RequestClaim:
        return RequestClaim(claim_id="c", claimed_by="us", state=Claimed.OURS)

    async def answered(self, claim: RequestClaim, answer: RecordedAnswer, note: RequestNote) -> None: ...

    async def let_go(self, claim: RequestClaim, note: RequestNote) -> None: ...


async def admitted(_: Asked) -> Answer:
    return Answer(body={})


def target(route: ApiRoute) -> str:
    path = route.path.replace(":path}", "}")
    return path.format(**{name: "x" for name, _ in path_parameters(route.path)})


def callers() -> list[Caller]:
    return [
        Caller(
            name=f"key:{role}-{plant}",
            account=f"{role}-{plant}",
            roles=frozenset({role}),
            permissions=frozenset(BUILT_IN.get(role, ())),
            plants=frozenset({plant}),
        )
        for role in (*BUILT_IN, "nobody")
        for plant in (HERE, THERE, ALL)
    ]


def findings_of(routes: Sequence[ApiRoute]) -> list[str]:
    return [
        f"{route.method} {route.path} needs {route.permission}, which the table does not know"
        for route in routes
        if not route.is_public and route.permission not in MAY
    ]


def test_every_route_is_in_the_table() -> None:
    routes = every_route()
    assert findings_of(routes) == []
    assert len(routes) > 80
    unknown = msgspec.structs.replace(routes[0], permission="read:secrets")
    assert findings_of([unknown]) == [
        f"{unknown.method} {unknown.path} needs read:secrets, which the table does not know"
    ]


@pytest.mark.parametrize("caller", callers(), ids=lambda caller: str(caller.account))
async def test_who_may_and_where(caller: Caller) -> None:
    routes = [msgspec.structs.replace(route, handler=admitted) for route in every_route()]
    app = make_gateway(routes, Accounts(caller), plant=HERE, claims=NoClaims())
    (role,) = caller.roles
    for route in routes:
        for plant in ("", HERE, THERE):
            asked = f"{target(route)}?plant={plant}" if plant else target(route)
            meant = {plant} if plant else {HERE, THERE} if route.any_plant else {HERE}
            reply = await ask(app, route.method, asked, headers={"authorization": f"Bearer {caller.account}"})
            if role not in MAY[route.permission]:
                expected = "not_permitted"
            elif not caller.plants & {ALL, *meant}:
                expected = "plant_not_yours"
            else:
                assert reply.status not in (401, 403), (route.name, plant)
                continue
            assert (reply.status, reply.code) == (403, expected), (route.name, plant)


async def test_who_is_not_known_gets_nowhere() -> None:
    app = make_gateway(every_route(), Accounts(), plant=HERE, claims=NoClaims())
    for route in app.routes:
        for headers in ({}, {"authorization": "Bearer x"}, {"cookie": "lineshaft=x"}, {"x-api-key": "x"}):
            reply = await ask(app, route.method, target(route), headers=headers)
            assert (reply.status, reply.code) == (401, "not_authenticated"), route.name
