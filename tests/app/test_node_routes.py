"""The trace over HTTP: who asks is told of its own plants."""

from __future__ import annotations

import pytest

from lineshaft.app.node_routes import trace_route
from lineshaft.contracts.catalogue import EVENTS, THRESHOLD_EXCEEDED
from lineshaft.core.access import ALL, Caller
from lineshaft.gateway.pipeline import Gateway, make_gateway
from lineshaft.ledger import EventLog, Reads
from lineshaft.store import Store
from tests.clocks import ManualClock
from tests.facts import AT, breach
from tests.gateway.asking import Accounts, ask

READER = frozenset({"read:trace"})
CALLERS = [
    Caller(name="key:all", account="all", permissions=READER, plants=frozenset({ALL})),
    Caller(name="key:leipzig", account="leipzig", permissions=READER, plants=frozenset({"leipzig"})),
]


@pytest.fixture
async def gateway(store: Store) -> Gateway:
    """A hub of two plants, each with an event of the same asset."""
    log = EventLog(store, EVENTS, ManualClock())
    for plant in ("leipzig", "porto"):
        event = THRESHOLD_EXCEEDED.make(breach(), plant=plant, source="/x", identity=(plant,), time=AT)
        await log.record([event])
    routes = [trace_route(Reads(store))]
    return make_gateway(routes, Accounts(*CALLERS), plant="leipzig", clock=ManualClock())


@pytest.mark.parametrize(
    ("account", "query", "plants"),
    [
        ("all", "", {"leipzig", "porto"}),
        ("all", "?plant=porto", {"porto"}),
        ("leipzig", "", {"leipzig"}),
    ],
)
async def test_stories_are_of_ones_own_plants(
    account: str, query: str, plants: set[str], gateway: Gateway
) -> None:
    reply = await ask(
        gateway, "GET", f"/api/v1/trace/PUMP-7{query}", headers={"authorization": f"Bearer {account}"}
    )
    found = [node["plant"] for story in reply.json["stories"] for node in story["nodes"] if "plant" in node]
    assert (reply.status, set(found)) == (200, plants)


async def test_a_plant_that_is_not_ones_own_is_refused(gateway: Gateway) -> None:
    headers = {"authorization": "Bearer leipzig"}
    reply = await ask(gateway, "GET", "/api/v1/trace/PUMP-7?plant=porto", headers=headers)
    assert (reply.status, reply.code) == (403, "plant_not_yours")
