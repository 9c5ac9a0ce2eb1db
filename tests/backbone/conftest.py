"""A real embedded server per test: it is up in a tenth of a second."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lineshaft.backbone import Backbone
from lineshaft.core.clock import SystemClock
from lineshaft.core.ports import HealthState
from lineshaft.core.values import Event, EventClass
from tests.waiting import PATIENCE_S, until

__all__ = ["TOPICS", "event", "is_well", "kill_server", "message_count", "until"]

TOPICS = ("plant/#", "spBv1.0/#")


def event(number: int, *, eventclass: EventClass = EventClass.TRANSACTIONAL, data: bytes = b"{}") -> Event:
    return Event(
        id=f"e-{number}",
        type="production.order.released.v1",
        source="/acme/plant1/mes/1",
        subject=f"order-{number}",
        time=SystemClock().now(),
        plant="plant1",
        eventclass=eventclass,
        data=data,
        partitionkey="line1",
        correlationid=f"c-{number}",
    )


def kill_server(backbone: Backbone) -> None:
    assert backbone.server is not None
    assert backbone.server.pid is not None
    os.kill(backbone.server.pid, signal.SIGKILL)


async def message_count(backbone: Backbone, stream: str) -> int:
    info = await backbone.connection.api(f"STREAM.INFO.{stream}", timeout_s=PATIENCE_S)
    return int(info["state"]["messages"])


async def is_well(backbone: Backbone, saying: str = "") -> bool:
    """False, too, where the server stalls for two seconds."""
    health = await backbone.health()
    return health.state is HealthState.ACTIVE and saying in health.detail


@pytest.fixture
async def backbone(tmp_path: Path) -> AsyncIterator[Backbone]:
    started = await Backbone.start(None, tmp_path / "data", topic_filters=TOPICS, mqtt_port=0)
    yield started
    await started.stop()
