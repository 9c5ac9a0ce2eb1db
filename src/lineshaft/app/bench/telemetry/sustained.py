"""The highest load that a side keeps up with: searched in steps, then between the last two."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import msgspec

from lineshaft.app.bench.telemetry.trial import Trial

__all__ = ["Found", "highest"]

_TRIALS = 12
_FARTHEST = 3  # steps at once


class Found(msgspec.Struct, frozen=True):
    """best: the highest that was sustained, None where none was; beyond: the lowest that was not"""

    best: Trial | None
    beyond: Trial | None


async def highest(
    trial: Callable[[float], Awaitable[Trial]],
    guess: float,
    *,
    step: float = 1.4,
    close: float = 1.07,
    trials: int = _TRIALS,
) -> Found:
    """Searches until both rates that it returns are close, or so many trials are over.

    guess   a rate to begin with
    step    from there, and more each time
    """
    best: Trial | None = None
    beyond: Trial | None = None
    rate, reach = guess, 1
    for _ in range(trials):
        seen = await trial(rate)
        if seen.is_sustained:
            best = seen
        else:
            beyond = seen
        if best is None:
            rate = rate / step**reach
        elif beyond is None:
            rate = rate * step**reach
        elif beyond.rate / best.rate <= close:
            break
        else:
            rate = math.sqrt(best.rate * beyond.rate)
        reach = min(reach + 1, _FARTHEST)
    return Found(best, beyond)
