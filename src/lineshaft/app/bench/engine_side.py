"""Our side of the bench of processes: an engine on a store, its calls answered in memory at once.

Run as a child process it is one worker of several: one line of JSON asks for one measurement.
"""

from __future__ import annotations

import asyncio
import random
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import structlog
from sqlalchemy import Connection, func, select

from lineshaft.app.bench.facts import PLANT, SOURCE, notice
from lineshaft.app.bench.rounds import percentile, repeat_for
from lineshaft.contracts.catalogue import Planning
from lineshaft.contracts.event import EventContract
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import TransientFault
from lineshaft.core.values import Command, Event, EventClass, Key, Outcome, Value
from lineshaft.ledger import Desk
from lineshaft.processes import Context, Engine, ProcessDefinition, process
from lineshaft.processes.journal import take_over
from lineshaft.store import Store, Worker
from lineshaft.store.schema import process_steps, processes

__all__ = ["EngineSide", "engine_side"]

_NAME, _WAITING_NAME = "bench", "bench_waiting"
_IN_FLIGHT = 512
_LATE_S = 20.0
_WOKEN = 400
_IDLE_S = 5.0
_A_DAY = timedelta(days=1)


class Begun(Value, frozen=True, kw_only=True):
    id: Key
    number: int
    steps: int


def _contract(kind: str, summary: str) -> EventContract[Begun]:
    return EventContract(
        kind,
        Begun,
        eventclass=EventClass.OPERATIONAL,
        owner="integration",
        key="id",
        sla_s=5,
        summary=summary,
    )


_BEGUN = _contract("bench.process.begun.v1", "The bench begins one process")
_WAITED = _contract("bench.wait.begun.v1", "The bench begins one that waits")
_CALLED = _contract("bench.wait.ended.v1", "What it waits for")


class _AnswersAtOnce:
    """Implements core.ports.CallPort: no claim, no connector, no system."""

    async def call(self, command: Command) -> Outcome:
        request: Any = command.request
        reply = msgspec.structs.replace(request, id=f"N-{request.reference}")
        return Outcome(call_id=request.reference, reply=reply, document=reply.id)


class EngineSide:
    """worker: its name on the database."""

    def __init__(self, store: Store, worker: str) -> None:
        clock = SystemClock()
        self._store = store
        self._worker = worker
        self._numbers = count(1)
        self._at_its_end: dict[str, asyncio.Event] = {}
        self._begun = self._steps = 0
        self.engine = Engine(
            store,
            _AnswersAtOnce(),
            [self._stepping(), self._waiting()],
            Desk(store, clock).add,
            clock,
            plant=PLANT,
            zone=ZoneInfo("UTC"),
            source=SOURCE,
            worker=worker,
        )

    def _stepping(self) -> ProcessDefinition:
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
            self._at_its_end[begun.id].set()
            return begun

        return steps

    def _waiting(self) -> ProcessDefinition:
        @process(
            name=_WAITING_NAME,
            version=1,
            starts_on=_WAITED,
            key=lambda begun: begun.id,
            waits_on=[_CALLED],
            owner="integration",
        )
        async def waits(ctx: Context, begun: Begun) -> Begun:
            called = await ctx.wait_for(_CALLED, begun.id, _A_DAY)
            self._at_its_end[begun.id].set()
            return called

        return waits

    async def _begin(self, steps: int) -> str:
        """Returns the business key when the function is at its end; that end may not be durable yet."""
        number = next(self._numbers)
        key = f"bench-{self._worker}-{number}"
        at_its_end = self._at_its_end[key] = asyncio.Event()
        await self.engine.handle(_event(_BEGUN, Begun(id=key, number=number, steps=steps)))
        await at_its_end.wait()
        del self._at_its_end[key]
        self._begun += 1
        self._steps += steps
        return key

    async def wf_s(self, steps: int, seconds: float) -> float:
        """Completed processes per second, the last ones waited for.

        raises  TransientFault when one did not complete, or not with all its steps
        """
        before, begun_at = self._begun, time.perf_counter()

        async def one() -> None:
            await self._begin(steps)

        await repeat_for(seconds, _IN_FLIGHT, one)
        while (completed := await self._store.read(self._completed)) < self._begun:
            if time.perf_counter() - begun_at > seconds + _LATE_S:
                raise TransientFault(f"{completed} of {self._begun} processes were completed")
            await asyncio.sleep(0.001)
        wf_s = (self._begun - before) / (time.perf_counter() - begun_at)
        if (recorded := await self._store.read(self._recorded)) != self._steps:
            raise TransientFault(f"the journal holds {recorded} steps of {self._steps}")
        return wf_s

    def _mine(self, connection: Connection) -> Any:
        return processes.c.business_key.like(f"bench-{self._worker}-%")

    def _completed(self, connection: Connection) -> int:
        done = (processes.c.state == "completed") & self._mine(connection)
        found: int = connection.execute(select(func.count()).select_from(processes).where(done)).scalar_one()
        return found

    def _recorded(self, connection: Connection) -> int:
        mine = select(processes.c.process_id).where(self._mine(connection))
        question = select(func.count()).select_from(process_steps).where(process_steps.c.process_id.in_(mine))
        found: int = connection.execute(question).scalar_one()
        return found

    async def latencies_ms(self, steps: int, seconds: float) -> list[float]:
        """From the event to where a reader finds the process completed, one process at a time."""

        async def one() -> None:
            key = await self._begin(steps)
            # a reader that never rests would slow what it waits for
            while not await self._store.read(partial(_is_completed, key=key)):  # noqa: ASYNC110
                await asyncio.sleep(0.0002)

        return await repeat_for(seconds, 1, one)

    async def waiting(self, instances: int) -> dict[str, float]:
        """So many wait; what they cost while nothing happens, and how long one takes to wake."""
        numbers = iter(range(instances))

        async def begin() -> None:
            for number in numbers:
                await self.engine.handle(_event(_WAITED, Begun(id=f"w-{number}", number=number, steps=0)))

        await asyncio.gather(*(begin() for _ in range(_IN_FLIGHT)))
        while await self._store.read(_asleep) < instances:  # noqa: ASYNC110 - what is awaited is in the database
            await asyncio.sleep(0.05)
        used_s, since = time.process_time(), time.perf_counter()
        await asyncio.sleep(_IDLE_S)
        core_percent = 100 * (time.process_time() - used_s) / (time.perf_counter() - since)
        rss_mb = _rss_mb()
        took_ms = [
            await self._wake(number) for number in random.sample(range(instances), min(_WOKEN, instances))
        ]
        return {
            "instances": instances,
            "rss_mb": round(rss_mb, 1),
            "core_percent": round(core_percent, 2),
            "wake_p50_ms": round(percentile(took_ms, 0.5), 2),
            "wake_p99_ms": round(percentile(took_ms, 0.99), 2),
        }

    async def _wake(self, number: int) -> float:
        """From the event to where the function goes on, in ms."""
        key = f"w-{number}"
        woken = self._at_its_end[key] = asyncio.Event()
        begun = time.perf_counter()
        await self.engine.handle(_event(_CALLED, Begun(id=key, number=number, steps=0)))
        await woken.wait()
        del self._at_its_end[key]
        return (time.perf_counter() - begun) * 1000


def _event(contract: EventContract[Begun], begun: Begun) -> Event:
    return contract.make(begun, plant=PLANT, source=SOURCE, identity=(begun.id,), time=datetime.now(UTC))


def _is_completed(connection: Connection, key: str) -> bool:
    question = select(processes.c.state).where(processes.c.type == _NAME, processes.c.business_key == key)
    completed: bool = connection.execute(question).scalar_one() == "completed"
    return completed


def _asleep(connection: Connection) -> int:
    question = select(func.count()).select_from(processes).where(processes.c.state == "waiting")
    found: int = connection.execute(question).scalar_one()
    return found


def _rss_mb() -> float:
    """Now, where the system tells it, else the highest so far."""
    if sys.platform == "linux":
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


@asynccontextmanager
async def engine_side(url: str, name: str = "one") -> AsyncIterator[EngineSide]:
    async with AsyncExitStack() as stack:
        store = Store.open(url)
        stack.push_async_callback(store.close)
        worker = Worker(store, name)
        await worker.join()
        side = EngineSide(store, name)
        running = [
            asyncio.create_task(side.engine.run()),
            asyncio.create_task(worker.run(take_over, side.engine.wake)),
        ]
        try:
            yield side
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def _serve() -> None:
    async with AsyncExitStack() as stack:
        side: EngineSide | None = None
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked: dict[str, Any] = msgspec.json.decode(line)
            if side is None:
                side = await stack.enter_async_context(engine_side(asked["url"], asked["worker"]))
            if "waiting" in asked:
                answer = await side.waiting(asked["waiting"])
            else:
                answer = {"wf_s": await side.wf_s(asked["steps"], asked["seconds"])}
            print(msgspec.json.encode(answer).decode(), flush=True)


if __name__ == "__main__":
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("warning"), cache_logger_on_first_use=True
    )
    sys.setswitchinterval(0.0002)
    asyncio.run(_serve())
