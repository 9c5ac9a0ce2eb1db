"""One connection to a broker, from CONNECT to its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from lineshaft.connectors.mqtt.settings import MqttOptions
from lineshaft.core.errors import TransientFault
from lineshaft.core.mqtt_packets import (
    DISCONNECT,
    PINGREQ,
    Connack,
    Publish,
    Will,
    connect_packet,
    packet_at,
    puback_packet,
    publish_packet,
    read_connack,
    read_publish,
    read_suback,
    subscribe_packet,
)

__all__ = ["Link"]

_ANSWER_S = 10.0
_HEADERS_BYTES = 70_000  # fixed header and topic, beside the payload
_CONNACK, _PUBLISH, _PUBACK, _SUBACK, _DISCONNECTED = 2, 3, 4, 9, 14
_CLOSED = "the broker closed the connection"
_REFUSALS = {
    0x01: "it does not speak this MQTT; set protocol to '3.1.1'",
    0x02: "the client id; set client_id",
    0x03: "it is not available",
    0x04: "user or password",
    0x05: "not authorised",
    0x84: "it does not speak MQTT 5; set protocol to '3.1.1'",
    0x85: "the client id; set client_id",
    0x86: "user or password",
    0x87: "not authorised",
    0x88: "it is not available",
    0x89: "it is busy",
    0x8A: "banned",
    0x8B: "it shuts down",
    0x8D: "nothing was heard from us",
    0x8E: "another client took over our session",
    0x8F: "topic filter",
    0x93: "more than it may send us at a time",
    0x95: "packet too large",
    0x97: "quota exceeded",
    0x98: "an administrator ended the connection",
    0x9C: "use another server",
    0x9D: "the server has moved",
}
Deliver = Callable[["Link", Publish], None]


class Link(asyncio.Protocol):
    """lost: its result says in words why the connection ended.

    What comes is handed to `deliver` as long as `has_room`; then nothing is read until `go_on`.
    """

    def __init__(
        self, options: MqttOptions, will: Will | None, deliver: Deliver, has_room: Callable[[], bool]
    ) -> None:
        self._options, self._will = options, will
        self._deliver = deliver
        self._has_room = has_room
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._answers: dict[tuple[int, bytes], asyncio.Future[bytes]] = {}
        self._packet_id = 0
        self._heard_at = self._loop.time()
        self._pinging: asyncio.Task[None] | None = None
        self.lost: asyncio.Future[str] = self._loop.create_future()

    async def open(self) -> Connack:
        """Connect and have our session back, or a new one.

        raises  TransientFault in words: nobody there, no answer in time, refused
        """
        options, (host, port), tls = self._options, self._options.address, self._options.tls()
        name = (options.server_name or host) if tls else None
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._loop.create_connection(lambda: self, host, port, ssl=tls, server_hostname=name)
                body = await self._asked(
                    _CONNACK,
                    b"",
                    connect_packet(
                        options.session,
                        options.user,
                        options.password,
                        options.keepalive_s,
                        self._will,
                        level=options.level,
                        clean=False,
                        session_expiry_s=options.session_expiry_s,
                        receive_maximum=options.window,
                        largest_packet=options.largest_bytes + _HEADERS_BYTES,
                    ),
                )
        except TimeoutError:
            raise TransientFault(f"no answer within {_ANSWER_S:g} s") from None
        except OSError as error:
            raise TransientFault(str(error) or type(error).__name__) from error
        try:
            answer = read_connack(body, options.level)
        except (IndexError, KeyError) as error:
            raise TransientFault("its CONNACK cannot be read") from error
        if answer.code:
            raise TransientFault(f"refused: {_REFUSALS.get(answer.code, hex(answer.code))}")
        keepalive_s = options.keepalive_s if answer.keepalive_s is None else answer.keepalive_s
        self._pinging = self._loop.create_task(self._ping(keepalive_s or options.keepalive_s))
        return answer

    async def subscribe(self, filters: Sequence[str]) -> list[str]:
        """In words: which filters were refused, or granted at less than was asked for.

        raises  TransientFault
        """
        packet_id, options = self._next_id(), self._options
        packet = subscribe_packet(packet_id, filters, options.qos, level=options.level)
        try:
            async with asyncio.timeout(_ANSWER_S):
                body = await self._asked(_SUBACK, packet_id.to_bytes(2, "big"), packet)
        except TimeoutError:
            raise TransientFault(f"no answer to SUBSCRIBE within {_ANSWER_S:g} s") from None
        granted = read_suback(body, options.level)
        found = []
        for topic_filter, code in zip(filters, granted, strict=False):
            if code >= 0x80:
                found.append(
                    f"topic filter {topic_filter!r} is refused: {_REFUSALS.get(code, 'not authorised')}"
                )
            elif code < options.qos:
                found.append(
                    f"topic filter {topic_filter!r} is granted at QoS {code} only: messages may be lost"
                )
        return found

    async def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Returns when the broker has it (QoS 1), or when it was sent (QoS 0).

        raises  TransientFault
        """
        packet_id = self._next_id() if qos else 0
        packet = publish_packet(
            topic, payload, qos=qos, retain=retain, packet_id=packet_id, level=self._options.level
        )
        if not qos:
            self._write(packet)
            return
        body = await self._asked(_PUBACK, packet_id.to_bytes(2, "big"), packet)
        if len(body) > 2 and body[2] >= 0x80:
            raise TransientFault(f"{topic} is refused: {_REFUSALS.get(body[2], hex(body[2]))}")

    def acknowledge(self, packet_ids: Sequence[bytes]) -> None:
        """In the order in which they came. Once the connection is lost, nothing: they will come again."""
        if packet_ids and not self.lost.done():
            self._write(b"".join(map(puback_packet, packet_ids)))

    def go_on(self) -> None:
        """Read on: there is room again."""
        if self.lost.done() or self._transport is None:
            return
        try:
            self._read()
        except (ValueError, IndexError) as error:
            return self._end(f"the broker sent what is not MQTT: {error}")
        if self._has_room():
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def close(self) -> None:
        """The broker keeps our session, and publishes the will: a DISCONNECT would take it back."""
        if self._will is None and self._transport is not None and not self._transport.is_closing():
            self._transport.write(DISCONNECT)
        self._end("closed by us")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_connection gives
        self._transport = transport
        if self.lost.done():
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        self._buffer += data
        self.go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(str(exc) if exc else _CLOSED)

    def _read(self) -> None:
        buffer, start = self._buffer, 0
        while self._has_room() and (found := packet_at(buffer, start)) is not None:
            first, body = buffer[start], bytes(buffer[found[0] : found[1]])
            start = found[1]
            kind = first >> 4
            if kind == _PUBLISH:
                self._deliver(self, read_publish(first, body, self._options.level))
            elif kind == _DISCONNECTED:
                self._end(f"{_CLOSED}: {_REFUSALS.get(body[0], hex(body[0])) if body else 'no reason told'}")
            else:
                answer = self._answers.get((kind, b"" if kind == _CONNACK else body[:2]))
                if answer is not None and not answer.done():
                    answer.set_result(body)
        del buffer[:start]

    async def _asked(self, kind: int, packet_id: bytes, packet: bytes) -> bytes:
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self._answers[kind, packet_id] = answer
        try:
            self._write(packet)
            return await answer
        finally:
            del self._answers[kind, packet_id]

    async def _ping(self, keepalive_s: float) -> None:
        """While we do not read, the broker's silence says nothing."""
        while not self.lost.done():
            await asyncio.sleep(keepalive_s / 2)
            if not self._has_room():
                self._heard_at = self._loop.time()
            if self._loop.time() - self._heard_at > 1.5 * keepalive_s:
                return self._end(f"nothing came for {1.5 * keepalive_s:g} s")
            with contextlib.suppress(TransientFault):
                self._write(PINGREQ)

    def _write(self, data: bytes) -> None:
        if self._transport is None or self.lost.done():
            raise TransientFault(self.lost.result() if self.lost.done() else "not connected")
        self._transport.write(data)

    def _next_id(self) -> int:
        self._packet_id = self._packet_id % 0xFFFF + 1
        return self._packet_id

    def _end(self, reason: str) -> None:
        if self._transport is not None:
            self._transport.close() if reason == "closed by us" else self._transport.abort()
        if self.lost.done():
            return
        self.lost.set_result(reason)
        if self._pinging is not None:
            self._pinging.cancel()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(TransientFault(reason))
