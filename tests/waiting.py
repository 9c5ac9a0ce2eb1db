"""Wait for what another task or thread brings about."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

__all__ = ["PATIENCE_S", "until"]

PATIENCE_S = 60.0  # with what comes in a moment, on a machine that has other things to do


async def until(condition: Callable[[], object | Awaitable[object]], timeout_s: float = PATIENCE_S) -> None:
    """raises  TimeoutError when the condition does not come to hold"""
    async with asyncio.timeout(timeout_s):
        while True:
            holds = condition()
            if inspect.isawaitable(holds):
                holds = await holds
            if holds:
                return
            await asyncio.sleep(0.002)
