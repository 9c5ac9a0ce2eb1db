"""`lineshaft run`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from lineshaft.app.long_lived import keep_what_is_loaded
from lineshaft.app.node import Node
from lineshaft.app.plant_data import read_plant
from lineshaft.app.quick_loop import quick_loop
from lineshaft.app.terminal import ConfigOption, run_async, settings_path
from lineshaft.core.clock import SystemClock

__all__ = ["run"]


async def _until_signal(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    await work


def run(config: ConfigOption = None) -> None:
    """Run this node until Ctrl-C: backbone, telemetry, processes, calls, console."""
    plant = read_plant(settings_path(config), SystemClock())
    stop = asyncio.Event()
    keep_what_is_loaded()
    run_async(_until_signal(Node(plant).run(stop), stop), new_loop=quick_loop())
