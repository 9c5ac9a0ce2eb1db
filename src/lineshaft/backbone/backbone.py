"""The room's one facade: a server of our own or a cluster by URL, and what is built on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path

from lineshaft.backbone.connection import Connection
from lineshaft.backbone.consumer import Consumer, Handle, HandleBatch, Redelivery
from lineshaft.backbone.dead_letters import DeadLetter, DeadLetterBox, OnDeadLetter
from lineshaft.backbone.device_commands import DeviceCommands
from lineshaft.backbone.ingest import MqttIngest, declare_interest, withdraw_interest
from lineshaft.backbone.mqtt_packets import Will
from lineshaft.backbone.publisher import Publisher
from lineshaft.backbone.pull import Delivery
from lineshaft.backbone.replay import replay
from lineshaft.backbone.server import NatsServer
from lineshaft.backbone.server_config import MqttUser
from lineshaft.backbone.streams import DEAD, declare, streams
from lineshaft.core.errors import ConfigError, LineshaftError
from lineshaft.core.ports import Health, HealthState

__all__ = ["Backbone"]

_EXTERNAL_STORAGE_BYTES = 50 * 2**30


class Backbone:
    """Started, connected, with every stream declared. Made by `start`.

    publisher     `core.ports.EventPublisher`
    connection    for what the facade does not offer
    server        the embedded server, None where a URL was given
    mqtt_url      where devices connect, "" where it is not ours to know
    """

    def __init__(
        self,
        connection: Connection,
        *,
        server: NatsServer | None,
        topic_filters: Sequence[str],
        mqtt_url: str,
        mqtt_credentials: tuple[str, str],
    ) -> None:
        self.connection = connection
        self.server = server
        self.mqtt_url = mqtt_url
        self.publisher = Publisher(connection)
        self._topic_filters = tuple(topic_filters)
        self._mqtt_credentials = mqtt_credentials

    @classmethod
    async def start(
        cls,
        url: str | None,
        data_dir: Path,
        *,
        topic_filters: Sequence[str] = (),
        user: str = "",
        password: str = "",
        port: int = 0,
        mqtt_port: int = 1883,
        mqtt_host: str = "127.0.0.1",
        mqtt_users: Sequence[MqttUser] | None = None,
        mqtt_url: str = "",
        storage_bytes: int | None = None,
        replicas: int = 1,
    ) -> Backbone:
        """Use the cluster at `url` (with user and password), or run the embedded server on `data_dir`.

        topic_filters    MQTT topics to take in, e.g. `plant/#`, `spBv1.0/#`; from the first moment that
                         devices can connect to the embedded server, their QoS 1 messages are kept for us
        port … mqtt_users   of the embedded server, see `NatsServer.start`
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
                    hold_mqtt_for=topic_filters,
                    storage_bytes=storage_bytes,
                )
                url, user, password = server.url, server.user, server.password
                mqtt_url, storage_bytes = server.mqtt_url, server.storage_bytes
            connection = await Connection.open(url, user=user, password=password)
            specs = streams(topic_filters)
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
            mqtt_url=mqtt_url,
            mqtt_credentials=(user, password),
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

    def raw_source(self, *, batch: int = 1000) -> MqttIngest:
        """The devices' messages; one `run()` at a time keeps their order.

        raises  ConfigError when the backbone was started without topic filters
        """
        if not self._topic_filters:
            raise ConfigError(
                "no device topics are taken in", hint="name them at start: topic_filters=['plant/#']"
            )
        return MqttIngest(self.connection, self._topic_filters, batch=batch)

    def device_commands(
        self,
        *,
        client_id: str = "lineshaft",
        will: Will | None = None,
        on_connect: Callable[[], Awaitable[None]] | None = None,
    ) -> DeviceCommands:
        """raises  ConfigError when the MQTT address is not known"""
        user, password = self._mqtt_credentials
        return DeviceCommands(
            self.mqtt_url, user=user, password=password, client_id=client_id, will=will, on_connect=on_connect
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

    async def health(self) -> Health:
        """Degraded: unreachable, or the server has thrown device traffic away since it started."""
        try:
            latency_ms = await self.connection.round_trip_ms()
        except LineshaftError as fault:
            return Health(state=HealthState.DEGRADED, detail=str(fault))
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
        await self.connection.close()
        if self.server is not None:
            await self.server.stop()
