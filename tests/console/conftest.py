from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import uvicorn

from lineshaft.app.console_part import console_part
from lineshaft.app.console_processes import ConsoleProcesses
from lineshaft.app.pages import page_routes
from lineshaft.console import Changes, LiveValue, PlantView, SystemView
from lineshaft.console.screens.kpis import Kpis
from lineshaft.core.clock import Clock, SystemClock
from lineshaft.gateway.pipeline import make_gateway
from lineshaft.gateway.route import ApiRoute
from lineshaft.ledger.audit_verifying import Verifier
from lineshaft.ledger.registry import ContractBook
from lineshaft.store import Store
from tests.console.factory import PLANT, Factory, systems, values


class Console:
    """The console behind a real server, and a browser's session to it."""

    def __init__(self, changes: Changes, http: aiohttp.ClientSession) -> None:
        self.changes = changes
        self.http = http

    async def get(self, path: str) -> str:
        async with self.http.get(path) as answer:
            return await answer.text()


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a repaired and a disturbed asset."""
    file = tmp_path_factory.mktemp("console") / "seeded.db"

    async def seed() -> None:
        store = Store.open(f"sqlite:///{file}")
        factory = Factory(store)
        await factory.repaired()
        await factory.disturbed(7500)
        await store.close()

    asyncio.run(seed())
    return file


@pytest.fixture
async def store(seeded: Path, tmp_path: Path) -> AsyncIterator[Store]:
    file = tmp_path / "lineshaft.db"
    shutil.copy(seeded, file)
    store = Store.open(f"sqlite:///{file}")
    yield store
    await store.close()


@asynccontextmanager
async def serving(
    store: Store,
    *,
    systems: Callable[[], Mapping[str, SystemView]] = systems,
    values: Callable[[], Sequence[LiveValue]] = values,
    clock: Clock | None = None,
    plant: PlantView = PLANT,
    registry: ContractBook | None = None,
    routes: Sequence[ApiRoute] = (),
    kpis: Kpis | None = None,
    processes: ConsoleProcesses | None = None,
    verifier: Verifier | None = None,
) -> AsyncIterator[Console]:
    """The console as a node serves it, through the gateway; routes: of the API, beside its pages."""
    changes, clock = Changes(), clock or SystemClock()
    pages = console_part(
        store,
        plant,
        systems,
        values,
        changes,
        registry,
        clock,
        kpis=kpis,
        processes=processes,
        verifier=verifier,
    )
    gateway = make_gateway([*page_routes(pages), *routes], None, plant=plant.name)
    config = uvicorn.Config(gateway, port=0, log_level="error", lifespan="off", timeout_keep_alive=60)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no other sign
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        yield Console(changes, http)
        changes.close()
    server.should_exit = True
    await running


@pytest.fixture
async def console(store: Store) -> AsyncIterator[Console]:
    async with serving(store, systems=_systems_once(), values=_values_once()) as console:
        yield console


def _systems_once() -> Callable[[], Mapping[str, SystemView]]:
    """Memory that does not move, so that only the ledger changes the page."""
    found = systems()
    return lambda: found


def _values_once() -> Callable[[], Sequence[LiveValue]]:
    found = values()
    return lambda: found
