"""A node says whether it lives, and why it is not ready."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import PlainTextResponse

from lineshaft.app.readiness import FrontDoor, Readiness, health_routes
from lineshaft.console import SystemView
from lineshaft.core.ports import HealthState
from lineshaft.gateway.pipeline import make_gateway
from tests.gateway.asking import ask

ACTIVE, STOPPED = HealthState.ACTIVE, HealthState.STOPPED


def readiness(
    store: HealthState = ACTIVE, backbone: HealthState = ACTIVE, erp: HealthState = ACTIVE
) -> Readiness:
    def views() -> Mapping[str, SystemView]:
        return {
            "erp": SystemView(name="erp", title="ERP", kind="erp", state=erp),
            "store": SystemView(name="store", title="Store", kind="store", state=store, detail="disk full"),
            "backbone": SystemView(name="backbone", title="Backbone", kind="backbone", state=backbone),
        }

    return Readiness("leipzig", views)


async def reasons(of: Readiness) -> list[str]:
    gateway = make_gateway(health_routes(of), None, plant="leipzig")
    assert (await ask(gateway, "GET", "/health/live")).json == {"state": "active", "plant": "leipzig"}
    reply = await ask(gateway, "GET", "/health/ready")
    if reply.status == 200:
        assert reply.json == {"state": "ready", "plant": "leipzig"}
        return []
    assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "not_ready", "1")
    found: list[str] = reply.json["reasons"]
    assert reply.json["detail"] == found[0]
    return found


async def test_a_node_is_ready_once_it_runs_until_it_stops() -> None:
    node = readiness()
    assert await reasons(node) == ["the node has begun to start"]
    node.now("projections")
    assert await reasons(node) == ["projections"]
    node.now("")
    assert await reasons(node) == []
    node.now("the node is stopping")
    assert await reasons(node) == ["the node is stopping"]


async def test_store_and_backbone_are_needed_systems_are_not() -> None:
    for state in HealthState:
        node = readiness(erp=state)
        node.now("")
        assert await reasons(node) == []
    node = readiness(store=STOPPED, backbone=HealthState.STARTING)
    node.now("")
    assert await reasons(node) == ["store stopped", "backbone starting"]  # and not what only ours should read


async def test_health_is_answered_before_anything_else_is_there() -> None:
    node = readiness()
    door = FrontDoor(node)
    assert (await ask(door, "GET", "/health")).status == 200
    for path in ("/health/ready", "/api/v1/orders", "/"):
        early = await ask(door, "GET", path)
        assert (early.status, early.code) == (503, "not_ready")
        assert early.json["reasons"] == ["the node has begun to start"]
    door.open(PlainTextResponse("all of it"))
    assert (await ask(door, "GET", "/")).body == b"all of it"
