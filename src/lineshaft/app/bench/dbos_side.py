"""DBOS Transact at the same steps, as a child process: its runtime is one per process and has own threads.

It is given what suits it: SQLite in WAL mode, and of each round the better half, with few or many in flight.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import msgspec

from lineshaft.app.bench.rounds import repeat_for

__all__: list[str] = []

_IN_FLIGHT = (2, 8)
Workflow = Callable[[int, str], Awaitable[str]]


def _launched(url: str) -> Workflow:
    from dbos import DBOS  # noqa: PLC0415 - no dependency of the product

    if url.startswith("sqlite:///"):  # WAL stays with the file
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.execute("pragma journal_mode=wal")
        connection.close()
    DBOS(config={"name": "lineshaft-bench", "system_database_url": url, "log_level": "ERROR"})

    @DBOS.step()
    async def step(request: str) -> str:
        return request

    @DBOS.workflow()
    async def steps(number: int, request: str) -> str:
        for _ in range(number):
            request = await step(request)
        return request

    DBOS.launch()
    return steps


async def _best(workflow: Workflow, steps: int, request: str, seconds: float) -> float:
    async def one() -> None:
        await workflow(steps, request)

    rates = []
    for in_flight in _IN_FLIGHT:
        begun_at = perf_counter()
        took = await repeat_for(seconds / len(_IN_FLIGHT), in_flight, one)
        rates.append(len(took) / (perf_counter() - begun_at))
    return max(rates)


async def _serve() -> None:
    workflow: Workflow | None = None
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked: dict[str, Any] = msgspec.json.decode(line)
        workflow = workflow or _launched(asked["url"])
        wf_s = await _best(workflow, asked["steps"], asked["request"], asked["seconds"])
        print(msgspec.json.encode({"wf_s": wf_s}).decode(), flush=True)
    if workflow is not None:
        _end()


def _end() -> None:
    from dbos import DBOS  # noqa: PLC0415 - as above

    DBOS.destroy()


if __name__ == "__main__":
    asyncio.run(_serve())
