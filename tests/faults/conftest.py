"""One of each target system for the whole matrix, and a proxy with a connector of its own per operation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from estate.chaos.proxy import FaultProxy
from estate.erp.books import Books
from estate.erp.server import TrytonServer
from estate.systems.cmms import CmmsSystem
from estate.systems.inventory import InventorySystem
from estate.systems.mes import MesSystem
from estate.systems.planning import PlanningSystem
from lineshaft.connectors.rest import RestConnector, RestSettings
from lineshaft.connectors.tryton import TrytonConnector, TrytonSettings
from lineshaft.core.ports import Connector
from tests.faults.operations import KIT, OPERATIONS, SYSTEM_OF, Requests

SECRET = "a shared secret"
MAPPINGS = Path(__file__).parents[2] / "estate/plants/leipzig/mappings"


@dataclass(frozen=True)
class Targets:
    """proxies and connectors by operation; fronts and whole: one of each by system."""

    requests: Requests
    books: Books
    proxies: dict[str, FaultProxy]
    connectors: dict[str, Connector]
    fronts: dict[str, FaultProxy]
    whole: dict[str, Connector]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def targets(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Targets]:
    folder = tmp_path_factory.mktemp("targets")
    async with AsyncExitStack() as stack:
        erp = await stack.enter_async_context(await TrytonServer.start(folder / "erp"))
        cmms = await stack.enter_async_context(CmmsSystem(folder / "cmms"))
        inventory = await stack.enter_async_context(InventorySystem(folder / "inventory"))
        mes = await stack.enter_async_context(MesSystem(folder / "mes"))
        planning = await stack.enter_async_context(PlanningSystem(folder / "planning"))
        inventory.database.execute("UPDATE stock SET on_hand = 100000 WHERE sku = ?", KIT)
        books = Books(erp)
        await books.set_stock(KIT, 100_000)
        urls = {each.name: each.url for each in (cmms, inventory, mes, planning)} | {"erp": erp.url}

        async def connected(name: str) -> tuple[FaultProxy, Connector]:
            proxy = await stack.enter_async_context(FaultProxy(urls[name]))
            connector = _connector(name, proxy.url, erp.key)
            await connector.start()
            stack.push_async_callback(connector.close)
            return proxy, connector

        apart = {each: await connected(SYSTEM_OF[each.split(".", 1)[0]]) for each in OPERATIONS}
        systems = {name: await connected(name) for name in urls}
        yield Targets(
            Requests(cmms, inventory, planning, count(1)),
            books,
            {each: proxy for each, (proxy, _) in apart.items()},
            {each: connector for each, (_, connector) in apart.items()},
            {name: proxy for name, (proxy, _) in systems.items()},
            {name: connector for name, (_, connector) in systems.items()},
        )


def _connector(name: str, url: str, key: str) -> Connector:
    if name == "erp":
        return TrytonConnector(TrytonSettings(url=url, key=key, storage={"leipzig": "STO"}))
    return RestConnector(
        RestSettings(
            name=name,
            url=url,
            mapping=str(MAPPINGS / f"{name}.yaml"),
            plant="leipzig",
            source=f"/northspring/leipzig/{name}/main",
            webhook_secret=SECRET,
        )
    )
