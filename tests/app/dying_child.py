"""A program that dies in the way its orders say; `python -m tests.app.dying_child`."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import msgspec

from lineshaft.app.child_process import follow_orders
from lineshaft.core.errors import ConfigError, TransientFault


class Orders(msgspec.Struct, frozen=True):
    """lives_after: it dies as long as this file is not there."""

    how: str
    lives_after: str = "/nowhere/at/all"


async def work(orders: Orders, stop: asyncio.Event) -> None:
    print("a library prints something")
    if _is_there(orders.lives_after):
        await stop.wait()
    elif orders.how == "config":
        raise ConfigError("rules.yaml has 1 error(s)", findings=["rules.yaml:3: limit: no number"])
    elif orders.how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif orders.how == "group":
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_raise(TransientFault("the lock is held", hint="stop the other")))
            tasks.create_task(_raise(KeyError("pressure")))


def _is_there(path: str) -> bool:
    return Path(path).exists()


async def _raise(error: Exception) -> None:
    raise error


if __name__ == "__main__":
    follow_orders(Orders, work)
