"""The two ways of ours to post notices: events through the whole door, and a bare loop that keeps nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from lineshaft.app.bench.facts import PLANT, SOURCE, notice
from lineshaft.app.bench.rounds import repeat_for
from lineshaft.backbone import Backbone, event_subject, stream_of
from lineshaft.calls import CallPolicy, Door, System
from lineshaft.connectors.rest import RestConnector, RestSettings
from lineshaft.contracts.catalogue import CAPABILITIES
from lineshaft.contracts.event import EventContract
from lineshaft.core.clock import SystemClock
from lineshaft.core.ids import new_id
from lineshaft.core.values import Command, Event, EventClass, Origin
from lineshaft.ledger import Audit, Claims
from lineshaft.model.production import CapacitySignal
from lineshaft.store import Outbox, Store

__all__ = ["IN_FLIGHT", "TWICE_EVERY", "BareSide", "DoorSide", "bare_side", "door_side", "sent_notice"]

IN_FLIGHT = 64
TWICE_EVERY = 20
_BATCH = 256
_ACTOR = "bench"
_OPERATION = "planning.constrain_capacity"
_NO_LIMIT = CallPolicy(rate_per_s=1e9, concurrency=IN_FLIGHT, waiting=100_000)
_LOST = EventContract(
    "bench.capacity.lost.v1",
    CapacitySignal,
    eventclass=EventClass.OPERATIONAL,
    owner="integration",
    key="reference",
    sla_s=5,
    summary="The bench loses capacity of one work center",
)


class DoorSide:
    """JetStream → durable consumer → door → note → acknowledgement.

    posted   business keys so far
    """

    def __init__(self, door: Door, backbone: Backbone, durable: str) -> None:
        self._door = door
        self._publish = backbone.publisher.publish
        self._name = durable
        self._numbers = count(1)
        self._begin = asyncio.Event()
        self._awaited = 0
        self._all_noted: asyncio.Future[None] | None = None
        self._took_ms: list[float] = []
        self.posted = 0
        self.consumer = backbone.consumer(
            stream_of(_LOST.eventclass),
            durable,
            owner="integration",
            handle_batch=self._handle,
            filter_subjects=[event_subject(_LOST.eventclass, PLANT, _LOST.type)],
            batch=_BATCH,
            deliver="new",
        )

    async def round(self, notices: int) -> tuple[float, list[float]]:
        """Put so many facts on the backbone, then take them all from there.

        Every twentieth fact is told by two events. Returns the facts per second from when the handler may
        begin to the last note, and for each event the time from claim to note, in ms.
        """
        self._begin.clear()
        events = [event for number in range(notices) for event in self._events(next(self._numbers), number)]
        await self._publish(events)
        self._awaited, self._took_ms = len(events), []
        self._all_noted = asyncio.get_running_loop().create_future()
        begun_at = time.perf_counter()
        self._begin.set()
        await self._all_noted
        self.posted += notices
        return notices / (time.perf_counter() - begun_at), self._took_ms

    def _events(self, number: int, index: int) -> list[Event]:
        data = notice(number)
        tellings = ("first", "again") if index % TWICE_EVERY == 0 else ("first",)
        now = datetime.now(UTC)
        return [
            _LOST.make(
                data, plant=PLANT, source=SOURCE, identity=(self._name, data.reference, telling), time=now
            )
            for telling in tellings
        ]

    async def _handle(self, events: Sequence[Event]) -> None:
        await self._begin.wait()
        assert self._all_noted is not None  # noqa: S101 - made before the handler may begin
        try:
            await asyncio.gather(*(self._one(event) for event in events))
        except Exception as error:
            if not self._all_noted.done():
                self._all_noted.set_exception(error)
            raise
        self._awaited -= len(events)
        if self._awaited == 0:
            self._all_noted.set_result(None)

    async def _one(self, event: Event) -> None:
        begun_at = time.perf_counter()
        origin = Origin(
            plant=event.plant,
            actor=_ACTOR,
            correlation_id=event.correlationid,
            causation_id=event.id,
            traceparent=event.traceparent,
        )
        await self._door.call(Command(operation=_OPERATION, request=_LOST.decode(event), origin=origin))
        self._took_ms.append((time.perf_counter() - begun_at) * 1000)


class BareSide:
    """posted: answered so far."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = f"{url}/notices"
        self._numbers = count(1)
        self.posted = 0

    async def round(self, seconds: float) -> float:
        """Posts per second."""
        begun_at = time.perf_counter()
        took_ms = await repeat_for(seconds, IN_FLIGHT, self._one)
        return len(took_ms) / (time.perf_counter() - begun_at)

    async def _one(self) -> None:
        key = new_id()
        body = msgspec.json.encode(sent_notice(next(self._numbers)) | {"externalRef": key})
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        async with self._session.post(self._url, data=body, headers=headers) as response:
            response.raise_for_status()
            msgspec.json.decode(await response.read())
        self.posted += 1


def sent_notice(number: int) -> dict[str, Any]:
    """What the mapping sends of a notice, but for its key."""
    signal = msgspec.to_builtins(notice(number))
    return {
        "resource": signal["work_center_id"],
        "machine": signal["equipment_id"],
        "cause": signal["reason"],
        "validFrom": signal["start_time"],
        "validTo": signal["end_time"],
        "affectedOrder": signal["operations_request_id"],
        "reference": signal["reference"],
    }


@asynccontextmanager
async def door_side(url: str, target: str, backbone: Backbone, durable: str) -> AsyncIterator[DoorSide]:
    """Its consumer runs, and is at the end of the stream."""
    clock, store = SystemClock(), Store.open(url)
    try:
        mapping = str(Path(__file__).with_name("planning.yaml"))
        connector = RestConnector(
            RestSettings(name="planning", url=target, mapping=mapping, connections=IN_FLIGHT)
        )
        await connector.start()
        try:
            system = System("planning", connector, CAPABILITIES, _NO_LIMIT, clock)
            claims = Claims(store, Outbox(store), Audit("bench", clock), clock)
            allowed = {_ACTOR: frozenset({_OPERATION})}
            door = Door(claims, [system], allowed, plant=PLANT, source=SOURCE, clock=clock)
            side = DoorSide(door, backbone, durable)
            consuming = asyncio.create_task(side.consumer.run())
            try:
                await side.consumer.ready.wait()
                yield side
            finally:
                consuming.cancel()
                await asyncio.gather(consuming, return_exceptions=True)
        finally:
            await connector.close()
    finally:
        await store.close()


@asynccontextmanager
async def bare_side(target: str) -> AsyncIterator[BareSide]:
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=IN_FLIGHT), cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield BareSide(session, target)
