"""The packets of MQTT 3.1.1 and 5 for a client that publishes and subscribes at QoS 0 and 1.

source  OASIS MQTT 3.1.1 §2.2 (fixed header), §3; MQTT 5.0 §2.2.2 (properties), §3

`level` is that of CONNECT: 4 for MQTT 3.1.1, 5 for MQTT 5.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

__all__ = [
    "DISCONNECT",
    "PINGREQ",
    "Connack",
    "Publish",
    "Will",
    "connect_packet",
    "packet_at",
    "puback_packet",
    "publish_packet",
    "read_connack",
    "read_packet",
    "read_publish",
    "read_suback",
    "subscribe_packet",
]

PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"
_SESSION_EXPIRY, _SERVER_KEEP_ALIVE, _RECEIVE_MAXIMUM, _MAXIMUM_PACKET_SIZE = 0x11, 0x13, 0x21, 0x27
# Of the properties in a CONNACK: bytes of their value; 0: one text, -1: two. MQTT 5 §2.2.2.2
_CONNACK_PROPERTIES = {
    **dict.fromkeys((0x24, 0x25, 0x28, 0x29, 0x2A), 1),
    **dict.fromkeys((_SERVER_KEEP_ALIVE, _RECEIVE_MAXIMUM, 0x22), 2),
    **dict.fromkeys((_SESSION_EXPIRY, _MAXIMUM_PACKET_SIZE), 4),
    **dict.fromkeys((0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F), 0),
    0x26: -1,
}


class Will(msgspec.Struct, frozen=True, kw_only=True):
    """What the server publishes for us when we vanish, at QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False


class Connack(msgspec.Struct, frozen=True, kw_only=True):
    """code: 0, or why we are refused; None: the server kept to what we asked for."""

    session_present: bool
    code: int
    keepalive_s: int | None = None
    session_expiry_s: int | None = None


class Publish(msgspec.Struct, frozen=True):
    """packet_id: its two bytes, empty at QoS 0; retained: an old message, sent because we subscribed."""

    topic: bytes
    packet_id: bytes
    payload: bytes
    retained: bool


def connect_packet(
    client_id: str,
    user: str,
    password: str,
    keepalive_s: int,
    will: Will | None = None,
    *,
    level: int = 4,
    clean: bool = True,
    session_expiry_s: int = 0,
    receive_maximum: int = 0xFFFF,
    largest_packet: int = 0,
) -> bytes:
    """clean: without what the server has kept of us. What follows is said in MQTT 5 only; 0: no limit."""
    flags = 0x02 if clean else 0
    properties = bytearray()
    if level == 5:
        properties += _property(_SESSION_EXPIRY, session_expiry_s, 4)
        properties += _property(_RECEIVE_MAXIMUM, receive_maximum, 2)
        if largest_packet:
            properties += _property(_MAXIMUM_PACKET_SIZE, largest_packet, 4)
    fields = _with_length(properties, level) + _text(client_id)
    if will is not None:
        flags |= 0x04 | 0x08 | (0x20 if will.retain else 0)
        fields += _with_length(b"", level)
        fields += _text(will.topic) + len(will.payload).to_bytes(2, "big") + will.payload
    if user:
        flags |= 0xC0
        fields += _text(user) + _text(password)
    return _packet(0x10, _text("MQTT") + bytes([level, flags]) + keepalive_s.to_bytes(2, "big") + fields)


def publish_packet(
    topic: str, payload: bytes, *, qos: int, retain: bool, packet_id: int, level: int = 4
) -> bytes:
    head = _text(topic) + (packet_id.to_bytes(2, "big") if qos else b"") + _with_length(b"", level)
    return _packet(0x30 | qos << 1 | int(retain), head + payload)


def puback_packet(packet_id: bytes) -> bytes:
    return b"\x40\x02" + packet_id


def subscribe_packet(packet_id: int, filters: Sequence[str], qos: int, *, level: int = 4) -> bytes:
    """In MQTT 5: not what we publish ourselves, and retained messages only for a new subscription."""
    options = bytes([qos | (0x04 | 0x10 if level == 5 else 0)])
    wanted = b"".join(_text(each) + options for each in filters)
    return _packet(0x82, packet_id.to_bytes(2, "big") + _with_length(b"", level) + wanted)


def packet_at(buffer: bytes | bytearray, start: int) -> tuple[int, int] | None:
    """Where the body of the packet that begins at start begins and ends; None: it is not there whole.

    raises  ValueError for a length that is none
    """
    length = shift = 0
    for position in range(start + 1, min(len(buffer), start + 5)):
        byte = buffer[position]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            begin = position + 1
            return (begin, begin + length) if begin + length <= len(buffer) else None
    if shift == 28:
        raise ValueError("a packet length of more than four bytes")
    return None


async def read_packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Type (1–14) and body of the next packet. raises  asyncio.IncompleteReadError at the end"""
    kind = (await reader.readexactly(1))[0] >> 4
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return kind, await reader.readexactly(length)


def read_connack(body: bytes, level: int) -> Connack:
    """raises  IndexError, KeyError for a body that is none"""
    found: dict[int, int] = {}
    if level == 5 and len(body) > 2:
        length, position = _number(body, 2)
        end = position + length
        while position < end:
            kind, position = body[position], position + 1
            size = _CONNACK_PROPERTIES[kind]
            for _ in range(1 - size if size < 1 else 0):
                position += 2 + int.from_bytes(body[position : position + 2], "big")
            if size > 0:
                found[kind] = int.from_bytes(body[position : position + size], "big")
                position += size
    return Connack(
        session_present=bool(body[0] & 1),
        code=body[1],
        keepalive_s=found.get(_SERVER_KEEP_ALIVE),
        session_expiry_s=found.get(_SESSION_EXPIRY),
    )


def read_publish(first: int, body: bytes, level: int) -> Publish:
    """first: the packet's first byte. raises  IndexError for a body that is none"""
    end = 2 + int.from_bytes(body[:2], "big")
    topic, packet_id = body[2:end], b""
    if first & 0x06:
        packet_id = body[end : end + 2]
        end += 2
    if level == 5:
        length, end = _number(body, end)
        end += length
    if end > len(body):
        raise IndexError("a message that ends before its payload")
    return Publish(topic, packet_id, body[end:], bool(first & 1))


def read_suback(body: bytes, level: int) -> bytes:
    """What was granted, a byte for each filter: the QoS, or from 0x80 on why it is refused."""
    if level != 5:
        return body[2:]
    length, position = _number(body, 2)
    return body[position + length :]


def _number(body: bytes, position: int) -> tuple[int, int]:
    """A variable byte integer, and where it ends."""
    value = shift = 0
    while True:
        byte = body[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def _property(kind: int, value: int, size: int) -> bytes:
    return bytes([kind]) + value.to_bytes(size, "big")


def _with_length(properties: bytes | bytearray, level: int) -> bytes:
    return _variable(len(properties)) + bytes(properties) if level == 5 else b""


def _packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + _variable(len(body)) + body


def _variable(number: int) -> bytes:
    encoded = bytearray()
    while True:
        number, digit = divmod(number, 128)
        encoded.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(encoded)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded
