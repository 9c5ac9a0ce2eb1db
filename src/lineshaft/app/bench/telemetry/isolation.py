"""What a flood of one device and a poisoned one do to postings, and to the other devices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from lineshaft.app.bench.call_sides import DoorSide, door_side
from lineshaft.app.bench.child import child
from lineshaft.app.bench.rounds import ROUNDS, median, percentile
from lineshaft.app.bench.telemetry.load import Shape
from lineshaft.app.bench.telemetry.ours import OurSide, our_side
from lineshaft.app.bench.telemetry.trial import Rig, Trial, rig
from lineshaft.core.errors import TransientFault

__all__ = ["bench_isolation"]

_GOOD_S, _FLOOD_S, _POISON_S = 5_000.0, 100_000.0, 2_000
_FLOOD = "plant.flood"
_POISONED = "plant.poisoned"
_TIMES = 3  # a load lasts so many times as long, for a p99 that is more than one of few
_LONGER = 1.2  # flood and poison outlast what is measured
_EVERY_S = 0.01
_ROUND = 20  # postings
_ANSWER_S = 30.0
_POISON = (
    b"",
    b"no JSON",
    b'{"value": ',
    b'{"value": NaN}',
    b'{"value": 1e999, "time": 1}',
    b'{"value": "4.2", "time": "yesterday"}',
    b'{"value": {"value": {"value": 4.2}}}',
    b'{"values": [4.2], "time": -1}',
    b"[" * 2000,
    b"\xff\xfe\x00",
)
"""Some of it stands for no value, some for a wrong one, and some is meant to break a decoder."""


async def bench_isolation(place: Rig, folder: Path, seconds: float) -> dict[str, Any]:
    """Of postings and of the events of good devices the p99: quiet, beside a flood, and beside poison.

    raises  TransientFault when breaches of good devices were not told
    """
    async with (
        child("lineshaft.app.bench.target") as target,
        rig(place.backbone) as flooding,
        our_side(place.backbone, folder / "plant", Shape.SINGLE) as side,
    ):
        url = (await target.ask({}, within_s=_ANSWER_S))["url"]
        database = f"sqlite:///{folder / 'calls.db'}"
        async with door_side(database, url, place.backbone, "bench-isolation") as door:
            measure = partial(_measured, place, side, door, _TIMES * seconds)
            await door.round(_ROUND)
            await place.trial(side, Shape.SINGLE, _GOOD_S, seconds)
            return {
                "good_msg_s": round(_GOOD_S),
                "quiet": await measure(_nothing),
                "flood": {"flood_msg_s": round(_FLOOD_S)} | await measure(partial(_flood, flooding)),
                "poison": {"poison_msg_s": _POISON_S} | await measure(partial(_poison, place)),
            }


_Disturb = Callable[[float], Coroutine[Any, Any, None]]


async def _measured(
    place: Rig, side: OurSide, door: DoorSide, seconds: float, disturb: _Disturb
) -> dict[str, float]:
    calls: list[float] = []
    events: list[float] = []
    for _ in range(ROUNDS):
        disturbing = asyncio.create_task(disturb(seconds * _LONGER))
        good, calls_ms = await asyncio.gather(
            place.trial(side, Shape.SINGLE, _GOOD_S, seconds), _postings(door, seconds)
        )
        await disturbing
        _complete(good)
        events.append(good.quantile_ms(0.99))
        calls.append(percentile(calls_ms, 0.99))
    return {"call_p99_ms": median(calls), "event_p99_ms": median(events)}


async def _postings(door: DoorSide, seconds: float) -> list[float]:
    """From claim to note, in ms: a few at a time, so that none waits for its turn."""
    took_ms: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        took_ms += (await door.round(_ROUND))[1]
    return took_ms


def _complete(good: Trial) -> None:
    if good.lost:
        raise TransientFault(f"{good.lost} breaches of good devices were not told")


async def _nothing(_: float) -> None:
    return


async def _flood(flooding: Rig, seconds: float) -> None:
    await flooding.send(_FLOOD, Shape.FLOOD, _FLOOD_S, seconds)


async def _poison(place: Rig, seconds: float) -> None:
    connection, until = place.backbone.connection, time.monotonic() + seconds
    while time.monotonic() < until:
        for number in range(round(_POISON_S * _EVERY_S)):
            await connection.publish(_POISONED, _POISON[number % len(_POISON)])
        await asyncio.sleep(_EVERY_S)
