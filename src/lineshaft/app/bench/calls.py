"""Commands per second through the whole door, beside a bare loop posting the same bodies to the same server.

Each call is authorised, validated, claimed on disk, limited, sent by the REST connector over HTTP, noted on
disk with its document number and its outcome event in the outbox. Every twentieth command is given twice at
the same time, as a repeated event would; the server counts what that does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from lineshaft.app.bench.child import Child, child
from lineshaft.app.bench.databases import Databases
from lineshaft.app.bench.facts import PLANT, SOURCE, notice
from lineshaft.app.bench.rounds import ROUNDS, median, percentile, repeat_for
from lineshaft.calls import CallPolicy, Door, System
from lineshaft.connectors.rest import RestConnector, RestSettings
from lineshaft.contracts.catalogue import CAPABILITIES
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import TransientFault
from lineshaft.core.ids import new_id
from lineshaft.core.values import Command, Origin
from lineshaft.ledger import Claims
from lineshaft.store import Outbox, Store

__all__ = ["bench_calls"]

_IN_FLIGHT = 64
_TWICE_EVERY = 20
_ANSWER_S = 10.0
_ACTOR = "bench"
_OPERATION = "planning.constrain_capacity"
_NO_LIMIT = CallPolicy(rate_per_s=1e9, concurrency=2 * _IN_FLIGHT)


class _DoorSide:
    def __init__(self, door: Door) -> None:
        self._door = door
        self._numbers = count(1)
        self.posted = 0

    async def one(self) -> None:
        number = next(self._numbers)
        command = Command(
            operation=_OPERATION,
            request=notice(number),
            origin=Origin(plant=PLANT, actor=_ACTOR, correlation_id=f"bench-{number}"),
        )
        if number % _TWICE_EVERY:
            await self._door.call(command)
        else:
            await asyncio.gather(self._door.call(command), self._door.call(command))
        self.posted += 1


class _BareSide:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = f"{url}/notices"
        self._numbers = count(1)
        self.posted = 0

    async def one(self) -> None:
        key, signal = new_id(), msgspec.to_builtins(notice(next(self._numbers)))
        body = {
            "resource": signal["work_center_id"],
            "machine": signal["equipment_id"],
            "cause": signal["reason"],
            "validFrom": signal["start_time"],
            "validTo": signal["end_time"],
            "affectedOrder": signal["operations_request_id"],
            "reference": signal["reference"],
            "externalRef": key,
        }
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        async with self._session.post(self._url, data=msgspec.json.encode(body), headers=headers) as response:
            response.raise_for_status()
            msgspec.json.decode(await response.read())
        self.posted += 1


async def bench_calls(databases: Databases, seconds: float) -> dict[str, Any]:
    """For each database its figures, None for one that is not measured. seconds: of each round and side.

    raises  TransientFault when the server did not get what the door says is posted
    """
    return {
        name: None if new_database is None else await _on(new_database, seconds)
        for name, new_database in databases.items()
    }


@asynccontextmanager
async def _door_side(url: str, target: str) -> AsyncIterator[_DoorSide]:
    clock, store = SystemClock(), Store.open(url)
    try:
        mapping = str(Path(__file__).with_name("planning.yaml"))
        connector = RestConnector(
            RestSettings(name="planning", url=target, mapping=mapping, connections=_IN_FLIGHT)
        )
        await connector.start()
        try:
            system = System("planning", connector, CAPABILITIES, _NO_LIMIT, clock)
            claims = Claims(store, Outbox(store), clock)
            allowed = {_ACTOR: frozenset({_OPERATION})}
            yield _DoorSide(Door(claims, [system], allowed, plant=PLANT, source=SOURCE, clock=clock))
        finally:
            await connector.close()
    finally:
        await store.close()


@asynccontextmanager
async def _bare_side(target: str) -> AsyncIterator[_BareSide]:
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_IN_FLIGHT), cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield _BareSide(session, target)


async def _on(new_database: Callable[[], str], seconds: float) -> dict[str, float]:
    door_s: list[float] = []
    bare_s: list[float] = []
    p99: list[float] = []
    async with child("lineshaft.app.bench.target") as server:
        url = (await _counted(server))["url"]
        async with _door_side(new_database(), url) as door, _bare_side(url) as bare:
            for _ in range(ROUNDS):
                rate, took_ms = await _rate(door, seconds)
                door_s.append(rate)
                p99.append(percentile(took_ms, 0.99))
                rate, _took = await _rate(bare, seconds)
                bare_s.append(rate)
            counted = await _counted(server)
            if counted["keys"] != door.posted + bare.posted:
                raise TransientFault(
                    f"{door.posted + bare.posted} posts were answered, the server has {counted['keys']}"
                )
    posts_s, bare_posts_s = median(door_s), median(bare_s)
    return {
        "posts_s": posts_s,
        "p99_ms": median(p99),
        "duplicates": counted["posts"] - counted["keys"],
        "bare_posts_s": bare_posts_s,
        "ratio": round(posts_s / bare_posts_s, 3),
    }


async def _rate(side: _DoorSide | _BareSide, seconds: float) -> tuple[float, list[float]]:
    """Posts per second, and how long each took, in ms."""
    begun_at = time.perf_counter()
    took_ms = await repeat_for(seconds, _IN_FLIGHT, side.one)
    return len(took_ms) / (time.perf_counter() - begun_at), took_ms


async def _counted(server: Child) -> dict[str, Any]:
    return await server.ask({}, within_s=_ANSWER_S)
