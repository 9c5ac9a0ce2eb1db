from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from starlette.applications import Starlette

from lineshaft.console import Changes, LiveValue, SystemView, console_routes
from lineshaft.contracts.registry import ContractRegistry
from lineshaft.core.clock import Clock
from lineshaft.ledger import Reads
from lineshaft.store import Store
from tests.console.factory import PLANT, Factory, systems, values


class CountedReads(Reads):
    """The real read model, which also tells how often it was asked, and can be away."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.asked = 0
        self.away: Exception | None = None

    async def recent_events(self, limit: int = 50) -> list[dict[str, Any]]:
        self.asked += 1
        if self.away:
            raise self.away
        return await super().recent_events(limit)

    async def trace(self, key: str) -> dict[str, Any]:
        if self.away:
            raise self.away
        return await super().trace(key)


class Console:
    """The console behind a real server, and a browser's session to it."""

    def __init__(self, reads: CountedReads, changes: Changes, http: aiohttp.ClientSession) -> None:
        self.reads = reads
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
    registry: ContractRegistry | None = None,
) -> AsyncIterator[Console]:
    reads, changes = CountedReads(store), Changes()
    routes = console_routes(reads, systems, changes, PLANT, values, clock=clock, registry=registry)
    config = uvicorn.Config(Starlette(routes=routes), port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no other sign
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        yield Console(reads, changes, http)
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
