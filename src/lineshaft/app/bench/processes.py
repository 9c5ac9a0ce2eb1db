"""Processes per second and their latency: the engine and the store, beside DBOS Transact on the same steps.

The calls of the processes are answered in memory at once, so that what is measured is the journal.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, func, select

from lineshaft.app.bench.child import child
from lineshaft.app.bench.databases import Databases
from lineshaft.app.bench.facts import PLANT, SOURCE, notice
from lineshaft.app.bench.rounds import ROUNDS, median, percentile, repeat_for
from lineshaft.contracts.catalogue import Planning
from lineshaft.contracts.event import EventContract
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import TransientFault
from lineshaft.core.values import Command, Event, EventClass, Key, Outcome, Value
from lineshaft.ledger import Desk
from lineshaft.processes import Context, Engine, ProcessDefinition, process
from lineshaft.store import Store
from lineshaft.store.schema import process_steps, processes

__all__ = ["bench_processes"]

_NAME = "bench"
_IN_FLIGHT = 512
_STEPS = 6
_STEPS_AT_LOW_LOAD = 3
_LATE_S = 20.0


class Begun(Value, frozen=True, kw_only=True):
    id: Key
    number: int
    steps: int


_BEGUN = EventContract(
    "bench.process.begun.v1",
    Begun,
    eventclass=EventClass.OPERATIONAL,
    owner="integration",
    key="id",
    sla_s=5,
    summary="The bench begins one process",
)


class _AnswersAtOnce:
    """Implements core.ports.CallPort: no claim, no connector, no system."""

    async def call(self, command: Command) -> Outcome:
        request: Any = command.request
        reply = msgspec.structs.replace(request, id=f"N-{request.reference}")
        return Outcome(call_id=request.reference, reply=reply, document=reply.id)


class _Side:
    """Our side of the bench on one database."""

    def __init__(self, store: Store) -> None:
        clock = SystemClock()
        self._store = store
        self._numbers = count(1)
        self._at_its_end: dict[int, asyncio.Event] = {}
        self._begun = self._steps = 0
        self.engine = Engine(
            store,
            _AnswersAtOnce(),
            [self._definition()],
            Desk(store, clock).add,
            clock,
            plant=PLANT,
            zone=ZoneInfo("UTC"),
            source=SOURCE,
        )

    def _definition(self) -> ProcessDefinition:
        @process(
            name=_NAME,
            version=1,
            starts_on=_BEGUN,
            key=lambda begun: begun.id,
            uses=[Planning],
            owner="integration",
        )
        async def steps(ctx: Context, begun: Begun) -> Begun:
            planning = ctx.system(Planning)
            for step in range(begun.steps):
                await planning.constrain_capacity(notice(begun.number, step))
            self._at_its_end[begun.number].set()
            return begun

        return steps

    async def _begin(self, steps: int) -> str:
        """Returns the business key when the function is at its end; that end may not be durable yet."""
        number = next(self._numbers)
        key = f"bench-{number}"
        at_its_end = self._at_its_end[number] = asyncio.Event()
        begun = Begun(id=key, number=number, steps=steps)
        await self.engine.handle(_event(begun))
        await at_its_end.wait()
        del self._at_its_end[number]
        self._begun += 1
        self._steps += steps
        return key

    async def wf_s(self, seconds: float) -> float:
        """Completed processes per second, the last ones waited for.

        raises  TransientFault when one did not complete, or not with all its steps
        """
        before, begun_at = self._begun, time.perf_counter()

        async def one() -> None:
            await self._begin(_STEPS)

        await repeat_for(seconds, _IN_FLIGHT, one)
        while (completed := await self._store.read(_completed)) < self._begun:
            if time.perf_counter() - begun_at > seconds + _LATE_S:
                raise TransientFault(f"{completed} of {self._begun} processes were completed")
            await asyncio.sleep(0.001)
        wf_s = (self._begun - before) / (time.perf_counter() - begun_at)
        if (steps := await self._store.read(_recorded)) != self._steps:
            raise TransientFault(f"the journal holds {steps} steps of {self._steps}")
        return wf_s

    async def latencies_ms(self, seconds: float) -> list[float]:
        """From the event to where a reader finds the process completed, one process at a time."""

        async def one() -> None:
            key = await self._begin(_STEPS_AT_LOW_LOAD)
            while not await self._store.read(partial(_is_completed, key=key)):
                pass

        return await repeat_for(seconds, 1, one)


def _event(begun: Begun) -> Event:
    return _BEGUN.make(begun, plant=PLANT, source=SOURCE, identity=(begun.id,), time=datetime.now(UTC))


def _completed(connection: Connection) -> int:
    question = select(func.count()).select_from(processes).where(processes.c.state == "completed")
    found: int = connection.execute(question).scalar_one()
    return found


def _recorded(connection: Connection) -> int:
    found: int = connection.execute(select(func.count()).select_from(process_steps)).scalar_one()
    return found


def _is_completed(connection: Connection, key: str) -> bool:
    question = select(processes.c.state).where(processes.c.type == _NAME, processes.c.business_key == key)
    completed: bool = connection.execute(question).scalar_one() == "completed"
    return completed


@asynccontextmanager
async def _our_side(url: str) -> AsyncIterator[_Side]:
    store = Store.open(url)
    try:
        side = _Side(store)
        running = asyncio.create_task(side.engine.run())
        try:
            yield side
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    finally:
        await store.close()


Measure = Callable[[float], Awaitable[float | None]]


@asynccontextmanager
async def _dbos_side(new_database: Callable[[], str]) -> AsyncIterator[Measure]:
    if find_spec("dbos") is None:

        async def nothing(_: float) -> None:
            return None

        yield nothing
        return
    url, request = new_database(), msgspec.json.encode(notice(1)).decode()
    async with child("lineshaft.app.bench.dbos_side") as dbos:

        async def measured(seconds: float) -> float:
            question = {"url": url, "steps": _STEPS, "request": request, "seconds": seconds}
            answer = await dbos.ask(question, within_s=seconds + _LATE_S)
            return float(answer["wf_s"])

        yield measured


async def bench_processes(databases: Databases, seconds: float) -> dict[str, Any]:
    """For each database its figures, None for one that is not measured. seconds: of each round and side.

    raises  TransientFault when a side did not do what was to be measured
    """
    if find_spec("dbos") is None:
        print("no DBOS Transact to measure beside: install `dbos`", file=sys.stderr)
    return {
        name: None if new_database is None else await _on(new_database, seconds)
        for name, new_database in databases.items()
    }


async def _on(new_database: Callable[[], str], seconds: float) -> dict[str, float | None]:
    ours: list[float] = []
    theirs: list[float] = []
    p50: list[float] = []
    p99: list[float] = []
    async with _our_side(new_database()) as side, _dbos_side(new_database) as dbos_wf_s:
        for _ in range(ROUNDS):
            ours.append(await side.wf_s(seconds))
            if (wf_s := await dbos_wf_s(seconds)) is not None:
                theirs.append(wf_s)
            took_ms = await side.latencies_ms(seconds / 2)
            p50.append(percentile(took_ms, 0.5))
            p99.append(percentile(took_ms, 0.99))
    wf_s, beside = median(ours), median(theirs) if theirs else None
    return {
        "wf_s": wf_s,
        "dbos_wf_s": beside,
        "ratio": round(wf_s / beside, 2) if beside else None,
        "p50_ms": median(p50),
        "p99_ms": median(p99),
    }
