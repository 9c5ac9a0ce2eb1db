"""Three rounds, their medians, and the figures of one round."""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence

__all__ = ["ROUNDS", "median", "percentile", "repeat_for"]

ROUNDS = 3


def median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 2)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all values do not exceed."""
    return sorted(values)[max(math.ceil(len(values) * share) - 1, 0)]


async def repeat_for(seconds: float, in_flight: int, work: Callable[[], Awaitable[None]]) -> list[float]:
    """Keep `in_flight` pieces of work under way until the time is over, one each at least; returns how long
    each took, in ms."""
    took_ms: list[float] = []
    end = time.perf_counter() + seconds

    async def one_after_the_other() -> None:
        begun = time.perf_counter()
        while True:
            await work()
            now = time.perf_counter()
            took_ms.append((now - begun) * 1000)
            begun = now
            if begun >= end:
                return

    async with asyncio.TaskGroup() as tasks:
        for _ in range(in_flight):
            tasks.create_task(one_after_the_other())
    return took_ms
