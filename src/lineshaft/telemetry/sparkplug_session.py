"""Where the session of a Sparkplug edge node stands, and what its births have declared.

Source: Sparkplug 3.0.0 §4, §5 and §6: seq runs 0 to 255 and around over all messages of an edge node; a birth
declares names, aliases and datatypes that later messages leave out.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec

from lineshaft.core.values import RawReading
from lineshaft.telemetry.sparkplug_b_pb2 import Payload

__all__ = ["Birth", "Cursor", "Order", "Session", "birth_of", "death_number"]

_SEQ = 256


class Order(Enum):
    NEXT = "next"
    GAP = "gap"
    REPEATED = "repeated"


class Birth(msgspec.Struct):
    """What a birth of one address declares. names: by alias; datatypes: by name."""

    names: dict[int, str] = {}
    datatypes: dict[str, int] = {}


class Cursor(msgspec.Struct):
    """The small part of a session, saved with every batch.

    online        a birth of the edge node came, and no death since
    bd_seq        pairs a death with its birth
    born_ms       timestamp of the birth, ms since 1970
    seq           of the last message, None before any
    sent_ms       timestamp of the last message, ms since 1970
    doubted       addresses of which messages were lost since their birth: their aliases may have changed
    stream,
    position      of the last message taken, and
    received_at   when it was stored: what is not after it was taken before
    """

    online: bool = False
    bd_seq: int | None = None
    born_ms: int = 0
    seq: int | None = None
    sent_ms: int = 0
    doubted: set[str] = set()
    stream: str = ""
    position: int = 0
    received_at: datetime | None = None

    def pass_by(self, raw: RawReading) -> bool:
        """Take note of a message's position; False for one that the backbone delivers again.

        A stream that was made anew counts from 1 but stores later: it is not taken for a repeat.
        """
        stream, _, digits = raw.position.rpartition(":")
        if not digits.isdecimal():
            return True
        position = int(digits)
        known = self.received_at
        if stream == self.stream and known and position <= self.position and raw.received_at <= known:
            return False
        self.stream, self.position, self.received_at = stream, position, raw.received_at
        return True

    def follow(self, payload: Payload) -> Order:
        """Check seq and move on; a repeat moves nothing."""
        if not payload.HasField("seq"):
            return Order.NEXT
        before, order = self.seq, Order.NEXT
        if before is not None and payload.seq != (before + 1) % _SEQ:
            behind = (before - payload.seq) % _SEQ < _SEQ // 2
            if behind and payload.timestamp <= self.sent_ms:
                return Order.REPEATED
            order = Order.GAP
        self.seq, self.sent_ms = payload.seq, payload.timestamp
        return order


class Session(msgspec.Struct):
    """births: by address, `group/edge_node` or `group/edge_node/device`"""

    cursor: Cursor
    births: dict[str, Birth]


def birth_of(payload: Payload) -> Birth:
    birth = Birth()
    for metric in payload.metrics:
        name = metric.name
        if isinstance(name, str) and name:
            birth.datatypes[name] = metric.datatype
            if metric.HasField("alias"):
                birth.names[metric.alias] = name
    return birth


def death_number(payload: Payload) -> int | None:
    """bdSeq of a birth or death of an edge node, None without one."""
    for metric in payload.metrics:
        if metric.name == "bdSeq":
            return metric.long_value if metric.HasField("long_value") else metric.int_value
    return None
