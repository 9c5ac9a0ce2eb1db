"""Between the process of the sources and the others: how each source is doing, and rebirths asked for."""

from __future__ import annotations

import asyncio

import msgspec
from nats.aio.msg import Msg

from lineshaft.backbone import Connection
from lineshaft.core.ports import Health, HealthState

__all__ = ["RebirthRequest", "SourcesHealth", "health_subject", "rebirth_subject"]

_SILENT_S = 10.0


class RebirthRequest(msgspec.Struct, frozen=True):
    """For the brokers that sources are connected to; where that edge node is not, it does nothing."""

    topic: str
    payload: bytes


def health_subject(plant: str) -> str:
    """Each message: a JSON object of name: Health."""
    return f"ls.sources.{plant}.health"


def rebirth_subject(plant: str) -> str:
    """Each message: a RebirthRequest in msgpack."""
    return f"ls.sources.{plant}.rebirth"


class SourcesHealth:
    """What the process of the sources tells, for the console."""

    def __init__(self) -> None:
        self._heard: dict[str, Health] = {}
        self.heard_at = 0.0  # seconds of the event loop's clock

    async def follow(self, connection: Connection, plant: str) -> None:
        """Until cancelled."""

        async def take(message: Msg) -> None:
            self._heard = msgspec.json.decode(message.data, type=dict[str, Health])
            self.heard_at = asyncio.get_running_loop().time()

        subscription = await connection.subscribe(health_subject(plant), take)
        try:
            await asyncio.Event().wait()
        finally:
            await connection.unsubscribe(subscription)

    async def of(self, name: str) -> Health:
        if name not in self._heard:
            return Health(state=HealthState.STARTING, detail="nothing was heard yet")
        silent_s = asyncio.get_running_loop().time() - self.heard_at
        if silent_s > _SILENT_S:
            return Health(state=HealthState.STOPPED, detail=f"nothing was heard for {silent_s:.0f} s")
        return self._heard[name]
