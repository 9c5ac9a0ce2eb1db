"""How the tables that are made of others keep up with them, without being in the way of anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog

from lineshaft.core.clock import Clock
from lineshaft.core.errors import TransientFault

__all__ = ["OVERLAP_S", "Kept", "keep_up"]

_LOG = structlog.get_logger(__name__)
_EVERY_S = 5.0
_SHARE = 20  # of the time at most: a flood of events makes it slower, not the node
_BACK_SHARE = 4
OVERLAP_S = 90  # what was stamped before is committed by then


class Kept(Protocol):
    async def look(self) -> bool:
        """Take in what is new; True when up to now."""
        ...

    async def look_back(self) -> bool:
        """Take in some of what is older; False when there is none."""
        ...


async def keep_up(table: Kept, tidy: Callable[[], Awaitable[Any]], clock: Clock, waiting: str) -> None:
    """Until cancelled. First what is new, then what is older, an hour at a time. waiting: what the log says
    when the store is away."""
    while True:
        started = clock.monotonic()
        is_behind = False
        try:
            is_behind = not await table.look() or await table.look_back()
            await tidy()
        except TransientFault as fault:
            _LOG.warning(waiting, reason=str(fault))
        took = clock.monotonic() - started
        rest_s = took * _BACK_SHARE if is_behind else max(_EVERY_S, took * _SHARE)
        await asyncio.sleep(min(rest_s, OVERLAP_S))
