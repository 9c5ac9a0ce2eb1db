"""Device traffic from the MQTT listener into `RawReading`s, by two paths.

QoS 1 and 2   a durable consumer on the server's own stream `$MQTT_msgs`: a PUBACK means stored there, so
              nothing is lost, over a kill -9 of either side too. That stream keeps a message only while a
              consumer wants it: the durable exists before devices are let in (`Backbone.start`). It is
              internal to nats-server: the version is pinned, and the tests of this module vouch for it.
QoS 0         the stream `LS_RAW` on the devices' subjects. It takes in QoS 1 and 2 as well; those are skipped
              by their header `Nmqtt-Pub`. What a NATS client publishes there has no such header: taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from lineshaft.backbone.connection import ApiRefused, Connection
from lineshaft.backbone.pull import Delivery, PullFeed, acknowledge, declare_consumer
from lineshaft.backbone.streams import MQTT_MESSAGES, RAW
from lineshaft.backbone.topics import raw_subjects, subject_to_topic
from lineshaft.core.errors import TransientFault
from lineshaft.core.values import RawReading

__all__ = ["QOS0_DURABLE", "QOS1_DURABLE", "MqttIngest", "declare_interest", "withdraw_interest"]

QOS1_DURABLE = "ls-ingest-qos1"
QOS0_DURABLE = "ls-ingest-qos0"

_log = structlog.get_logger(__name__)
_MQTT_PREFIX = "$MQTT.msgs."
_TESTED_SERVER = "2.15.1"
_ACK_WAIT_S = 30.0
_REMEMBERED = 100_000
_BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_Handle = Callable[[Sequence[RawReading]], Awaitable[None]]


async def declare_interest(connection: Connection, topic_filters: Sequence[str]) -> None:
    """Make the server keep the devices' QoS 1 messages from now on, whether or not anyone reads them.

    A filter that is taken away takes its unread messages with it: the server drops them at once, and this
    tells how many.
    """
    if connection.server_version != _TESTED_SERVER:
        _log.warning(
            "the MQTT streams are internal to nats-server and were tested with another version",
            tested=_TESTED_SERVER,
            running=connection.server_version,
            next_step="run tests/backbone/test_ingest.py with NATS_BIN set to this server",
        )
    config = _qos1_config(topic_filters)
    before = await _waiting(connection)
    await declare_consumer(connection, MQTT_MESSAGES, config)
    after = await _waiting(connection)
    if after < before:
        _log.warning(
            "unread device messages were dropped with their topic filter",
            messages=before - after,
            topic_filters=list(topic_filters),
        )


async def withdraw_interest(connection: Connection) -> None:
    """No topics are taken in any more: what is unread in `$MQTT_msgs` must not fill the disk for nobody."""
    try:
        left = await _waiting(connection)
        await connection.api(f"CONSUMER.DELETE.{MQTT_MESSAGES}.{QOS1_DURABLE}")
    except ApiRefused:
        return
    _log.warning("no device topics are taken in any more", unread_messages_dropped=left)


class MqttIngest:
    """Implements `core.ports.RawSource` for the topic filters of one backbone.

    taken     messages handed over; skipped: QoS 1 and 2 seen by the QoS 0 path; repeats: redeliveries not
              handed over a second time by this process
    """

    def __init__(self, connection: Connection, topic_filters: Sequence[str], *, batch: int = 1000) -> None:
        self._connection = connection
        self._batch = batch
        qos0: dict[str, Any] = {
            "durable_name": QOS0_DURABLE,
            "ack_wait": int(_ACK_WAIT_S * 1e9),
            "max_deliver": -1,
            "max_ack_pending": 20_000,
            "filter_subjects": raw_subjects(list(topic_filters)),
        }
        self._paths = [
            _Path(connection, MQTT_MESSAGES, _qos1_config(topic_filters), batch),
            _Path(connection, RAW, qos0, batch),
        ]
        self._one_at_a_time = asyncio.Lock()
        self.ready = asyncio.Event()
        self.taken = self.skipped = self.repeats = 0

    async def run(self, handle: _Handle) -> None:
        """Hand over batches until cancelled; a batch is acknowledged when `handle` returned.

        Order is kept per topic within each path, over restarts of either side too. `handle` is never called
        twice at the same time. When it raises TransientFault the same batch is handed over again, without
        end; anything else ends the run, and the batch comes again at the next one.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for path in self._paths:
                    await path.open()
                self.ready.set()
                for path in self._paths:
                    group.create_task(self._follow(path, handle))
                    group.create_task(path.keep_alive())
        except ExceptionGroup as faults:
            raise faults.exceptions[0] from faults
        finally:
            for path in self._paths:
                await path.close()

    async def _follow(self, path: _Path, handle: _Handle) -> None:
        while True:
            deliveries = await path.feed.take(self._batch)
            path.held = deliveries
            readings = []
            for delivery in deliveries:
                if path.is_for_the_other(delivery):
                    self.skipped += 1
                elif path.was_handled(delivery):
                    self.repeats += 1
                else:
                    readings.append(to_raw_reading(delivery))
            if readings:
                async with self._one_at_a_time:
                    await self._hand_over(handle, readings)
                self.taken += len(readings)
            path.remember(deliveries)
            await acknowledge(self._connection, deliveries)
            path.held = []

    async def _hand_over(self, handle: _Handle, readings: list[RawReading]) -> None:
        attempt = 0
        while True:
            try:
                return await handle(readings)
            except TransientFault as fault:
                pause_s = fault.retry_after_s or _BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)]
                _log.warning(
                    "raw readings wait", readings=len(readings), first=readings[0].position, fault=str(fault)
                )
                await asyncio.sleep(pause_s)
                attempt += 1


class _Path:
    """One consumer, what it holds, and what it has handed over."""

    def __init__(self, connection: Connection, stream: str, config: dict[str, Any], batch: int) -> None:
        self._connection = connection
        self.feed = PullFeed(connection, stream, config, batch=batch, sole_reader=True)
        self.held: list[Delivery] = []
        self._handled: dict[tuple[str, str], None] = {}

    async def open(self) -> None:
        await self.feed.open()

    async def close(self) -> None:
        await self.feed.close()
        self.held = []

    def is_for_the_other(self, delivery: Delivery) -> bool:
        return self.feed.stream == RAW and delivery.headers.get("Nmqtt-Pub", "0") != "0"

    def was_handled(self, delivery: Delivery) -> bool:
        return delivery.identity in self._handled

    def remember(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._handled[delivery.identity] = None
        for _ in range(len(self._handled) - _REMEMBERED):
            del self._handled[next(iter(self._handled))]

    async def keep_alive(self) -> None:
        """Tell the server that what we hold is being worked on."""
        while True:
            await asyncio.sleep(_ACK_WAIT_S / 3)
            for delivery in [*self.held, *self.feed.waiting]:
                try:
                    await self._connection.publish(delivery.ack_subject, b"+WPI")
                except TransientFault:
                    break


def to_raw_reading(delivery: Delivery) -> RawReading:
    return RawReading(
        topic=subject_to_topic(delivery.subject.removeprefix(_MQTT_PREFIX)),
        payload=delivery.data,
        received_at=delivery.stored_at,
        position=f"{delivery.stream}:{delivery.sequence}",
    )


def _qos1_config(topic_filters: Sequence[str]) -> dict[str, Any]:
    return {
        "durable_name": QOS1_DURABLE,
        "ack_wait": int(_ACK_WAIT_S * 1e9),
        "max_deliver": -1,
        "max_ack_pending": 20_000,
        "filter_subjects": [f"{_MQTT_PREFIX}{subject}" for subject in raw_subjects(list(topic_filters))],
    }


async def _waiting(connection: Connection) -> int:
    try:
        info = await connection.api(f"STREAM.INFO.{MQTT_MESSAGES}")
    except ApiRefused:
        return 0
    return int(info["state"]["messages"])
