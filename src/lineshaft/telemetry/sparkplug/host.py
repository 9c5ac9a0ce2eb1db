"""Sparkplug B as a host application reads it: births, data, deaths, sequence, requests for rebirth.

Source: Sparkplug 3.0.0. Addresses are `group/edge_node` and `group/edge_node/device`, as in the tag list.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec
from google.protobuf.message import DecodeError

from lineshaft.core.clock import Clock
from lineshaft.core.values import ExceptionKind, RawBatch
from lineshaft.telemetry.decode.bindings import Device
from lineshaft.telemetry.decode.columns import Columns
from lineshaft.telemetry.decode.notes import Notes
from lineshaft.telemetry.decode.sample import MAX_PAYLOAD_BYTES, Fault, epoch_time, shown
from lineshaft.telemetry.readings import STALE
from lineshaft.telemetry.sparkplug.bulk import Bulk, Quick
from lineshaft.telemetry.sparkplug.commands import rebirth_request
from lineshaft.telemetry.sparkplug.session import (
    Birth,
    Cursor,
    Held,
    Order,
    Session,
    birth_of,
    death_number,
)
from lineshaft.telemetry.sparkplug.sparkplug_b_pb2 import Payload
from lineshaft.telemetry.sparkplug.topics import DATA, Route, Routes
from lineshaft.telemetry.sparkplug.values import ValueReader
from lineshaft.telemetry.state import BIRTHS, CURSOR, read_state

__all__ = ["SparkplugHost"]

# How sparkplug-client and others mark a payload whose body is another one, deflated.
_COMPRESSED = "SPBV1.0_COMPRESSED"
_MOST_ASKED = 10_000


class _Message(msgspec.Struct):
    """One message taken apart.

    index    in the batch; of one that was held, of the message by which it came to its turn
    payload  None for one that is read with others
    """

    route: Route
    index: int
    seq: int | None
    sent_ms: int
    payload: Payload | None
    quick: Quick | None = None


_Slow: TypeAlias = dict[int, tuple[Route, Birth, bool]]


class SparkplugHost:
    """The sessions of all edge nodes.

    reorder_s           so long a message that came too early waits for those before it, by the times at which
                        this and later messages, of whomever, were stored
    held_most           of one edge node
    rebirth_interval_s  an edge node is asked at most once in this time

    After lost messages an alias may mean another metric: values bound by alias alone are of uncertain quality
    until the next birth, so that they are seen but decide nothing. Without a birth nothing can be bound.
    """

    def __init__(
        self,
        devices: Mapping[str, Device],
        clock: Clock,
        notes: Notes,
        *,
        reorder_s: float = 2.0,
        held_most: int = 64,
        rebirth_interval_s: float = 10.0,
    ) -> None:
        self._devices = devices
        self._clock = clock
        self._notes = notes
        self._reorder_us = round(reorder_s * 1_000_000)
        self._held_most = held_most
        self._interval_s = rebirth_interval_s
        self._sessions: dict[str, Session] = {}
        self._routes = Routes()
        self._asked: dict[str, float] = {}
        self._bulk = Bulk()
        self._waiting: set[str] = set()
        self._saved: dict[str, bytes] = {}
        self._moved: set[str] = set()
        self._reborn: set[str] = set()

    def read(self, batch: RawBatch, indices: Sequence[int], columns: Columns) -> None:
        """The messages of the namespace `spBv1.0/`, which these are. Never raises for what they are."""
        self._batch, self._columns, self._looked = batch, columns, 0
        self._reader = ValueReader(batch, columns, self._notes)
        quick = self._bulk.find(batch, indices, self._data_address)
        slow: _Slow = {}
        for index in indices:
            released = bool(self._waiting) and self._expire(index)
            message = self._message(index, None if released else quick.get(index))
            if message is not None:
                self._take(message, slow)
        if self._waiting and len(batch):
            self._expire(len(batch) - 1)
        for index in self._bulk.settle(batch, columns, self._notes):
            self._values(index, *slow[index], Payload.FromString(batch.payloads[index]))

    def saved(self) -> dict[str, bytes]:
        """The whole state; the same objects where nothing moved."""
        encode = msgspec.msgpack.encode
        for node in self._moved:
            self._saved[CURSOR + node] = encode(self._sessions[node].cursor)
        for node in self._reborn:
            self._saved[BIRTHS + node] = encode(self._sessions[node].births)
        self._moved, self._reborn = set(), set()
        return dict(self._saved)

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """Start from what was saved, and from nothing else. raises PermanentFault for an unreadable value"""
        self._sessions = {}
        self._moved, self._reborn = set(), set()
        self._saved = {key: data for key, data in saved.items() if key.startswith((CURSOR, BIRTHS))}
        for key, data in saved.items():
            if key.startswith(CURSOR):
                node = key.removeprefix(CURSOR)
                births = saved.get(BIRTHS + node, b"\x80")
                self._sessions[node] = Session(
                    read_state(key, data, Cursor), read_state(BIRTHS + node, births, dict[str, Birth])
                )
        self._waiting = {node for node, session in self._sessions.items() if session.cursor.held}

    def _data_address(self, topic: str) -> str | None:
        route = self._routes.of(topic)
        return route.address if route.kind in DATA else None

    def _message(self, index: int, quick: Quick | None) -> _Message | None:
        batch = self._batch
        topic, data = batch.topics[index], batch.payloads[index]
        route = self._routes.of(topic)
        session = self._sessions.get(route.node)
        if quick is not None and session is not None and not session.cursor.held:
            return _Message(route, index, quick.seq, quick.sent_ms, None, quick)
        if not route.kind:
            if route.wrong:
                self._refuse(index, topic, "the topic is none of Sparkplug B; correct the device's topic")
            return None
        if len(data) > MAX_PAYLOAD_BYTES:
            self._refuse(
                index, route.address, "the payload is larger than 1 MiB; let the edge node send smaller ones"
            )
            return None
        try:
            payload = Payload.FromString(data)
        except DecodeError:
            cause = "the payload is no Sparkplug B payload; correct the edge node's encoder"
            self._refuse(index, route.address, cause)
            return None
        if payload.uuid == _COMPRESSED:
            self._refuse(index, route.address, "the payload is compressed; turn that off at the edge node")
            return None
        return _of_payload(route, index, payload)

    def _refuse(self, index: int, address: str, cause: str) -> None:
        self._notes.bad(index, address, [Fault(cause)])

    def _take(self, message: _Message, slow: _Slow) -> None:
        kind, node = message.route.kind, message.route.node
        session = self._sessions.get(node)
        if kind == "NBIRTH":
            self._node_born(session, message)
        elif session is None or not session.cursor.online:
            if kind == "NDEATH":
                self._notes.counters.repeated += 1
            else:
                self._ask(message.index, message.route, "without a birth of the edge node")
        elif kind == "NDEATH":
            self._node_died(session, message)
        else:
            self._in_turn(session, message, slow)

    def _node_born(self, session: Session | None, message: _Message) -> None:
        payload, node = _payload(message), message.route.node
        if session is None:
            session = self._sessions[node] = Session(Cursor(), {})
        cursor, bd_seq = session.cursor, death_number(payload)
        if cursor.online and (cursor.born_ms, cursor.bd_seq) == (payload.timestamp, bd_seq):
            self._notes.counters.repeated += 1
            return
        if cursor.held:
            self._release(session, message.index, node)
        lost = [address for address in session.births if address != node] if cursor.online else []
        session.cursor = Cursor(
            online=True, bd_seq=bd_seq, born_ms=payload.timestamp, seq=message.seq, sent_ms=message.sent_ms
        )
        session.births = {node: birth_of(payload)}
        self._moved.add(node)
        self._reborn.add(node)
        for address in lost:
            self._lose(message.index, address, self._batch.stored_us[message.index])
        self._values(message.index, message.route, session.births[node], False, payload)

    def _node_died(self, session: Session, message: _Message) -> None:
        cursor, bd_seq = session.cursor, death_number(_payload(message))
        if None not in (cursor.bd_seq, bd_seq) and cursor.bd_seq != bd_seq:
            # The will of a connection that a newer birth has replaced.
            self._notes.counters.repeated += 1
            return
        if cursor.held:
            self._release(session, message.index, message.route.node)
        cursor.online = False
        self._moved.add(message.route.node)
        for address in session.births:
            self._lose(message.index, address, self._batch.stored_us[message.index])

    def _in_turn(self, session: Session, message: _Message, slow: _Slow) -> None:
        """NDATA, DBIRTH, DDATA or DDEATH of an edge node that is born."""
        cursor, route = session.cursor, message.route
        self._moved.add(route.node)
        order = cursor.order(message.seq, message.sent_ms)
        if order is not Order.AHEAD:
            self._of_session(session, message, order, slow)
            while cursor.held and (held := cursor.following()):
                self._of_session(session, self._again(held, message.index, route.node), Order.NEXT, slow)
            if not cursor.held:
                self._waiting.discard(route.node)
            return
        if not cursor.held:
            cursor.until_us = self._batch.stored_us[message.index] + self._reorder_us
        cursor.held.append(
            Held(route.kind, route.address, self._batch.payloads[message.index], message.seq or 0)
        )
        if not self._waiting:
            self._looked = message.index + 1
        self._waiting.add(route.node)
        if len(cursor.held) > self._held_most or not self._reorder_us:
            self._release(session, message.index, route.node)

    def _expire(self, upto: int) -> bool:
        """Release what has waited long enough at each message to this one; whether that was at this one."""
        at_this = False
        for index in range(self._looked, upto + 1):
            stored = self._batch.stored_us[index]
            for node in sorted(self._waiting):
                session = self._sessions[node]
                if stored >= session.cursor.until_us:
                    self._release(session, index, node)
                    at_this = index == upto
        self._looked = upto + 1
        return at_this

    def _release(self, session: Session, index: int, node: str) -> None:
        """Take what was held although messages before it are missing."""
        self._waiting.discard(node)
        self._moved.add(node)
        for held in session.cursor.release():
            message = self._again(held, index, node)
            order = session.cursor.order(message.seq, message.sent_ms)
            self._of_session(session, message, order, {})

    def _again(self, held: Held, index: int, node: str) -> _Message:
        return _of_payload(Route(held.kind, node, held.address), index, Payload.FromString(held.payload))

    def _of_session(self, session: Session, message: _Message, order: Order, slow: _Slow) -> None:
        cursor, births, route, index = session.cursor, session.births, message.route, message.index
        if order is not Order.REPEATED:
            cursor.move(message.seq, message.sent_ms)
        if order is Order.AHEAD:
            self._notes.counters.gaps += 1
            cursor.doubted = set(births)
        if route.kind == "DDEATH":
            if order is not Order.REPEATED and births.pop(route.address, None) is not None:
                self._reborn.add(route.node)
                self._lose(index, route.address, self._when(message.sent_ms, index))
        elif route.kind == "DBIRTH" and order is not Order.REPEATED:
            births[route.address] = birth_of(_payload(message))
            cursor.doubted.discard(route.address)
            self._reborn.add(route.node)
            self._values(index, route, births[route.address], False, _payload(message))
        elif route.address in births:
            birth, doubted = births[route.address], route.address in cursor.doubted
            device = self._devices.get(route.address)
            if message.quick and self._bulk.take(message.quick, birth, device, doubted):
                slow[index] = route, birth, doubted
            else:
                payload = message.payload or Payload.FromString(self._batch.payloads[index])
                self._values(index, route, birth, doubted, payload)
        else:
            self._ask(index, route, "without a birth of the device")
        if order is Order.AHEAD or route.address in cursor.doubted:
            self._ask(index, route, "after lost messages (a gap in seq)")

    def _ask(self, index: int, route: Route, why: str) -> None:
        """Ask for a rebirth, unless that was done a moment ago, and say so."""
        node, now = route.node, self._clock.monotonic()
        if now - self._asked.get(node, -math.inf) < self._interval_s:
            return
        if len(self._asked) >= _MOST_ASKED:
            self._asked.clear()
        self._asked[node] = now
        group, _, name = node.partition("/")
        self._notes.commands.append(rebirth_request(group, name, at=self._clock.now()))
        cause = (
            f"data of Sparkplug edge node {shown(node)} came {why}: it decides nothing until the next birth. "
            "A rebirth was asked for; if this repeats, look at the edge node and its connection"
        )
        self._notes.faults.append((index, Fault(cause, kind=ExceptionKind.UNPOSTABLE_READING)))

    def _lose(self, index: int, address: str, time: int) -> None:
        """All metrics of the address have lost their source."""
        device = self._devices.get(address)
        for tag in device.tags.values() if device else ():
            self._columns.row(index, tag, time, math.nan, STALE, False)

    def _values(self, index: int, route: Route, birth: Birth, doubted: bool, payload: Payload) -> None:
        device = self._devices.get(route.address)
        if device is None:
            if birth.speaks_of_machine(payload.metrics):
                self._notes.unbound(index, route.address, "")
        elif not self._reader.read(index, device, birth, doubted, payload):
            self._ask(index, route, "under an alias that no birth declares")

    def _when(self, sent_ms: int, index: int) -> int:
        try:
            return epoch_time(sent_ms, 1000, "milliseconds")
        except ValueError:
            return self._batch.stored_us[index]


def _of_payload(route: Route, index: int, payload: Payload) -> _Message:
    seq = payload.seq if payload.HasField("seq") else None
    return _Message(route, index, seq, payload.timestamp, payload)


def _payload(message: _Message) -> Payload:
    assert message.payload is not None  # noqa: S101 - only data messages are read with others
    return message.payload
