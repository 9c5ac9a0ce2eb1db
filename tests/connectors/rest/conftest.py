"""Each simulated system on a free port with the connector of its mapping."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from rest_facts import settings

from estate.systems.cmms import CmmsSystem
from estate.systems.inventory import InventorySystem
from estate.systems.mes import MesSystem
from estate.systems.planning import PlanningSystem
from estate.systems.server import SimulatedSystem
from lineshaft.connectors.rest import RestConnector
from tests.waiting import PATIENCE_S

Pair = tuple[SimulatedSystem, RestConnector]
Connect = Callable[..., AbstractAsyncContextManager[RestConnector]]


@pytest.fixture(autouse=True)
def patient_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """No system counts as away because this machine is busy."""
    monkeypatch.setattr("lineshaft.connectors.rest.connector.HEALTH_DEADLINE_S", PATIENCE_S)


@pytest.fixture
def connect() -> Connect:
    @asynccontextmanager
    async def connected(name: str, url: str, **more: object) -> AsyncIterator[RestConnector]:
        connector = RestConnector(settings(name, url, **more))
        await connector.start()
        try:
            yield connector
        finally:
            await connector.close()

    return connected


@pytest.fixture
async def cmms(tmp_path: Path, connect: Connect) -> AsyncIterator[Pair]:
    async with CmmsSystem(tmp_path / "cmms") as system, connect("cmms", system.url) as connector:
        yield system, connector


@pytest.fixture
async def inventory(tmp_path: Path, connect: Connect) -> AsyncIterator[Pair]:
    async with InventorySystem(tmp_path / "inv") as system, connect("inventory", system.url) as connector:
        yield system, connector


@pytest.fixture
async def mes(tmp_path: Path, connect: Connect) -> AsyncIterator[Pair]:
    async with MesSystem(tmp_path / "mes") as system, connect("mes", system.url) as connector:
        yield system, connector


@pytest.fixture
async def planning(tmp_path: Path, connect: Connect) -> AsyncIterator[Pair]:
    async with PlanningSystem(tmp_path / "aps") as system, connect("planning", system.url) as connector:
        yield system, connector
