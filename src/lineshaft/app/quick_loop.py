"""The event loop of what serves many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.util import find_spec

__all__ = ["quick_loop"]


def quick_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes one of uvloop's; None, which means Python's own, where there is none, as on Windows."""
    if find_spec("uvloop") is None:
        return None
    import uvloop  # noqa: PLC0415 - not on every system

    return uvloop.new_event_loop
