"""The works of `lineshaft bench telemetry`: highest load, latency, and what the lake costs."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from lineshaft.app.bench.rounds import ROUNDS, median
from lineshaft.app.bench.telemetry.isolation import bench_isolation
from lineshaft.app.bench.telemetry.load import Shape
from lineshaft.app.bench.telemetry.measured import UNITS, figures, measured, messages_s
from lineshaft.app.bench.telemetry.opcua import bench_opcua
from lineshaft.app.bench.telemetry.ours import TOPICS, our_side
from lineshaft.app.bench.telemetry.peer import Peer
from lineshaft.app.bench.telemetry.trial import Rig, rig
from lineshaft.backbone import Backbone
from lineshaft.core.errors import LineshaftError, TransientFault

__all__ = ["Work", "bench_telemetry"]

_GUESS = {Shape.SINGLE: 100_000.0, Shape.BATCHES: 10_000.0, Shape.SPARKPLUG: 8_000.0}
_PEER_GUESS = {Shape.SINGLE: 30_000.0, Shape.BATCHES: 3_000.0}
_LATENCY_TIMES = 4  # a load of latency lasts so many times as long
_LAKE_TIMES = 4


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
    """For each work its figures.

    seconds   of each load
    peers     by name, None for one that is not there
    raises    TransientFault when a side of ours did not do what was to be measured
    """
    found: dict[str, Any] = {}
    single_s = 0.0
    for work in works:
        async with _place() as place:
            match work:
                case Work.SINGLE | Work.BATCHES | Work.SPARKPLUG:
                    shape = Shape(work)
                    found[work], rate = await _highest(place, shape, seconds)
                    single_s = rate if shape is Shape.SINGLE else single_s
                    if shape in _PEER_GUESS:
                        found[work]["peers"] = await _beside(place, shape, seconds, peers)
                case Work.LATENCY:
                    found[work] = await _latency(place, seconds, single_s)
                case Work.LAKE:
                    found[work] = await _lake(place, seconds)
                case Work.OPCUA:
                    found[work] = await bench_opcua(place.backbone, place.folder, seconds)
                case Work.ISOLATION:
                    found[work] = await bench_isolation(place.rig, place.folder, seconds)
    return found


@asynccontextmanager
async def _place() -> AsyncIterator[_Place]:
    with tempfile.TemporaryDirectory(prefix="lineshaft-bench-") as folder:
        backbone = await Backbone.start(None, Path(folder) / "nats", mqtt_port=0, topic_filters=TOPICS)
        try:
            async with rig(backbone) as made:
                yield _Place(backbone, made, Path(folder))
        finally:
            await backbone.stop()


async def _highest(place: _Place, shape: Shape, seconds: float) -> tuple[dict[str, Any], float]:
    """And the messages per second."""
    async with our_side(place.backbone, place.folder / "plant", shape) as side:
        found = await measured(place.rig, side, shape, seconds, _GUESS[shape])
    told = figures(found, shape)
    if told is None:
        raise TransientFault(f"our telemetry sustained no load of {shape}", hint="is the machine busy?")
    return told, messages_s(found)


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


async def _peer(place: _Place, peer: Peer, shape: Shape, seconds: float) -> dict[str, Any] | None:
    """With state, where the peer has it, and one round of the stateless filter beside it."""
    told: dict[str, Any] | None = None
    guess = _PEER_GUESS[shape]
    stateful = peer.has_state(shape)
    async with peer.running(place.backbone, shape, stateful=stateful) as side:
        found = await measured(place.rig, side, shape, seconds, guess)
        told = figures(found, shape)
    if told is None:
        print(f"{peer.name} sustained no load of {shape}", file=sys.stderr)
        return None
    told |= {"state": stateful, "version": peer.version}
    if stateful:
        async with peer.running(place.backbone, shape, stateful=False) as side:
            plain = await measured(place.rig, side, shape, seconds, messages_s(found), rounds=1)
        told[f"stateless_{UNITS[shape]}"] = round(messages_s(plain) * shape.readings) if plain else None
    else:
        del told["wrong"]
    return told


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
    """The highest load without the lake, then with it, in loads that outlast several of its writes."""
    found: dict[str, Any] = {}
    for shape in (Shape.SINGLE, Shape.BATCHES):
        rates: dict[str, float] = {}
        for name, with_lake in (("off", False), ("on", True)):
            folder = place.folder / f"{shape}-{name}"
            async with our_side(place.backbone, folder, shape, with_lake=with_lake) as side:
                guess = rates.get("off", _GUESS[shape])
                searched = await measured(place.rig, side, shape, _LAKE_TIMES * seconds, guess, rounds=1)
            rates[name] = messages_s(searched) if searched else 0.0
        found[shape] = {
            f"{name}_{UNITS[shape]}": round(rate * shape.readings) for name, rate in rates.items()
        } | {"cost_percent": round(100 * (1 - rates["on"] / rates["off"]), 1) if rates["off"] else None}
    return found
