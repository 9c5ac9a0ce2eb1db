"""What a Sparkplug host application tells a broker: that it is there, and by its will that it is not."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from lineshaft.core.clock import SystemClock
from lineshaft.core.mqtt_packets import Will
from lineshaft.telemetry import state_message

__all__ = ["HostState", "Publishes"]


class Publishes(Protocol):
    def publish(self, topic: str, payload: bytes, *, retain: bool) -> Awaitable[None]: ...


class HostState:
    """host   its id; empty: we are none, and nothing is told

    One for each connection, made before it: birth and death carry one time stamp.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._born_at = SystemClock().now()

    @property
    def will(self) -> Will | None:
        if not self._host:
            return None
        topic, payload = state_message(self._host, online=False, at=self._born_at)
        return Will(topic=topic, payload=payload, retain=True)

    async def say(self, broker: Publishes, *, online: bool) -> None:
        """raises  TechnicalFault"""
        if self._host:
            topic, payload = state_message(self._host, online=online, at=self._born_at)
            await broker.publish(topic, payload, retain=True)
