"""A part of the node in a process of its own: started with its orders, started again when it dies."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from lineshaft.core.errors import LineshaftError

__all__ = ["ChildProcess", "follow_orders"]

T = TypeVar("T")

_LOG = structlog.get_logger(__name__)
_GRACE_S = 15.0
_BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_S = 30.0


class ChildProcess:
    """A module of ours, run as a program. It ends with its standard input, and so with us, however we end.

    module   its `__main__` calls `follow_orders`
    orders   one value, told to each new child; secrets in it never show on a command line
    """

    def __init__(self, module: str, orders: msgspec.Struct) -> None:
        self.name = module.rpartition(".")[2]
        self._module = module
        self._orders = orders

    async def run(self) -> None:
        """Until cancelled; the child then ends in good order."""
        attempt, loop = 0, asyncio.get_running_loop()
        while True:
            begun_at = loop.time()
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self._module, stdin=PIPE, start_new_session=True
            )
            try:
                code = await self._attend(process)
            finally:
                await _end(process)
            attempt = 0 if loop.time() - begun_at > _STEADY_S else attempt + 1
            pause_s = _BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)]
            _LOG.error("child.died", part=self.name, code=code, again_in_s=pause_s)
            await asyncio.sleep(pause_s)

    async def _attend(self, process: Process) -> int:
        writer = process.stdin
        assert writer is not None  # noqa: S101 - a pipe
        try:
            writer.write(msgspec.json.encode(self._orders) + b"\n")
            await writer.drain()
        except OSError:
            pass  # it is gone already: its exit code tells
        return await process.wait()


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_GRACE_S):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def follow_orders(type: type[T], work: Callable[[T, asyncio.Event], Awaitable[None]]) -> None:
    """The child's side: read the orders, work until standard input ends or `work` returns.

    work   gets the orders, and an event that is set when it is to end
    """
    orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=type)

    async def live() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        def wait_for_the_end() -> None:
            while os.read(sys.stdin.fileno(), 4096):
                pass
            loop.call_soon_threadsafe(stop.set)

        threading.Thread(target=wait_for_the_end, daemon=True).start()
        await work(orders, stop)

    try:
        asyncio.run(live())
    except* LineshaftError as group:
        for error in _leaves(group):
            _LOG.error("child.cannot_go_on", part=Path(sys.argv[0]).stem, error=str(error))
        sys.exit(1)


def _leaves(group: BaseExceptionGroup[LineshaftError]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
