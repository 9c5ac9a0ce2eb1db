"""Consumer APIs through the gateway: what is read, by whom, in which pages, and how old it is."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from lineshaft.contracts.schema import findings_of, validator_of
from lineshaft.core.access import ALL, Caller
from lineshaft.gateway.consumer_api import consumer_routes
from lineshaft.gateway.paging import cursor_of
from lineshaft.gateway.pipeline import Gateway, make_gateway
from lineshaft.store import Store
from tests.gateway.asking import Accounts, Reply, ask
from tests.ledger.projections.plant_events import PROJECTED, Plant, pieces, told

READER = frozenset({"read:orders", "read:assets", "read:stock", "read:quality"})
CALLERS = [
    Caller(name="key:all", account="all", permissions=READER, plants=frozenset({ALL})),
    Caller(name="key:here", account="here", permissions=READER, plants=frozenset({"leipzig"})),
    Caller(name="key:stock", account="stock", permissions=frozenset({"read:stock"}), plants=frozenset({ALL})),
]


class Served:
    def __init__(self, plant: Plant, gateway: Gateway) -> None:
        self.plant = plant
        self.gateway = gateway
        self.routes = {route.name: route for route in gateway.routes}

    async def get(self, target: str, account: str = "all", **headers: str) -> Reply:
        sent = {"authorization": f"Bearer {account}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return await ask(self.gateway, "GET", target, headers=sent)

    def judge(self, route: str, reply: Reply) -> None:
        """The answer is as the route declares it."""
        schema = self.routes[route].answers[reply.status]
        assert schema is not None
        assert findings_of(validator_of(dict(schema)), reply.json) == []


@pytest.fixture
async def served(store: Store) -> Served:
    plant = Plant(store)
    routes = consumer_routes(plant.reads)
    return Served(plant, make_gateway(routes, Accounts(*CALLERS), plant="leipzig", clock=plant.clock))


async def filled(served: Served) -> None:
    """Every projected event once, and two orders of another plant."""
    await served.plant.hears(*[told(kind.removesuffix(".v1")) for kind in PROJECTED])
    await served.plant.hears(*[told("production.order.released", id=id, plant="porto") for id in ("A", "B")])


TARGETS = {
    "list_orders": "/api/v1/orders",
    "order_status": "/api/v1/orders/PO-40017/status",
    "asset_status": "/api/v1/assets/PUMP-7",
    "asset_events": "/api/v1/assets/FILLER-2/events",
    "list_stock": "/api/v1/stock",
    "stock_of_material": "/api/v1/stock/WATER-05",
    "lot_quality": "/api/v1/quality/lots/LOT-2026-0302",
    "list_quality_outcomes": "/api/v1/quality/outcomes",
}


async def test_every_route_answers_as_it_declares(served: Served) -> None:
    await filled(served)
    assert set(TARGETS) == set(served.routes)
    for name, target in TARGETS.items():
        reply = await served.get(target)
        assert reply.status == 200, reply.json
        served.judge(name, reply)
        assert reply.json["behind_s"] == 0.0
        assert reply.json.get("items", "one") != []


@pytest.mark.parametrize(("name", "target"), TARGETS.items())
async def test_an_answer_that_has_not_changed_is_not_sent_again(
    name: str, target: str, served: Served
) -> None:
    await filled(served)
    first = await served.get(target)
    again = await served.get(target, if_none_match=f'"other", {first.headers["etag"]}')
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert parsedate_to_datetime(first.headers["last-modified"]).tzinfo is not None
    assert (await served.get(target, if_none_match='"other"')).status == 200
    served.plant.clock.advance(60)  # it is older, and still the same
    assert (await served.get(target, if_none_match=first.headers["etag"])).status == 304


async def test_a_change_makes_another_answer(served: Served) -> None:
    await served.plant.hears(told("production.order.released", id="A"))
    first = await served.get("/api/v1/orders/A/status")
    await served.plant.hears(told("production.order.held", 5, id="A", request_state="Held"))
    second = await served.get("/api/v1/orders/A/status", if_none_match=first.headers["etag"])
    assert second.status == 200
    assert second.json["request_state"] == "Held"


async def test_rows_of_other_plants_are_not_there(served: Served) -> None:
    await filled(served)
    assert (await served.get("/api/v1/orders/A/status")).status == 200
    for target in ("/api/v1/orders/A/status", "/api/v1/orders/C/status"):
        reply = await served.get(target, "here")
        assert (reply.status, reply.code) == (404, "no_such_order")
    ids = [order["id"] for order in (await served.get("/api/v1/orders", "here")).json["items"]]
    assert "PO-40017" in ids
    assert not {"A", "B"} & set(ids)
    named = (await served.get("/api/v1/orders?plant=porto")).json["items"]
    assert [order["id"] for order in named] == ["A", "B"]
    refused = await served.get("/api/v1/orders?plant=porto", "here")
    assert (refused.status, refused.code) == (403, "plant_not_yours")


async def test_who_may_read_stock_may_not_read_orders(served: Served) -> None:
    await filled(served)
    for name, target in TARGETS.items():
        reply = await served.get(target, "stock")
        assert reply.status == (200 if "stock" in name else 403)


async def test_pages_follow_their_links(served: Served) -> None:
    await served.plant.hears(*[told("production.order.released", id=f"PO-{number}") for number in range(5)])
    seen, target = [], "/api/v1/orders?state=Released&limit=2"
    while target:
        reply = await served.get(target)
        seen += [order["id"] for order in reply.json["items"]]
        link = reply.headers.get("link", "")
        assert bool(link) == (reply.json["next"] is not None)
        target = link.partition(">")[0].removeprefix("<")
        assert not target or target.startswith("/api/v1/orders?state=Released&limit=2&cursor=")
    assert seen == [f"PO-{number}" for number in range(5)]


@pytest.mark.parametrize(
    ("target", "finding"),
    [
        ("/api/v1/orders?cursor=nonsense", "cursor"),
        ("/api/v1/orders?cursor=%C3%A4", "cursor"),
        (f"/api/v1/orders?cursor={cursor_of(['a', 'b', 'c'])}", "cursor"),
        (f"/api/v1/orders?cursor={cursor_of(['a', chr(0)])}", "cursor"),
        ("/api/v1/orders?limit=0", "limit"),
        ("/api/v1/orders?limit=many", "limit"),
        ("/api/v1/assets/PUMP-7/events?since=yesterday", "since"),
        ("/api/v1/assets/PUMP-7/events?since=2026-03-02T06:00:00", "since"),
        ("/api/v1/quality/outcomes?kind=rumour", "kind"),
        ("/api/v1/orders?colour=red", "colour"),
    ],
)
async def test_what_cannot_be_asked_is_told_by_name(target: str, finding: str, served: Served) -> None:
    await filled(served)
    reply = await served.get(target)
    assert (reply.status, reply.code) in {(422, "contract_violation"), (400, "contract_violation")}
    assert [each.partition(":")[0] for each in reply.json["errors"]] == [finding]


async def test_a_time_beyond_all_calendars_is_told_with_the_next_step(served: Served) -> None:
    await filled(served)
    reply = await served.get("/api/v1/assets/PUMP-7/events?since=0001-01-01T00:00:00%2B14:00")
    assert (reply.status, reply.code) == (400, "unreadable_time")
    assert reply.json["errors"][0].startswith("since: '")
    assert "give since as 2026-03-02T06:00:00Z" in reply.json["detail"]


async def test_what_is_not_there_is_told_by_name(served: Served) -> None:
    for name, code in (
        ("order_status", "no_such_order"),
        ("asset_status", "no_such_asset"),
        ("asset_events", "no_such_asset"),
        ("stock_of_material", "no_such_stock"),
        ("lot_quality", "no_such_lot"),
    ):
        reply = await served.get(TARGETS[name])
        assert (reply.status, reply.code) == (404, code)
        assert 404 in served.routes[name].problems


@pytest.mark.parametrize("id", ["PO/4 0017", "Ä+?#%", "x" * 200])
async def test_any_id_can_be_asked_for(id: str, served: Served) -> None:
    await served.plant.hears(told("production.order.released", id=id))
    reply = await served.get(f"/api/v1/orders/{quote(id, safe='')}/status")
    assert reply.json["id"] == id


async def test_an_answer_tells_how_old_it_is(served: Served) -> None:
    late = told("production.confirmation.recorded", 30, operations_request_id="A", id="C-1")
    await served.plant.hears(told("production.order.released", 10, id="A", quantity=pieces("5")))
    served.plant.clock.advance(1)
    await served.plant.log.record([late])
    served.plant.clock.advance(4)
    reply = (await served.get("/api/v1/orders/A/status")).json
    assert (reply["as_of"], reply["behind_s"]) == ("2026-03-02T06:00:10Z", 4.0)
    await served.plant.projections.apply([late])
    served.plant.clock.advance(2)
    reply = (await served.get("/api/v1/orders/A/status")).json
    assert (reply["as_of"], reply["behind_s"]) == ("2026-03-02T06:00:30Z", 0.0)


async def test_an_account_sees_of_an_event_what_its_fields_allow(served: Served) -> None:
    """Payloads are values, not text: what is denied in them is left out."""
    await filled(served)
    events: list[dict[str, Any]] = (await served.get(TARGETS["asset_events"])).json["items"]
    assert all(isinstance(event["data"], dict) for event in events)
    assert msgspec.json.encode(events[0]["data"]).startswith(b"{")
