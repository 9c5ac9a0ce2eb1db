"""Messages to devices, by MQTT QoS 1: a core NATS publish reaches no offline session."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import structlog

from lineshaft.core.errors import ConfigError, PermanentFault, TransientFault
from lineshaft.core.mqtt_packets import (
    DISCONNECT,
    PINGREQ,
    Will,
    connect_packet,
    publish_packet,
    read_packet,
)

__all__ = ["DeviceCommands"]

_log = structlog.get_logger(__name__)
_KEEPALIVE_S = 20
_BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
_CONNACK, _PUBACK = 2, 4
_REFUSALS = {
    1: "protocol version",
    2: "client id",
    3: "server unavailable",
    4: "credentials",
    5: "not authorised",
}
_TRANSIENT_REFUSAL = 3


class DeviceCommands:
    """One MQTT 3.1.1 connection of ours to the devices' broker. It publishes; it does not subscribe.

    A PUBACK means that the broker has the message on disk for sessions that asked for QoS 1, online or not,
    and under its topic if retained. Not that a device acted on it: that shows in the device's own messages.
    """

    def __init__(
        self,
        mqtt_url: str,
        *,
        user: str = "",
        password: str = "",
        client_id: str = "lineshaft",
        will: Will | None = None,
        on_connect: Callable[[], Awaitable[None]] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """mqtt_url: `mqtt://host:port`, or `mqtts://…` with tls; client_id: unique at the broker, a second
        one evicts the first; on_connect: called after each connect, e.g. to publish the Sparkplug STATE that
        the will takes back"""
        address = urlsplit(mqtt_url)
        if address.scheme not in ("mqtt", "mqtts") or not address.hostname:
            raise ConfigError(f"MQTT address {mqtt_url!r} is not valid", hint="mqtt://host:1883")
        if address.scheme == "mqtts" and tls is None:
            tls = ssl.create_default_context()
        self._tls = tls if address.scheme == "mqtts" else None
        self._host, self._port = address.hostname, address.port or (8883 if self._tls else 1883)
        self._url = mqtt_url
        self._connect = connect_packet(client_id, user, password, _KEEPALIVE_S, will)
        self._on_connect = on_connect
        self._writer: asyncio.StreamWriter | None = None
        self._acks: dict[int, asyncio.Future[None]] = {}
        self._packet_id = 0
        self.connected = asyncio.Event()

    async def run(self) -> None:
        """Hold the connection until cancelled; then the broker is told, and the will stays silent.

        raises  ConfigError when the broker refuses our credentials or client id
        """
        attempt = 0
        while True:
            try:
                await self._hold()
            except (OSError, asyncio.IncompleteReadError, TransientFault) as error:
                attempt = 0 if self.connected.is_set() else attempt + 1
                _log.warning(
                    "mqtt connection lost", broker=self._url, error=str(error) or type(error).__name__
                )
            finally:
                self._forget_connection()
            await asyncio.sleep(_BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)])

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, deadline_s: float = 10.0
    ) -> None:
        """Returns when the broker acknowledged (QoS 1), or when it was sent (QoS 0).

        raises  TransientFault when there is no connection or no acknowledgement in time: it may have been
                delivered, devices must bear a repeat; PermanentFault for another QoS
        """
        if qos not in (0, 1):
            raise PermanentFault(f"QoS {qos} for {topic} is not supported", hint="use 0 or 1")
        try:
            async with asyncio.timeout(deadline_s):
                await self.connected.wait()
                await self._send(topic, payload, qos, retain)
        except (TimeoutError, OSError) as error:
            raise TransientFault(
                f"{topic} was not acknowledged by {self._url} within {deadline_s:g} s",
                hint="publish it again",
            ) from error

    async def _send(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        writer = self._writer
        if writer is None:
            raise ConnectionResetError
        self._packet_id = packet_id = self._packet_id % 0xFFFF + 1
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if qos:
            self._acks[packet_id] = acknowledged
        try:
            writer.write(publish_packet(topic, payload, qos=qos, retain=retain, packet_id=packet_id))
            await writer.drain()
            if qos:
                await acknowledged
        finally:
            self._acks.pop(packet_id, None)

    async def _hold(self) -> None:
        async with asyncio.timeout(10):
            reader, self._writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
            self._writer.write(self._connect)
            kind, body = await read_packet(reader)
        if kind != _CONNACK or body[1]:
            reason = _REFUSALS.get(body[1], str(body[1]))
            if body[1] == _TRANSIENT_REFUSAL:
                raise TransientFault(f"{self._url}: {reason}")
            raise ConfigError(f"{self._url} refuses us: {reason}", hint="check user, password and client id")
        self.connected.set()
        greeting = asyncio.create_task(self._greet())
        try:
            await self._listen(reader, self._writer)
        finally:
            greeting.cancel()
            await asyncio.gather(greeting, return_exceptions=True)

    async def _greet(self) -> None:
        if self._on_connect is not None:
            with contextlib.suppress(TransientFault):
                await self._on_connect()

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        packet = asyncio.ensure_future(read_packet(reader))
        silent_for = 0
        try:
            while True:
                await asyncio.wait([packet], timeout=_KEEPALIVE_S / 2)
                if not packet.done():
                    silent_for += 1
                    if silent_for > 2:  # two pings without an answer
                        raise TransientFault(f"{self._url} is silent")
                    writer.write(PINGREQ)
                    continue
                silent_for = 0
                kind, body = packet.result()
                packet = asyncio.ensure_future(read_packet(reader))
                waiting = self._acks.get(int.from_bytes(body[:2], "big")) if kind == _PUBACK else None
                if waiting is not None and not waiting.done():
                    waiting.set_result(None)
        finally:
            packet.cancel()

    def _forget_connection(self) -> None:
        self.connected.clear()
        for waiting in self._acks.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError("the broker closed the connection"))
        if self._writer is not None:
            with contextlib.suppress(OSError, RuntimeError):
                self._writer.write(DISCONNECT)
                self._writer.close()
            self._writer = None
