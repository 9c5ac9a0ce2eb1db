"""Waiting before the next attempt, so that many who wait do not come at the same moment."""

from __future__ import annotations

import asyncio
import random

from lineshaft.core.call_policy import CallPolicy

__all__ = ["backoff"]


async def backoff(policy: CallPolicy, attempt: int, retry_after_s: float | None = None) -> None:
    """Full jitter, doubling; not less than the peer asks for, where it does not ask for too much.

    source  Exponential Backoff And Jitter, AWS Architecture Blog, 2015
    """
    wait_s = random.uniform(0, min(policy.backoff_s * 2 ** (attempt - 1), policy.backoff_max_s))  # noqa: S311
    if retry_after_s is not None:
        wait_s = max(wait_s, min(retry_after_s, policy.backoff_max_s))
    await asyncio.sleep(wait_s)
