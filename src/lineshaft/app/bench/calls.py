"""Commands per second from JetStream through the whole door, beside a bare loop and Node-RED.

An operational event is taken from a durable consumer and becomes a command. That is authorised, validated,
claimed on disk, limited, sent by the REST connector over HTTP, noted on disk with its document number and its
outcome event in the outbox; the event is acknowledged when that is done. Every twentieth fact is told by two
events; the server counts what that does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lineshaft.app.bench.call_sides import BareSide, DoorSide, bare_side, door_side
from lineshaft.app.bench.child import Child, child
from lineshaft.app.bench.databases import Databases
from lineshaft.app.bench.node_red import NodeRed
from lineshaft.app.bench.processors import Usage
from lineshaft.app.bench.rounds import ROUNDS, median, percentile
from lineshaft.backbone import Backbone
from lineshaft.core.errors import TransientFault

__all__ = ["bench_calls"]

_WARM_UP = 500
_ANSWER_S = 30.0


async def bench_calls(databases: Databases, seconds: float, node_red: NodeRed | None) -> dict[str, Any]:
    """For each database and for Node-RED the figures, None for one that is not measured.

    seconds   of each round and side
    raises    TransientFault when the server did not get what a side says is posted
    """
    with tempfile.TemporaryDirectory(prefix="lineshaft-bench-") as folder:
        backbone = await Backbone.start(None, Path(folder) / "nats", mqtt_port=0)
        try:
            found: dict[str, Any] = {}
            for name, new_database in databases.items():
                found[name] = new_database and await _on(name, new_database, seconds, backbone)
            found["node_red"] = node_red and await _beside(node_red, Path(folder), seconds, backbone)
            return found
        finally:
            await backbone.stop()


async def _on(
    name: str, new_database: Callable[[], str], seconds: float, backbone: Backbone
) -> dict[str, Any]:
    async with child("lineshaft.app.bench.target") as server:
        url = (await _counted(server))["url"]
        async with (
            door_side(new_database(), url, backbone, f"bench-{name}") as door,
            bare_side(url) as bare,
        ):
            figures = await _rounds(door, bare, seconds)
            counted = await _counted(server)
            if counted["keys"] != door.posted + bare.posted:
                raise TransientFault(
                    f"{door.posted + bare.posted} posts were answered, the server has {counted['keys']}"
                )
    return {**figures, "duplicates": counted["posts"] - counted["keys"]}


async def _rounds(door: DoorSide, bare: BareSide, seconds: float) -> dict[str, Any]:
    door_s: list[float] = []
    bare_s: list[float] = []
    p99: list[float] = []
    rate, _ = await door.round(_WARM_UP)
    for _ in range(ROUNDS):
        notices = max(round(rate * seconds), 1)
        usage = Usage()
        rate, took_ms = await door.round(notices)
        told = usage.told(notices)
        door_s.append(rate)
        p99.append(percentile(took_ms, 0.99))
        bare_s.append(await bare.round(seconds))
    posts_s, bare_posts_s = median(door_s), median(bare_s)
    return {
        "posts_s": posts_s,
        "p99_ms": median(p99),
        "bare_posts_s": bare_posts_s,
        "ratio": round(posts_s / bare_posts_s, 3),
        **told,
    }


async def _beside(node_red: NodeRed, folder: Path, seconds: float, backbone: Backbone) -> dict[str, Any]:
    async with child("lineshaft.app.bench.target") as server:
        url = (await _counted(server))["url"]
        async with node_red.running(folder / "node-red", url, backbone) as side:
            posts_s: list[float] = []
            p99: list[float] = []
            for _ in range(ROUNDS):
                usage, before = Usage(), side.posted
                rate, took_ms = await side.round(seconds)
                told = usage.told(side.posted - before)
                posts_s.append(rate)
                p99.append(percentile(took_ms, 0.99))
            counted = await _counted(server)
            if counted["keys"] != side.posted:
                raise TransientFault(f"Node-RED says {side.posted} posts, the server has {counted['keys']}")
    return {
        "posts_s": median(posts_s),
        "p99_ms": median(p99),
        "duplicates": counted["posts"] - counted["keys"],
        "version": node_red.version,
        **told,
    }


async def _counted(server: Child) -> dict[str, Any]:
    return await server.ask({}, within_s=_ANSWER_S)
