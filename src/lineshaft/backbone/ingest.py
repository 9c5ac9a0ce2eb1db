"""Device traffic into `RawBatch`es, by three paths.

QoS 1 and 2   the server's own stream `$MQTT_msgs`: a PUBACK means stored there, so nothing is lost, over a
              kill -9 of either side too. That stream keeps a message only while a consumer wants it: the
              durable that does exists before devices are let in (`Backbone.start`). It is internal to
              nats-server: the version is pinned, and the tests of this module vouch for it.
QoS 0         the stream `LS_RAW` on the devices' subjects. It takes in QoS 1 and 2 as well; those are left
              out by their header `Nmqtt-Pub`. What a NATS client publishes there has no such header: taken.
sources       the stream `LS_SOURCES`, where `RawSink` and `RawAgain` put messages under `ls.raw.`: on disk
              when put returns.

All are read by a `BulkFeed`. What is `done` is forgotten, see `Forgetting`; `LS_RAW` forgets by age.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import structlog

from lineshaft.backbone.bulk_client import BulkClient
from lineshaft.backbone.bulk_feed import BulkFeed
from lineshaft.backbone.connection import ApiRefused, Connection
from lineshaft.backbone.forgetting import QOS1_DURABLE, Forgetting
from lineshaft.backbone.pull import declare_consumer
from lineshaft.backbone.streams import MQTT_MESSAGES, RAW, SOURCES, SOURCES_PREFIX
from lineshaft.backbone.topics import raw_subjects, subject_to_topic
from lineshaft.core.errors import TransientFault
from lineshaft.core.ports import StreamPosition
from lineshaft.core.values import RawBatch

__all__ = ["MqttIngest", "declare_interest", "withdraw_interest"]

_log = structlog.get_logger(__name__)
_FORMER_DURABLE = "ls-ingest-qos1"  # acknowledged each message alone, which cannot be changed
_MQTT_PREFIX = "$MQTT.msgs."
_TESTED_SERVER = "2.15.1"
_RETRY_S = 0.2
_KNOWN_TOPICS = 200_000
_T = TypeVar("_T")
_Handle = Callable[[RawBatch], Awaitable[None]]
_Connect = Callable[[BulkClient], Awaitable[Connection]]


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
    before = await _waiting(connection)
    await declare_consumer(connection, MQTT_MESSAGES, _marker(_listener_subjects(topic_filters)))
    with contextlib.suppress(ApiRefused):
        await connection.api(f"CONSUMER.DELETE.{MQTT_MESSAGES}.{_FORMER_DURABLE}")
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
    """Implements `core.ports.RawSource` for the topic filters of one backbone, and what its sources put.

    ready     set while messages are being read
    taken     messages handed over; skipped: QoS 1 and 2 seen by the QoS 0 path
    """

    def __init__(
        self,
        connection: Connection,
        connect: _Connect,
        topic_filters: Sequence[str],
        *,
        max_wait_ms: float = 4.0,
        max_messages: int = 8192,
    ) -> None:
        """connect: makes the connection that messages come by, so that no flood of them sits before other
        traffic, and the one by which they are forgotten; max_wait_ms: how long messages gather after the
        first; max_messages: asked for at once"""
        self._connection = connection
        self._connect = connect
        self._topic_filters = list(topic_filters)
        self._max_wait_s = max_wait_ms / 1000
        self._max_messages = max_messages
        self._feeds: dict[str, BulkFeed] = {}
        self._forgetting: Forgetting | None = None
        self._one_at_a_time = asyncio.Lock()
        self._topics = _Topics()
        self.ready = asyncio.Event()
        self.taken = 0

    @property
    def skipped(self) -> int:
        return sum(feed.skipped for feed in self._feeds.values())

    @property
    def caught_up(self) -> bool:
        return self.ready.is_set() and all(feed.caught_up for feed in self._feeds.values())

    async def run(self, handle: _Handle, after: Mapping[str, StreamPosition]) -> None:
        """Hand over batches until cancelled. Order is kept per topic within each path."""
        client, connections, feeds = BulkClient(), list[Connection](), list[BulkFeed]()
        subjects = _listener_subjects(self._topic_filters)
        try:
            connection = await _patiently(lambda: self._connect(client))
            connections.append(connection)
            connections.append(await _patiently(lambda: self._connect(BulkClient())))
            feeds.append(self._feed(connection, client, SOURCES))
            if subjects:
                feeds += [
                    self._feed(connection, client, MQTT_MESSAGES, filter_subjects=subjects),
                    self._feed(connection, client, RAW, leave_out=_is_of_the_listener_stream),
                ]
            self._feeds = {feed.stream: feed for feed in feeds}
            self._forgetting = Forgetting(connections[-1])
            if subjects:
                marker = _marker(subjects)
                await _patiently(lambda: declare_consumer(self._connection, MQTT_MESSAGES, marker))
            for feed in feeds:
                await feed.open(after.get(feed.stream))
            async with asyncio.TaskGroup() as group:
                for feed in feeds:
                    group.create_task(self._follow(feed, handle))
                group.create_task(self._forgetting.run())
                self.ready.set()
        except ExceptionGroup as faults:
            raise faults.exceptions[0] from faults
        finally:
            self.ready.clear()
            self._forgetting = None
            # A task of its own: nothing can be asked of the server in one that is being cancelled.
            await asyncio.create_task(_end(feeds, connections))

    async def done(self, upto: Mapping[str, StreamPosition]) -> None:
        """Returns at once; what is noted when the run ends is forgotten in the next."""
        if self._forgetting is not None:
            for stream, position in upto.items():
                if stream in self._feeds:
                    self._forgetting.note(self._feeds[stream], position)

    def _feed(self, connection: Connection, client: BulkClient, stream: str, **options: Any) -> BulkFeed:
        return BulkFeed(
            connection,
            client,
            stream,
            batch=self._max_messages,
            max_wait_s=self._max_wait_s,
            **options,
        )

    async def _follow(self, feed: BulkFeed, handle: _Handle) -> None:
        topics = self._topics
        while True:
            await feed.wait()
            async with self._one_at_a_time:
                taken = await feed.take()
                if taken is None:
                    continue
                if len(topics) > _KNOWN_TOPICS:
                    topics.clear()
                await handle(
                    RawBatch(
                        stream=feed.stream,
                        topics=list(map(topics.__getitem__, taken.subjects)),
                        payloads=taken.payloads,
                        stored_us=taken.stored_us,
                        sequences=taken.sequences,
                        created=feed.created,
                        waiting=taken.waiting,
                    )
                )
                self.taken += len(taken.sequences)


class _Topics(dict[bytes, str]):
    """Topics by subject, those seen before."""

    def __missing__(self, subject: bytes) -> str:
        text = subject.decode("utf-8", "replace")
        topic = self[subject] = subject_to_topic(text.removeprefix(_MQTT_PREFIX).removeprefix(SOURCES_PREFIX))
        return topic


def _is_of_the_listener_stream(head: bytes) -> bool:
    """A message in `LS_RAW` that its device sent at QoS 1 or 2: `$MQTT_msgs` has it too."""
    _, found, value = (b"\n" + head).partition(b"\nNmqtt-Pub:")
    return bool(found) and not value.lstrip().startswith(b"0")


async def _end(feeds: Sequence[BulkFeed], connections: Sequence[Connection]) -> None:
    for feed in feeds:
        await feed.close()
    for connection in connections:
        await connection.close()


async def _patiently(ask: Callable[[], Awaitable[_T]]) -> _T:
    """Again and again while the server is away."""
    while True:
        try:
            return await ask()
        except TransientFault as fault:
            _log.warning("device messages cannot be asked for yet", fault=str(fault))
            await asyncio.sleep(_RETRY_S)


def _marker(subjects: Sequence[str]) -> dict[str, Any]:
    return {
        "durable_name": QOS1_DURABLE,
        "filter_subjects": list(subjects),
        "headers_only": True,
        "ack_policy": "all",
    }


def _listener_subjects(topic_filters: Sequence[str]) -> list[str]:
    return [f"{_MQTT_PREFIX}{subject}" for subject in raw_subjects(list(topic_filters))]


async def _waiting(connection: Connection) -> int:
    try:
        info = await connection.api(f"STREAM.INFO.{MQTT_MESSAGES}")
    except ApiRefused:
        return 0
    return int(info["state"]["messages"])
