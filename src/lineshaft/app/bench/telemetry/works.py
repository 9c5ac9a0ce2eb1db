"""The works of `lineshaft bench telemetry`: highest load, latency, and what the lake costs."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from lineshaft.app.bench.rounds import ROUNDS, median
from lineshaft.app.bench.telemetry.isolation import bench_isolation
from lineshaft.app.bench.telemetry.load import Shape
from lineshaft.app.bench.telemetry.measured import UNITS, figures, measured, messages_s
from lineshaft.app.bench.telemetry.opcua import bench_opcua
from lineshaft.app.bench.telemetry.ours import NAME, TOPICS, OurSide, our_side
from lineshaft.app.bench.telemetry.peer import Peer
from lineshaft.app.bench.telemetry.sustained import highest
from lineshaft.app.bench.telemetry.trial import Rig, Trial, rig
from lineshaft.backbone import Backbone
from lineshaft.core.errors import LineshaftError, TransientFault

__all__ = ["Work", "bench_telemetry"]

_GUESS = {Shape.SINGLE: 100_000.0, Shape.BATCHES: 10_000.0, Shape.SPARKPLUG: 8_000.0}
_PEER_GUESS = {
    "node_red": {Shape.SINGLE: 30_000.0, Shape.BATCHES: 6_000.0},
    "pathway": {Shape.SINGLE: 40_000.0, Shape.BATCHES: 700.0},
    "mq_bridge": {Shape.SINGLE: 80_000.0, Shape.BATCHES: 15_000.0},
}
"""Messages per second: where a search begins."""
_LATENCY_TIMES, _LAKE_TIMES = 4, 2  # such loads last so many times as long
_LAKE_TRIALS, _LAKE_BEGIN = 4, 0.9


class Work(StrEnum):
    SINGLE = "single"
    BATCHES = "batches"
    SPARKPLUG = "sparkplug"
    LATENCY = "latency"
    LAKE = "lake"
    OPCUA = "opcua"
    ISOLATION = "isolation"


class _Place(msgspec.Struct):
    """Of one work: a server with our streams, a generator, a folder."""

    backbone: Backbone
    rig: Rig
    folder: Path


async def bench_telemetry(
    works: Sequence[Work], seconds: float, peers: Mapping[str, Peer | None]
) -> dict[str, Any]:
    """For each work its figures; None, said on standard error, for one that could not be measured.

    seconds   of each load
    peers     by name, None for one that is not there
    """
    found: dict[str, Any] = {}
    for work in works:
        try:
            single = found.get(Work.SINGLE) or {}
            async with _place() as place:
                found[work] = await _one(place, work, seconds, peers, single.get("msg_s", 0))
        except LineshaftError as fault:
            print(f"{work} could not be measured: {fault}", file=sys.stderr)
            found[work] = None
    return found


async def _one(
    place: _Place, work: Work, seconds: float, peers: Mapping[str, Peer | None], single_s: float
) -> dict[str, Any] | None:
    match work:
        case Work.SINGLE | Work.BATCHES | Work.SPARKPLUG:
            shape = Shape(work)
            async with our_side(place.backbone, place.folder / "plant", shape) as side:
                found = figures(await measured(place.rig, side, shape, seconds, _GUESS[shape]), shape)
            if shape is not Shape.SPARKPLUG:
                found["peers"] = await _beside(place, shape, seconds, peers)
            return found
        case Work.LATENCY:
            return await _latency(place, seconds, single_s)
        case Work.LAKE:
            return await _lake(place, seconds)
        case Work.OPCUA:
            return await bench_opcua(place.backbone, place.folder, seconds)
        case Work.ISOLATION:
            return await bench_isolation(place.rig, place.folder, seconds)


@asynccontextmanager
async def _place() -> AsyncIterator[_Place]:
    with tempfile.TemporaryDirectory(prefix="lineshaft-bench-") as folder:
        backbone = await Backbone.start(None, Path(folder) / "nats", mqtt_port=0, topic_filters=TOPICS)
        try:
            async with rig(backbone) as made:
                yield _Place(backbone, made, Path(folder))
        finally:
            await backbone.stop()


async def _beside(
    place: _Place, shape: Shape, seconds: float, peers: Mapping[str, Peer | None]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, peer in peers.items():
        try:
            found[name] = peer and await _peer(place, peer, shape, seconds)
        except LineshaftError as fault:
            print(f"{name} could not be measured: {fault}", file=sys.stderr)
            found[name] = None
    return found


async def _peer(place: _Place, peer: Peer, shape: Shape, seconds: float) -> dict[str, Any]:
    """With state, where the peer has it; for single readings one round of the stateless filter beside it."""
    stateful = peer.has_state(shape)
    async with peer.running(place.backbone, shape, stateful=stateful) as side:
        found = await measured(place.rig, side, shape, seconds, _PEER_GUESS[peer.name][shape])
    told = figures(found, shape) | {"state": stateful, "version": peer.version}
    if not stateful:
        del told["wrong"]  # each reading beyond the limit is told
    if not stateful or shape is not Shape.SINGLE:
        return told
    async with peer.running(place.backbone, shape, stateful=False) as side:
        plain = await measured(place.rig, side, shape, seconds, messages_s(found), rounds=1)
    return told | {f"stateless_{UNITS[shape]}": round(messages_s(plain) * shape.readings)}


async def _latency(place: _Place, seconds: float, single_s: float) -> dict[str, Any]:
    """From when the message that breaks a limit is due to when the stream of the events has the event.

    single_s   messages per second that were sustained; 0: searched here
    """
    shape = Shape.SINGLE
    async with our_side(place.backbone, place.folder / "plant", shape) as side:
        if not single_s:
            single_s = messages_s(await measured(place.rig, side, shape, seconds, _GUESS[shape], rounds=1))
        rate = single_s / 2
        await place.rig.trial(side, shape, rate, seconds)
        rounds = [await place.rig.trial(side, shape, rate, _LATENCY_TIMES * seconds) for _ in range(ROUNDS)]
    if any(each.lost for each in rounds):
        raise TransientFault(f"{sum(each.lost for each in rounds)} breaches were not told")
    return {
        "msg_s": round(rate),
        "p50_ms": median([each.quantile_ms(0.5) for each in rounds]),
        "p99_ms": median([each.quantile_ms(0.99) for each in rounds]),
        "events": sum(len(each.latencies_s) for each in rounds),
        **rounds[-1].usage,
    }


async def _lake(place: _Place, seconds: float) -> dict[str, Any]:
    """The highest load without the lake, then with it, in loads that outlast several of its writes.

    engine_us  processor time of a reading in the telemetry process"""
    found: dict[str, Any] = {}
    for shape in (Shape.SINGLE, Shape.BATCHES):
        async with our_side(place.backbone, place.folder / f"{shape}-off", shape) as side:
            off = await _sustained(place, side, shape, seconds, _GUESS[shape])
        async with our_side(place.backbone, place.folder / f"{shape}-on", shape, with_lake=True) as side:
            on = await _sustained(place, side, shape, _LAKE_TIMES * seconds, _LAKE_BEGIN * off.rate)
        unit = UNITS[shape]
        found[shape] = {
            f"off_{unit}": round(off.rate * shape.readings),
            f"on_{unit}": round(on.rate * shape.readings),
            "cost_percent": round(100 * (1 - on.rate / off.rate), 1),
            "engine_us": {"off": _engine_us(off, shape), "on": _engine_us(on, shape)},
            **on.usage,
        }
    return found


async def _sustained(place: _Place, side: OurSide, shape: Shape, seconds: float, guess: float) -> Trial:
    trial = partial(place.rig.trial, side, shape, seconds=seconds)
    await place.rig.trial(side, shape, guess / 2, 1.0)
    found = await highest(trial, guess, step=1.15, close=1.12, trials=_LAKE_TRIALS)
    if found.best is None:
        raise TransientFault(f"our telemetry sustained no load of {shape}", hint="is the machine busy?")
    return found.best


def _engine_us(trial: Trial, shape: Shape) -> float:
    """Processor time for a reading, whatever else keeps the machine busy."""
    cores: float = trial.usage["cores"][NAME]
    return round(cores * 1_000_000 / (trial.rate * shape.readings), 3)
