"""Wait for what another task or thread brings about."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["PATIENCE_S", "soon", "until"]

PATIENCE_S = 60.0  # with what comes in a moment, on a machine that has other things to do
_SOON_S, _RARELY_S = 0.002, 0.01


async def until(condition: Callable[[], object | Awaitable[object]], timeout_s: float = PATIENCE_S) -> None:
    """Look soon, and more rarely the longer it takes: a look may cost as much as what is waited for.

    raises  TimeoutError when the condition does not come to hold
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(timeout_s):
        while True:
            holds = condition()
            if inspect.isawaitable(holds):
                holds = await holds
            if holds:
                return
            await asyncio.sleep(min(_SOON_S + (loop.time() - began) / 20, _RARELY_S))


def soon(holds: Callable[[], Any], why: Callable[[], str] = str) -> Any:
    """For tests without a loop: what it gives once that is something.

    raises  TimeoutError, which says why
    """
    give_up_at = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        if time.monotonic() > give_up_at:
            raise TimeoutError(why())
        time.sleep(_RARELY_S)
    return found
