"""Where the session of a Sparkplug edge node stands, and what its births have declared.

Source: Sparkplug 3.0.0 §4, §5 and §6: seq runs 0 to 255 and around over all messages of an edge node; a birth
declares names, aliases and datatypes that later messages leave out.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

import msgspec

from lineshaft.telemetry.sparkplug.metric import is_protocol
from lineshaft.telemetry.sparkplug.sparkplug_b_pb2 import Metric, Payload

__all__ = ["Birth", "Cursor", "Held", "Order", "Session", "birth_of", "death_number"]

_SEQ = 256


class Order(Enum):
    NEXT = "next"
    AHEAD = "ahead"
    REPEATED = "repeated"


class Birth(msgspec.Struct):
    """What a birth of one address declares. names: by alias; datatypes: by name."""

    names: dict[int, str] = {}
    datatypes: dict[str, int] = {}

    def name_of(self, metric: Metric) -> str | None:
        """None for an alias that was not declared, and for a name that is no text."""
        name: object = metric.name or (self.names.get(metric.alias) if metric.HasField("alias") else None)
        return name if isinstance(name, str) else None

    def speaks_of_machine(self, metrics: Iterable[Metric]) -> bool:
        """Whether there is more among them than the protocol's own."""
        return any(not is_protocol(self.name_of(metric) or "") for metric in metrics)


class Held(msgspec.Struct, frozen=True):
    """A message that came before one that should precede it. kind: type of the message"""

    kind: str
    address: str
    payload: bytes
    seq: int


class Cursor(msgspec.Struct):
    """The small part of a session, saved whenever it moved.

    online    a birth of the edge node came, and no death since
    bd_seq    pairs a death with its birth
    born_ms   timestamp of the birth, ms since 1970
    seq       of the last message taken, None before any
    sent_ms   timestamp of the last message taken, ms since 1970
    doubted   addresses of which messages were lost since their birth: their aliases may have changed
    held      messages that wait for others, in the order in which they came
    until_us  µs since 1970: what is stored from then on no longer waits
    """

    online: bool = False
    bd_seq: int | None = None
    born_ms: int = 0
    seq: int | None = None
    sent_ms: int = 0
    doubted: set[str] = set()
    held: list[Held] = []
    until_us: int = 0

    def order(self, seq: int | None, sent_ms: int) -> Order:
        """How a message of this seq follows the last one; without seq it always does."""
        if seq is None or self.seq is None or seq == (self.seq + 1) % _SEQ:
            return Order.NEXT
        behind = (self.seq - seq) % _SEQ < _SEQ // 2
        return Order.REPEATED if behind and sent_ms <= self.sent_ms else Order.AHEAD

    def move(self, seq: int | None, sent_ms: int) -> None:
        if seq is not None:
            self.seq, self.sent_ms = seq, sent_ms

    def following(self) -> Held | None:
        """The held message that is next now, taken out."""
        wanted = -1 if self.seq is None else (self.seq + 1) % _SEQ
        for place, held in enumerate(self.held):
            if held.seq == wanted:
                return self.held.pop(place)
        return None

    def release(self) -> list[Held]:
        """All that is held, taken out, in order of seq."""
        held, self.held = self.held, []
        start = self.seq or 0
        return sorted(held, key=lambda one: (one.seq - start) % _SEQ)


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
