"""Three searches for the highest load of one side, and the figures that they come to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from lineshaft.app.bench.rounds import ROUNDS, median
from lineshaft.app.bench.telemetry.load import Shape
from lineshaft.app.bench.telemetry.sustained import Found, highest
from lineshaft.app.bench.telemetry.trial import Rig, Side
from lineshaft.core.errors import TransientFault

__all__ = ["UNITS", "figures", "measured", "messages_s"]

UNITS = {Shape.SINGLE: "msg_s", Shape.BATCHES: "readings_s", Shape.SPARKPLUG: "metrics_s"}
_ROUGHLY, _NEXT_STEP = 1.2, 1.08


async def measured(
    rig: Rig, side: Side, shape: Shape, seconds: float, guess: float, *, rounds: int = ROUNDS
) -> list[Found]:
    """guess: messages per second; its half warms the side up.

    raises  TransientFault when no load was sustained
    """
    trial = partial(rig.trial, side, shape, seconds=seconds)
    await trial(guess / 2)
    found = [await highest(trial, guess, close=_ROUGHLY if rounds > 1 else _NEXT_STEP)]
    while found[-1].best is not None and len(found) < rounds:
        found.append(await highest(trial, found[-1].best.rate, step=_NEXT_STEP, close=_NEXT_STEP))
    if found[0].best is None:
        raise TransientFault(f"no load of {shape} was sustained", hint="is the machine busy?")
    return found


def messages_s(found: Sequence[Found]) -> float:
    return median([each.best.rate for each in found if each.best])


def figures(found: Sequence[Found], shape: Shape) -> dict[str, Any]:
    """Medians; cores: that the last load took; limited_by: in the lowest load that was not sustained."""
    best = [each.best for each in found if each.best]
    beyond = found[-1].beyond
    return {
        UNITS[shape]: round(messages_s(found) * shape.readings),
        "p99_ms": median([each.quantile_ms(0.99) for each in best]),
        "cores": best[-1].usage["cores"],
        "limited_by": (beyond or best[-1]).usage["limited_by"],
        "wrong": sum(each.wrong for each in best),
    }
