"""The room's one facade: a server of our own or a cluster by URL, and what is built on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path

from lineshaft.backbone.bulk_client import BulkClient
from lineshaft.backbone.connection import Connection
from lineshaft.backbone.consumer import Consumer, Handle, HandleBatch, Redelivery
from lineshaft.backbone.dead_letters import DeadLetter, DeadLetterBox, OnDeadLetter
from lineshaft.backbone.device_commands import DeviceCommands
from lineshaft.backbone.ingest import MqttIngest, declare_interest, withdraw_interest
from lineshaft.backbone.publisher import Publisher
from lineshaft.backbone.pull import Delivery
from lineshaft.backbone.raw_sink import RawSink
from lineshaft.backbone.replay import replay
from lineshaft.backbone.server import NatsServer
from lineshaft.backbone.server_config import MqttUser
from lineshaft.backbone.stream_states import StreamState, stream_states
from lineshaft.backbone.streams import DEAD, MQTT_MESSAGES, RAW, SOURCES, declare, stream_of, streams
from lineshaft.core.errors import LineshaftError
from lineshaft.core.mqtt_packets import Will
from lineshaft.core.mqtt_tls import MqttTls
from lineshaft.core.ports import Health, HealthState
from lineshaft.core.values import EventClass

__all__ = ["Backbone"]

_EXTERNAL_STORAGE_BYTES = 50 * 2**30


class Backbone:
    """Started, connected, with every stream declared. Made by `start`.

    publisher     `core.ports.EventPublisher`
    connection    for what the facade does not offer
    server        the embedded server, None where a URL was given
    url           of the server or cluster; credentials: our user and password there
    mqtt_url      where devices connect, "" where it is not ours to know; mqtt_tls: how, where by TLS
    """

    def __init__(
        self,
        connection: Connection,
        *,
        server: NatsServer | None,
        topic_filters: Sequence[str],
        url: str,
        credentials: tuple[str, str],
        mqtt_url: str,
        mqtt_tls: MqttTls | None = None,
    ) -> None:
        self.connection = connection
        self.server = server
        self.url = url
        self.credentials = credentials
        self.mqtt_url = mqtt_url
        self.mqtt_tls = mqtt_tls
        self.publisher = Publisher(connection)
        self._topic_filters = tuple(topic_filters)
        self._raw_sink = RawSink(connection)

    @classmethod
    async def start(
        cls,
        url: str | None,
        data_dir: Path,
        *,
        topic_filters: Sequence[str] = (),
        with_sources: bool = False,
        user: str = "",
        password: str = "",
        port: int = 0,
        mqtt_port: int = 1883,
        mqtt_host: str = "127.0.0.1",
        mqtt_users: Sequence[MqttUser] | None = None,
        mqtt_tls: MqttTls | None = None,
        mqtt_url: str = "",
        storage_bytes: int | None = None,
        replicas: int = 1,
    ) -> Backbone:
        """Use the cluster at `url` (with user and password), or run the embedded server on `data_dir`.

        topic_filters    MQTT topics to take in, e.g. `plant/#`, `spBv1.0/#`; from the first moment that
                         devices can connect to the embedded server, their QoS 1 messages are kept for us
        with_sources     take in what `raw_sink` puts, also where there are no topic filters
        port … mqtt_tls  of the embedded server, see `NatsServer.start`
        mqtt_url         of the cluster's MQTT listener, for commands to devices
        storage_bytes    all streams together; None: from the disk, or 50 GiB at a cluster
        raises           ConfigError, PermanentFault, TransientFault (nobody answers)
        """
        server: NatsServer | None = None
        connection: Connection | None = None
        try:
            if url is None:
                server = NatsServer()
                await server.start(
                    data_dir,
                    port=port,
                    mqtt_port=mqtt_port,
                    mqtt_host=mqtt_host,
                    mqtt_users=mqtt_users,
                    mqtt_tls=mqtt_tls,
                    hold_mqtt_for=topic_filters,
                    storage_bytes=storage_bytes,
                )
                url, user, password = server.url, server.user, server.password
                mqtt_url, storage_bytes = server.mqtt_url, server.storage_bytes
            connection = await Connection.open(url, user=user, password=password)
            specs = streams(topic_filters, with_sources=with_sources)
            await declare(
                connection, specs, storage_bytes=storage_bytes or _EXTERNAL_STORAGE_BYTES, replicas=replicas
            )
            if topic_filters:
                await declare_interest(connection, topic_filters)
            elif server is not None:
                await withdraw_interest(connection)
            if server is not None and not server.mqtt_is_open:
                await connection.close()
                await server.open_mqtt(topic_filters)
                connection = await Connection.open(url, user=user, password=password)
        except BaseException:
            if connection is not None:
                await connection.close()
            if server is not None:
                await server.stop()
            raise
        return cls(
            connection,
            server=server,
            topic_filters=topic_filters,
            url=url,
            credentials=(user, password),
            mqtt_url=mqtt_url,
            mqtt_tls=mqtt_tls,
        )

    @classmethod
    async def join(
        cls,
        url: str,
        *,
        user: str,
        password: str,
        mqtt_url: str = "",
        mqtt_tls: MqttTls | None = None,
        topic_filters: Sequence[str] = (),
    ) -> Backbone:
        """Use a server on which another process has declared everything with `start`.

        raises  ConfigError, TransientFault (nobody answers)
        """
        connection = await Connection.open(url, user=user, password=password)
        return cls(
            connection,
            server=None,
            topic_filters=topic_filters,
            url=url,
            credentials=(user, password),
            mqtt_url=mqtt_url,
            mqtt_tls=mqtt_tls,
        )

    def consumer(
        self,
        stream: str,
        durable: str,
        *,
        owner: str,
        handle: Handle | None = None,
        handle_batch: HandleBatch | None = None,
        filter_subjects: Sequence[str] = (),
        on_dead_letter: OnDeadLetter | None = None,
        batch: int = 256,
        redelivery: Redelivery | None = None,
        deliver: str = "all",
    ) -> Consumer:
        """See `Consumer`; nothing happens before its `run()`."""
        return Consumer(
            self.connection,
            stream=stream,
            durable=durable,
            owner=owner,
            handle=handle,
            handle_batch=handle_batch,
            filter_subjects=filter_subjects,
            on_dead_letter=on_dead_letter,
            batch=batch,
            redelivery=redelivery,
            deliver=deliver,
        )

    def raw_source(self, *, max_wait_ms: float = 4.0, max_messages: int = 8192) -> MqttIngest:
        """The messages of devices and of sources; one `run()` at a time.

        max_wait_ms, max_messages   of one batch: how long it gathers, and how many are asked for at once
        """
        user, password = self.credentials

        async def connect(client: BulkClient) -> Connection:
            return await Connection.open(
                self.url, user=user, password=password, name="lineshaft-raw", client=client
            )

        return MqttIngest(
            self.connection,
            connect,
            self._topic_filters,
            max_wait_ms=max_wait_ms,
            max_messages=max_messages,
        )

    def raw_sink(self) -> RawSink:
        """Puts the messages of sources, beside those of the devices; one for all sources."""
        return self._raw_sink

    def device_commands(
        self,
        *,
        client_id: str = "lineshaft",
        will: Will | None = None,
        on_connect: Callable[[], Awaitable[None]] | None = None,
    ) -> DeviceCommands:
        """raises  ConfigError when the MQTT address is not known"""
        tls = self.mqtt_tls
        user, password = self.credentials if tls is None or tls.clients == "password" else ("", "")
        return DeviceCommands(
            self.mqtt_url,
            user=user,
            password=password,
            client_id=client_id,
            will=will,
            on_connect=on_connect,
            tls=tls.for_us() if tls is not None else None,
        )

    def replay(
        self,
        stream: str,
        *,
        since: datetime | None = None,
        from_sequence: int | None = None,
        filter_subjects: Sequence[str] = (),
    ) -> AsyncIterator[Delivery]:
        return replay(
            self.connection, stream, since=since, from_sequence=from_sequence, filter_subjects=filter_subjects
        )

    async def dead_letters(self) -> list[DeadLetter]:
        """All that are kept, the oldest first."""
        return [DeadLetterBox.read(each.headers, each.data) async for each in self.replay(DEAD)]

    async def stream_states(self) -> list[StreamState]:
        """Of our streams; with the consumers of those that events and device values go through.

        raises  TransientFault
        """
        classes = [stream_of(each) for each in EventClass]
        names = [*classes, DEAD, RAW, SOURCES, MQTT_MESSAGES]
        return await stream_states(self.connection, names, [*classes, RAW, SOURCES])

    async def health(self) -> Health:
        """Degraded: the server has thrown device traffic away since it started."""
        try:
            latency_ms = await self.connection.round_trip_ms()
        except LineshaftError as fault:
            return Health(state=HealthState.STOPPED, detail=str(fault))
        notes = []
        if self.server is not None and self.server.restarts:
            notes.append(f"server restarted {self.server.restarts} times")
        if self.server is not None and self.server.violations:
            notes.append(f"{self.server.violations} forbidden publishes")
        dropped = self.server.dropped if self.server is not None else 0
        if dropped:
            notes.append(f"device traffic was dropped {dropped} times, see nats.log")
        state = HealthState.DEGRADED if dropped else HealthState.ACTIVE
        return Health(state=state, detail="; ".join(notes), latency_ms=latency_ms)

    async def stop(self) -> None:
        """Stop publishing, disconnect, end the embedded server. Cancel consumers and sources before."""
        await self.publisher.close()
        await self._raw_sink.close()
        await self.connection.close()
        if self.server is not None:
            await self.server.stop()
