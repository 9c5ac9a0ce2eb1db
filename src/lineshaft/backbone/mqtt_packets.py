"""The few packets of MQTT 3.1.1 that a publisher needs.

source  OASIS MQTT 3.1.1 §2.2 (fixed header), §3.1 CONNECT, §3.3 PUBLISH, §3.4 PUBACK
"""

from __future__ import annotations

import asyncio

import msgspec

__all__ = ["DISCONNECT", "PINGREQ", "Will", "connect_packet", "publish_packet", "read_packet"]

PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"


class Will(msgspec.Struct, frozen=True, kw_only=True):
    """What the server publishes for us when we vanish, at QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False


def connect_packet(client_id: str, user: str, password: str, keepalive_s: int, will: Will | None) -> bytes:
    """A clean session."""
    flags, fields = 0x02, _text(client_id)
    if will is not None:
        flags |= 0x04 | 0x08 | (0x20 if will.retain else 0)
        fields += _text(will.topic) + len(will.payload).to_bytes(2, "big") + will.payload
    if user:
        flags |= 0xC0
        fields += _text(user) + _text(password)
    return _packet(0x10, _text("MQTT") + bytes([4, flags]) + keepalive_s.to_bytes(2, "big") + fields)


def publish_packet(topic: str, payload: bytes, *, qos: int, retain: bool, packet_id: int) -> bytes:
    head = _text(topic) + (packet_id.to_bytes(2, "big") if qos else b"")
    return _packet(0x30 | qos << 1 | int(retain), head + payload)


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


def _packet(first: int, body: bytes) -> bytes:
    length, encoded = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        encoded.append(digit | (0x80 if length else 0))
        if not length:
            return bytes([first]) + bytes(encoded) + body


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded
