"""One worker of several on a PostgreSQL, as a program; the books behind its door are one more table in it.

It is told by lines of JSON: first `url`, `worker`, `lease_s` and `spread_s`, the time over which instances
come to be due, then what to `begin`. Its last line is `"Fenced"` when it was taken for dead.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import structlog

from lineshaft.calls import CallPolicy, Door, System
from lineshaft.core.clock import SystemClock
from lineshaft.core.ports import CallContext, Health, HealthState, Manifest
from lineshaft.ledger import Audit, Claims, Desk
from lineshaft.model.condition import ThresholdExceeded
from lineshaft.processes import Context, Engine, ProcessDefinition
from lineshaft.processes.journal import take_over
from lineshaft.store import Fenced, Outbox, Store, Worker
from tests.books import ACTOR, PLANT, Books, Posting

from .plant import BERLIN, started_by
from .shapes import Result, defined, post

__all__ = ["POSTS"]

POSTS = 3
_AT_ONCE = 8
# the books take a while, so that a worker that stops or dies leaves some without an answer
_POST = (
    "insert into effects (key, worker, attempts) select %s, %s, 1 from pg_sleep(0.03)"
    " on conflict (key) do update set attempts = effects.attempts + 1"
)


class _TableOfEffects:
    """Implements core.ports.Connector for Books: not fenced, as no system is, and it counts each request."""

    def __init__(self, worker: str, connections: list[psycopg.AsyncConnection[Any]]) -> None:
        self._worker = worker
        self._free = connections  # as many as the door sends requests at once

    @property
    def manifest(self) -> Manifest:
        return Manifest(name="books", title="Books", capabilities=["books"], reads_back=["books.post"])

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def health(self) -> Health:
        return Health(state=HealthState.ACTIVE)

    async def post(self, call: CallContext, request: Posting) -> Posting:
        connection = self._free.pop()
        try:
            await connection.execute(_POST, (call.idempotency_key, self._worker))
        finally:
            self._free.append(connection)
        return _document(request)

    async def find_post(self, call: CallContext, request: Posting) -> Posting | None:
        connection = self._free.pop()
        try:
            found = await connection.execute("select 1 from effects where key = %s", (call.idempotency_key,))
            return _document(request) if await found.fetchone() else None
        finally:
            self._free.append(connection)

    async def balance(self, call: CallContext, request: Any) -> Any:
        raise AssertionError("nobody asks")


def _document(request: Posting) -> Posting:
    return msgspec.structs.replace(request, id=f"D-{request.reference}")


def _rests_and_posts(spread_s: float) -> ProcessDefinition:
    async def rests_and_posts(ctx: Context, breach: ThresholdExceeded) -> Result:
        await ctx.sleep(timedelta(seconds=spread_s * ctx.random.random()))  # who looks first goes on with it
        for number in range(POSTS):
            await post(ctx, f"{breach.rule}-{number}")
        return Result(text=breach.rule)

    return defined(rests_and_posts)


@asynccontextmanager
async def _worker(url: str, name: str, spread_s: float, lease_s: float) -> AsyncIterator[Engine]:
    """raises  Fenced, in a group, when it was taken for dead"""
    clock = SystemClock()
    policy = CallPolicy(rate_per_s=10_000, concurrency=_AT_ONCE, settle_s=0.2)
    async with AsyncExitStack() as stack:
        store = Store.open(url)
        stack.push_async_callback(store.close)
        connections = []
        for _ in range(_AT_ONCE):
            connection = await psycopg.AsyncConnection.connect(
                url, autocommit=True, prepare_threshold=None
            )  # a request is one message
            stack.push_async_callback(connection.close)
            connections.append(connection)
        worker = Worker(store, name, lease_s=lease_s)
        await worker.join()
        definition = _rests_and_posts(spread_s)
        engine = Engine(
            store,
            Door(
                Claims(store, Outbox(store), Audit(name, clock), clock, worker),
                [System("books", _TableOfEffects(name, connections), {"books": Books}, policy, clock)],
                {ACTOR: frozenset(definition.operations)},
                plant=PLANT,
                source="/acme/NSP/lineshaft/1",
                clock=clock,
            ),
            [definition],
            Desk(store, clock).add,
            clock,
            plant=PLANT,
            zone=BERLIN,
            source="/acme/NSP/lineshaft/1",
            worker=name,
        )
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(engine.run()),
                tasks.create_task(worker.run(take_over, engine.wake)),
            ]
            yield engine
            for task in running:
                task.cancel()


async def _serve() -> None:
    asked = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    me = msgspec.json.decode(await asked.readline())
    try:
        async with _worker(me["url"], me["worker"], me["spread_s"], me["lease_s"]) as engine:
            _say("ready")
            while line := await asked.readline():
                begin = msgspec.json.decode(line)["begin"]
                await asyncio.gather(*(engine.handle(started_by(rule)) for rule in begin))
                _say("begun")
    except* Fenced:
        _say("Fenced")


def _say(what: str) -> None:
    print(msgspec.json.encode(what).decode(), flush=True)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    asyncio.run(_serve())
