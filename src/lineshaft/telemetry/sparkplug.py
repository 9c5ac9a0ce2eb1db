"""Sparkplug B as a host application reads it: births, data, deaths, sequence, requests for rebirth.

Source: Sparkplug 3.0.0. Addresses are `group/edge_node` and `group/edge_node/device`, as in the tag list.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

import msgspec
from google.protobuf.message import DecodeError

from lineshaft.core.clock import Clock
from lineshaft.core.values import ExceptionKind, Quality, RawReading
from lineshaft.telemetry.sample import MAX_PAYLOAD_BYTES, Decoded, Fault, Sample, from_epoch_ms, shown
from lineshaft.telemetry.sparkplug_b_pb2 import Metric, Payload
from lineshaft.telemetry.sparkplug_metric import BOOLEAN, number, quality
from lineshaft.telemetry.sparkplug_session import Birth, Cursor, Order, Session, birth_of, death_number
from lineshaft.telemetry.state import BIRTHS, CURSOR, read_state

__all__ = ["NAMESPACE", "SparkplugHost", "rebirth_request"]

NAMESPACE = "spBv1.0/"

# Message type: number of topic levels.
_LEVELS = {"NBIRTH": 4, "NDATA": 4, "NDEATH": 4, "DBIRTH": 5, "DDATA": 5, "DDEATH": 5}
_NOT_FOR_US = frozenset({"NCMD", "DCMD"})
# Metrics of the protocol itself, never values of a machine.
_PROTOCOL = ("bdSeq", "Node Control/", "Device Control/")


def rebirth_request(group: str, node: str, *, at: datetime) -> tuple[str, bytes]:
    """(topic, payload) of the command that asks an edge node for all its births; to be sent with QoS 0."""
    payload = Payload(timestamp=int(at.timestamp() * 1000))
    payload.metrics.add(name="Node Control/Rebirth", datatype=BOOLEAN, boolean_value=True)
    return f"{NAMESPACE}{group}/NCMD/{node}", payload.SerializeToString()


class _Message(msgspec.Struct, frozen=True):
    """One message taken apart. node, address: `group/edge_node`, and of what the message speaks."""

    kind: str
    node: str
    address: str
    payload: Payload
    received_at: datetime


class SparkplugHost:
    """The sessions of all edge nodes.

    rebirth_interval_s  an edge node is asked at most once in this time

    After lost messages an alias may mean another metric: values bound by alias alone are of uncertain quality
    until the next birth, so that they are seen but decide nothing. Without a birth nothing can be bound.
    """

    def __init__(self, clock: Clock, *, rebirth_interval_s: float = 10.0) -> None:
        self._clock = clock
        self._interval_s = rebirth_interval_s
        self._sessions: dict[str, Session] = {}
        self._asked: dict[str, float] = {}
        self._requests: list[tuple[str, bytes]] = []
        self._moved: set[str] = set()
        self._reborn: set[str] = set()

    def decode(self, raw: RawReading) -> Decoded:
        """One message of the namespace `spBv1.0/`. Never raises; STATE and commands yield nothing."""
        parts = raw.topic.split("/")
        kind = parts[2] if len(parts) > 2 else ""
        if parts[1] == "STATE" or kind in _NOT_FOR_US:
            return Decoded("")
        if _LEVELS.get(kind) != len(parts):
            return _refused(raw.topic, "the topic is none of Sparkplug B; correct the device's topic")
        node = f"{parts[1]}/{parts[3]}"
        address = f"{node}/{parts[4]}" if len(parts) == 5 else node
        if len(raw.payload) > MAX_PAYLOAD_BYTES:
            return _refused(address, "the payload is larger than 1 MiB; let the edge node send smaller ones")
        try:
            payload = Payload.FromString(raw.payload)
        except DecodeError:
            return _refused(address, "the payload is no Sparkplug B payload; correct the edge node's encoder")
        return self._take(_Message(kind, node, address, payload, raw.received_at), raw)

    def requests(self) -> list[tuple[str, bytes]]:
        """The (topic, payload) of each rebirth request since the last call."""
        requests, self._requests = self._requests, []
        return requests

    def changed(self) -> dict[str, bytes]:
        """What has to be saved since the last call, by state key."""
        encode = msgspec.msgpack.encode
        saved = {CURSOR + node: encode(self._sessions[node].cursor) for node in self._moved}
        saved.update({BIRTHS + node: encode(self._sessions[node].births) for node in self._reborn})
        self._moved, self._reborn = set(), set()
        return saved

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """Start from what was saved, and from nothing else. raises PermanentFault for an unreadable value"""
        self._sessions = {}
        self._moved, self._reborn, self._requests = set(), set(), []
        for key, data in saved.items():
            if key.startswith(CURSOR):
                node = key.removeprefix(CURSOR)
                births = saved.get(BIRTHS + node, b"\x80")
                self._sessions[node] = Session(
                    read_state(key, data, Cursor), read_state(BIRTHS + node, births, dict[str, Birth])
                )

    def _take(self, message: _Message, raw: RawReading) -> Decoded:
        session = self._sessions.get(message.node)
        if session is None:
            session = self._sessions[message.node] = Session(Cursor(), {})
        if not session.cursor.pass_by(raw):
            return Decoded(message.address, repeated=True)
        self._moved.add(message.node)
        if message.kind == "NBIRTH":
            return self._node_born(session, message)
        if message.kind == "NDEATH":
            return self._node_died(session, message)
        if not session.cursor.online:
            return Decoded(message.address, faults=self._ask(message, "without a birth of the edge node"))
        return self._of_session(session, message)

    def _node_born(self, session: Session, message: _Message) -> Decoded:
        cursor, payload, node = session.cursor, message.payload, message.node
        bd_seq = death_number(payload)
        if cursor.online and (cursor.born_ms, cursor.bd_seq) == (payload.timestamp, bd_seq):
            return Decoded(node, repeated=True)
        devices = [address for address in session.births if address != node]
        cursor.online, cursor.bd_seq, cursor.born_ms = True, bd_seq, payload.timestamp
        cursor.seq = payload.seq if payload.HasField("seq") else None
        cursor.sent_ms, cursor.doubted = payload.timestamp, set()
        session.births = {node: birth_of(payload)}
        self._reborn.add(node)
        decoded = self._values(session, message)
        decoded.stale = devices
        return decoded

    def _node_died(self, session: Session, message: _Message) -> Decoded:
        cursor, bd_seq = session.cursor, death_number(message.payload)
        if None not in (cursor.bd_seq, bd_seq) and cursor.bd_seq != bd_seq:
            # The will of a connection that a newer birth has replaced.
            return Decoded(message.node, repeated=True)
        cursor.online = False
        return Decoded(message.node, stale=list(session.births))

    def _of_session(self, session: Session, message: _Message) -> Decoded:
        """NDATA, DBIRTH, DDATA or DDEATH of an edge node that is born."""
        cursor, births, address = session.cursor, session.births, message.address
        order = cursor.follow(message.payload)
        if order is Order.GAP:
            cursor.doubted = set(births)
        decoded = Decoded(address)
        if message.kind == "DDEATH":
            if order is not Order.REPEATED and births.pop(address, None) is not None:
                self._reborn.add(message.node)
                decoded.stale = [address]
        elif message.kind == "DBIRTH" and order is not Order.REPEATED:
            births[address] = birth_of(message.payload)
            cursor.doubted.discard(address)
            self._reborn.add(message.node)
            decoded = self._values(session, message)
        elif address in births:
            decoded = self._values(session, message)
        else:
            decoded.faults = self._ask(message, "without a birth of the device")
        if order is Order.GAP or address in cursor.doubted:
            decoded.faults += self._ask(message, "after lost messages (a gap in seq)")
        return decoded

    def _ask(self, message: _Message, why: str) -> list[Fault]:
        """Ask for a rebirth, unless that was done a moment ago, and say so."""
        node, now = message.node, self._clock.monotonic()
        if now - self._asked.get(node, -math.inf) < self._interval_s:
            return []
        self._asked[node] = now
        group, _, name = node.partition("/")
        self._requests.append(rebirth_request(group, name, at=self._clock.now()))
        cause = (
            f"data of Sparkplug edge node {shown(node)} came {why}: it decides nothing until the next birth. "
            "A rebirth was asked for; if this repeats, look at the edge node and its connection"
        )
        return [Fault(cause, kind=ExceptionKind.UNPOSTABLE_READING)]

    def _values(self, session: Session, message: _Message) -> Decoded:
        address, payload = message.address, message.payload
        birth = session.births[address]
        doubted = address in session.cursor.doubted
        decoded = Decoded(address, [], [])
        times: dict[int, datetime] = {0: message.received_at}
        for metric in payload.metrics:
            name = metric.name or (birth.names.get(metric.alias) if metric.HasField("alias") else None)
            if not isinstance(name, str):
                decoded.faults.append(Fault(_unnamed(metric)))
                if metric.HasField("alias"):
                    decoded.faults += self._ask(message, "under an alias that no birth declares")
                continue
            if name.startswith(_PROTOCOL):
                continue
            try:
                value = number(metric, metric.datatype or birth.datatypes.get(name, 0))
                stamp = metric.timestamp or payload.timestamp
                time = times.get(stamp) or times.setdefault(stamp, _time(stamp))
            except ValueError as error:
                decoded.faults.append(Fault(f"metric {shown(name)!r} {error}", name))
                continue
            grade = quality(metric, value)
            if doubted and grade is Quality.GOOD and not metric.name:
                grade = Quality.UNCERTAIN
            decoded.samples.append(Sample(name, value, time, grade, metric.is_historical))
        return decoded


def _time(milliseconds: int) -> datetime:
    try:
        return from_epoch_ms(milliseconds)
    except ValueError as error:
        raise ValueError(f"has a timestamp that {error}") from None


def _unnamed(metric: Metric) -> str:
    if metric.HasField("alias"):
        return f"alias {metric.alias} is in no birth of its address; have the edge node send a complete birth"
    return "a metric has neither a readable name nor an alias; correct the edge node's encoder"


def _refused(address: str, cause: str) -> Decoded:
    return Decoded(address, faults=[Fault(cause)])
