"""A machine that publishes JSON by MQTT: QoS 1, its own clock, nothing lost while the broker is away."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from paho.mqtt import client as mqtt

from estate.machines.behaviour import Behaviour, FillerBehaviour
from estate.machines.ticker import Ticker
from estate.plant import Machine, machine
from lineshaft.core.clock import rfc3339

__all__ = ["FillerDevice", "MqttDevice"]

RECONNECT_MIN_S, RECONNECT_MAX_S = 1, 5
KEEPALIVE_S = 15
DRAIN_S = 5.0


class MqttDevice:
    """Publishes `{"value", "time", "quality"}` per property to `<machine.topic>/<property>`.

    interval_s   seconds between readings
    duplicates   times that each message is sent, byte by byte the same
    published    messages handed to the client so far, duplicates included
    acknowledged messages that the broker has confirmed so far

    paho keeps what is not yet acknowledged and sends it again after a reconnect, in order.
    """

    def __init__(
        self,
        machine: Machine,
        behaviour: Behaviour,
        *,
        host: str,
        port: int,
        username: str = "",
        password: str = "",
        interval_s: float = 1.0,
        duplicates: int = 1,
    ) -> None:
        self.machine = machine
        self.duplicates = duplicates
        self.published = 0
        self.acknowledged = 0
        self._behaviour = behaviour
        self._address = (host, port)
        self._counted = threading.Condition()
        self._client = mqtt.Client(client_id=f"{machine.equipment}-{id(self):x}", clean_session=True)
        if username:
            self._client.username_pw_set(username, password)
        self._client.max_queued_messages_set(0)
        self._client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
        self._client.on_publish = self._on_publish
        self._ticker = Ticker(machine.equipment, interval_s, self._publish_values)

    def start(self) -> None:
        """Returns at once; connects and publishes from its own threads, also when the broker comes later."""
        host, port = self._address
        self._client.connect_async(host, port, keepalive=KEEPALIVE_S)
        self._client.loop_start()
        self._ticker.start()

    def stop(self, drain_s: float = DRAIN_S) -> None:
        """No further readings; waits up to drain_s for the broker to confirm those that were made."""
        self._ticker.stop()
        self.drain(drain_s)
        self._client.disconnect()
        self._client.loop_stop()

    def drain(self, timeout_s: float = DRAIN_S) -> bool:
        """Whether the broker has confirmed everything within the time."""
        with self._counted:
            return self._counted.wait_for(lambda: self.acknowledged >= self.published, timeout_s)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _publish_values(self, elapsed_s: float) -> None:
        time = rfc3339(datetime.now(UTC))
        for name, value in self._behaviour.values(elapsed_s).items():
            payload = json.dumps({"value": value, "time": time, "quality": "good"})
            for _ in range(self.duplicates):
                with self._counted:
                    self.published += 1
                self._client.publish(f"{self.machine.topic}/{name}", payload, qos=1)

    def _on_publish(self, client: mqtt.Client, userdata: Any, mid: int) -> None:
        with self._counted:
            self.acknowledged += 1
            self._counted.notify_all()


class FillerDevice(MqttDevice):
    """The bottle filler: pressure around 3.2 bar until breach(), beyond 4.5 until recover()."""

    def __init__(self, *, host: str, port: int, equipment: str = "FILLER-01", **options: Any) -> None:
        """options: as MqttDevice"""
        place = machine(equipment)
        self.behaviour = FillerBehaviour(place)
        super().__init__(place, self.behaviour, host=host, port=port, **options)

    def breach(self) -> None:
        self.behaviour.breach()

    def recover(self) -> None:
        self.behaviour.recover()
