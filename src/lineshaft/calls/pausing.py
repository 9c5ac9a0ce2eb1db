"""A node follows what people say about systems that are not to be called."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from lineshaft.calls.system import System
from lineshaft.core.errors import TransientFault
from lineshaft.ledger import Pauses

__all__ = ["apply_pauses", "follow_pauses"]

_LOG = structlog.get_logger(__name__)


async def apply_pauses(pauses: Pauses, systems: Sequence[System]) -> None:
    """raises  TransientFault when the database does not answer"""
    current = await pauses.current()
    for system in systems:
        pause = current.get(system.name)
        if pause is None:
            system.maintenance.resume()
        else:
            system.maintenance.pause(pause.until, f"{pause.actor} paused it ({pause.reason})")


async def follow_pauses(pauses: Pauses, systems: Sequence[System], *, every_s: float = 1.0) -> None:
    """Until cancelled. While the database is away, the pauses known last are kept."""
    while True:
        try:
            await apply_pauses(pauses, systems)
        except TransientFault as fault:
            _LOG.warning("pauses.store_away", reason=str(fault))
        await asyncio.sleep(every_s)
