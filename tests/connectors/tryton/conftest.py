"""One real Tryton per session; each test arranges the stock that it needs."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from estate.erp.books import Books
from estate.erp.server import TrytonServer
from lineshaft.connectors.tryton import TrytonConnector, TrytonSettings
from lineshaft.core.ports import CallContext
from tests.waiting import PATIENCE_S

Call = Callable[..., CallContext]
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def patient_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """No ERP counts as away because this machine is busy."""
    monkeypatch.setattr("lineshaft.connectors.tryton.connector.HEALTH_DEADLINE_S", PATIENCE_S)
    monkeypatch.setattr("lineshaft.connectors.tryton.client.CONNECT_TIMEOUT_S", PATIENCE_S)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TrytonServer]:
    data_dir: Path = tmp_path_factory.mktemp("tryton")
    running = await TrytonServer.start(data_dir)
    yield running
    await running.stop()


@pytest.fixture
def books(server: TrytonServer) -> Books:
    return Books(server)


@pytest_asyncio.fixture(loop_scope="session")
async def erp(server: TrytonServer) -> AsyncIterator[TrytonConnector]:
    connector = TrytonConnector(settings_for(server.url, server.key))
    await connector.start()
    yield connector
    await connector.close()


@pytest.fixture
def call() -> Call:
    """A call context with a fresh key, or with the given one."""

    def make(key: str = "", deadline_s: float = PATIENCE_S) -> CallContext:
        return CallContext(
            call_id=str(uuid.uuid4()),
            operation="erp.test",
            idempotency_key=key or str(uuid.uuid4()),
            deadline_s=deadline_s,
            headers={"traceparent": TRACEPARENT},
        )

    return make


def settings_for(url: str, key: str) -> TrytonSettings:
    return TrytonSettings(url=url, key=key, storage={"NSP": "STO"})
