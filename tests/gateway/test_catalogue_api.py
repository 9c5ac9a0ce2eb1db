"""The catalogue over HTTP."""

from __future__ import annotations

from lineshaft.contracts.catalogue import EVENTS
from lineshaft.core.access import ALL, Caller
from lineshaft.gateway.catalogue_api import catalogue_routes
from lineshaft.gateway.pipeline import make_gateway
from tests.gateway.asking import Accounts, ask

READER = Caller(name="key:r", account="r", permissions=frozenset({"read:contracts"}), plants=frozenset({ALL}))
OTHER = Caller(name="key:o", account="o", permissions=frozenset({"read:orders"}), plants=frozenset({ALL}))


async def test_documents_are_for_those_who_may_read_contracts() -> None:
    routes = catalogue_routes(None, version="1.2.3")
    gateway = make_gateway(routes, Accounts(READER, OTHER), plant="leipzig")
    asyncapi = await ask(gateway, "GET", "/api/asyncapi.json", headers={"authorization": "Bearer r"})
    assert asyncapi.status == 200
    assert asyncapi.json["info"]["version"] == "1.2.3"
    assert set(asyncapi.json["channels"]) == set(EVENTS)
    markdown = await ask(gateway, "GET", "/api/catalogue.md", headers={"authorization": "Bearer r"})
    assert markdown.headers["content-type"].startswith("text/markdown")
    assert b"### production.order.released.v1" in markdown.body
    for route in routes:
        assert (await ask(gateway, "GET", route.path, headers={"authorization": "Bearer o"})).status == 403
