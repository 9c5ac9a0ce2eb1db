"""A governed POST beside the same route on bare Starlette and on FastAPI.

Governed: the caller is known by its key and may publish this type, a rate limit is counted, the CloudEvent is
validated against its contract and by the data authority, its identity is claimed and its event and the call
are noted in one commit on disk before the answer; the outbox then puts it on the backbone. The others parse
the body (FastAPI validates it by its model) and answer.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from lineshaft.app.bench.child import Child, child, program
from lineshaft.app.bench.databases import Databases
from lineshaft.app.bench.gateway.wrk import CONNECTIONS, Load, Wrk
from lineshaft.app.bench.processors import Usage
from lineshaft.app.bench.pypi import pypi_installed
from lineshaft.app.bench.rounds import ROUNDS, median
from lineshaft.core.errors import TransientFault

__all__ = ["bench_gateway"]

_ANSWER_S = 60.0
_WARM_UP_S = 1.0
_FASTAPI = ("fastapi==0.165.0", "uvicorn==0.54.0", "uvloop==0.23.0", "httptools==0.9.0")
_BODY = (
    '{"specversion":"1.0","id":"@ID@","source":"/bench/leipzig/inventory/main",'
    '"type":"inventory.balance.changed.v1","time":"2026-01-15T10:00:00Z","subject":"SEAL-7",'
    '"datacontenttype":"application/json","data":{"material_definition_id":"SEAL-7","site":"leipzig",'
    '"quantity":{"value":"12","unit":"C62"},"as_of":"2026-01-15T10:00:00Z","source_sequence":"4711"}}'
)
_HEADERS = {"Content-Type": "application/cloudevents+json"}


async def bench_gateway(databases: Databases, seconds: float, *, wrk: Wrk) -> dict[str, Any]:
    """{"governed", "starlette", "fastapi"}: each {"req_s", "p50_ms", "p99_ms", …}; FastAPI may be None.

    Governed on the first database; on a second one beside it as "governed_<its name>".

    req_s            as fast as answers come, over 64 connections
    p50_ms, p99_ms   at half of that load
    seconds          of each load, of each round and side
    raises           TransientFault when what was answered is not what was kept
    """
    async with AsyncExitStack() as stack:
        sides: dict[str, _Side | None] = {}
        governed: dict[str, tuple[_Side, Child]] = {}
        for name, new_database in databases.items():
            if new_database is not None:
                server = await stack.enter_async_context(child("lineshaft.app.bench.gateway.governed_side"))
                told = await server.ask({"database": new_database()}, within_s=_ANSWER_S)
                side = _Side(wrk, server, told, {"Authorization": f"Bearer {told['key']}"})
                governed[f"governed_{name}" if governed else "governed"] = side, server
        sides.update({name: side for name, (side, _) in governed.items()})
        bare = await stack.enter_async_context(child("lineshaft.app.bench.gateway.starlette_program"))
        sides["starlette"] = _Side(wrk, bare, await bare.ask({}, within_s=_ANSWER_S))
        sides["fastapi"] = None
        if python := pypi_installed("FastAPI", _FASTAPI[0].replace("==", "-"), _FASTAPI):
            command: list[str | Path] = [python, "-P", Path(__file__).with_name("fastapi_program.py")]
            peer = await stack.enter_async_context(program("fastapi", command))
            sides["fastapi"] = _Side(wrk, peer, await peer.ask({}, within_s=_ANSWER_S))
        measured = [side for side in sides.values() if side is not None]
        for side in measured:
            await side.warm_up()
        for _ in range(ROUNDS):
            for side in measured:
                await side.round(seconds)
        for side, server in governed.values():
            kept = await server.ask({"counts": True}, within_s=_ANSWER_S)
            if not side.answered <= kept["claims"] == kept["calls"] == kept["on_backbone"]:
                raise TransientFault(f"{side.answered} events were answered; kept are {kept}")
        found: dict[str, Any] = {name: side and side.told() for name, side in sides.items()}
    for ours in governed:
        for name in ("starlette", "fastapi"):
            if beside := found[name]:
                found[ours][f"ratio_to_{name}"] = round(found[ours]["req_s"] / beside["req_s"], 3)
    return found


class _Side:
    def __init__(
        self, wrk: Wrk, server: Child, told: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        self._wrk = wrk
        self._pid = server.pid
        self._url = f"{told['url']}/api/events"
        self._headers = _HEADERS | dict(headers or {})
        self._full: list[Load] = []
        self._half: list[Load] = []
        self._usage: dict[str, Any] = {}
        self.answered = 0

    async def warm_up(self) -> None:
        await self._load(_WARM_UP_S)

    async def round(self, seconds: float) -> None:
        usage = Usage({self._pid: "server"})
        full = await self._load(seconds)
        self._usage = usage.cores()
        self._full.append(full)
        # so long apart that all connections together come to half of the load
        taken_ms = self._half[-1].p50_us / 1000 if self._half else 0.0
        wait_ms = max(1, round(CONNECTIONS / (full.req_s / 2) * 1000 - taken_ms))
        self._half.append(await self._load(seconds, wait_ms))

    async def _load(self, seconds: float, wait_ms: int = 0) -> Load:
        load = await self._wrk.run(self._url, self._headers, _BODY, seconds=seconds, wait_ms=wait_ms)
        if load.failed:
            raise TransientFault(f"{self._url} refused {load.failed} of {load.requests} requests")
        self.answered += load.requests
        return load

    def told(self) -> dict[str, Any]:
        return {
            "req_s": median([load.req_s for load in self._full]),
            "p50_ms": median([load.p50_us / 1000 for load in self._half]),
            "p99_ms": median([load.p99_us / 1000 for load in self._half]),
            "half_req_s": round(statistics.median(load.req_s for load in self._half)),
            **self._usage,
        }
