"""Processes per second and their latency: the engine and the store, beside DBOS Transact on the same steps.

The calls of the processes are answered in memory at once, so that what is measured is the journal.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from typing import Any

import msgspec

from lineshaft.app.bench.child import child
from lineshaft.app.bench.databases import Databases
from lineshaft.app.bench.engine_side import engine_side
from lineshaft.app.bench.facts import notice
from lineshaft.app.bench.rounds import ROUNDS, median, percentile

__all__ = ["bench_processes"]

_STEPS = 6
_STEPS_AT_LOW_LOAD = 3
_LATE_S = 20.0
_WAITING_S = 300.0
_ENGINE = "lineshaft.app.bench.engine_side"

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


async def bench_processes(databases: Databases, seconds: float, *, waiting: int) -> dict[str, Any]:
    """For each database its figures, None for one that is not measured; and what waiting instances cost.

    seconds   of each round and side
    waiting   how many wait; 0 leaves that out
    raises    TransientFault when a side did not do what was to be measured
    """
    if find_spec("dbos") is None:
        print("no DBOS Transact to measure beside: install `dbos`", file=sys.stderr)
    found: dict[str, Any] = {
        name: None if new_database is None else await _on(name, new_database, seconds)
        for name, new_database in databases.items()
    }
    if waiting:
        found["waiting"] = await _waiting(databases, waiting)
    return found


async def _on(name: str, new_database: Callable[[], str], seconds: float) -> dict[str, float | None]:
    ours: list[float] = []
    theirs: list[float] = []
    p50: list[float] = []
    p99: list[float] = []
    async with engine_side(new_database()) as side, _dbos_side(new_database) as dbos_wf_s:
        for _ in range(ROUNDS):
            ours.append(await side.wf_s(_STEPS, seconds))
            if (wf_s := await dbos_wf_s(seconds)) is not None:
                theirs.append(wf_s)
            took_ms = await side.latencies_ms(_STEPS_AT_LOW_LOAD, seconds / 2)
            p50.append(percentile(took_ms, 0.5))
            p99.append(percentile(took_ms, 0.99))
    wf_s, beside = median(ours), median(theirs) if theirs else None
    figures: dict[str, float | None] = {
        "wf_s": wf_s,
        "dbos_wf_s": beside,
        "ratio": round(wf_s / beside, 2) if beside else None,
        "p50_ms": median(p50),
        "p99_ms": median(p99),
    }
    if name == "postgres":
        figures["two_workers_wf_s"] = await _two_workers(new_database(), seconds)
    return figures


async def _two_workers(url: str, seconds: float) -> float:
    """Together, each with the load of one."""
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(child(_ENGINE)) for _ in range(2)]

        async def both(steps: int, seconds: float) -> float:
            asked = [
                {"url": url, "worker": f"worker-{number}", "steps": steps, "seconds": seconds}
                for number in range(2)
            ]
            answers = await asyncio.gather(
                *(
                    worker.ask(question, within_s=seconds + 2 * _LATE_S)
                    for worker, question in zip(workers, asked, strict=True)
                )
            )
            return float(sum(answer["wf_s"] for answer in answers))

        await both(_STEPS, 0.1)  # their imports are not measured
        return median([await both(_STEPS, seconds) for _ in range(ROUNDS)])


async def _waiting(databases: Databases, instances: int) -> dict[str, Any]:
    """Each in a process of its own; the worse of both databases, and each."""
    found = {}
    for name, new_database in databases.items():
        if new_database is not None:
            async with child(_ENGINE) as worker:
                question = {"url": new_database(), "worker": "one", "waiting": instances}
                found[name] = await worker.ask(question, within_s=_WAITING_S)
    worst = {key: max(figures[key] for figures in found.values()) for key in next(iter(found.values()), {})}
    return {**worst, **found}
