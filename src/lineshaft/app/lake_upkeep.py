"""Upkeep of the lake every few minutes, in a process of its own: it takes a core and a lot of memory."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL
from pathlib import Path

import structlog

__all__ = ["keep_lake"]

_LOG = structlog.get_logger(__name__)
_EVERY_S = 600.0


async def keep_lake(settings: Path) -> None:
    """Until cancelled."""
    command = (sys.executable, "-m", "lineshaft.app", "lake", "compact", "--due", "--config", str(settings))
    while True:
        await asyncio.sleep(_EVERY_S)
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL)
        try:
            if code := await process.wait():
                _LOG.warning("lake.not_kept", code=code, again_in_s=_EVERY_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
