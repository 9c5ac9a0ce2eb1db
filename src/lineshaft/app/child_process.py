"""A part of the node in a process of its own: started with its orders, started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from asyncio import StreamReader
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import msgspec
import structlog

from lineshaft.core.errors import ConfigError, LineshaftError, TransientFault
from lineshaft.core.ports import Health, HealthState

__all__ = ["ChildProcess", "end_with_its_input", "follow_orders", "leaves", "reason_of"]

T = TypeVar("T")

_LOG = structlog.get_logger(__name__)
_GRACE_S = 15.0
_BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_S = 120.0  # longer than a start may wait for a lock
_MANY = 3
_LAST_WORD = "the last word: "
_LONGEST = 4000
_TAIL_BYTES = 4 * _LONGEST


class ChildProcess:
    """A module of ours, run as a program. It ends with its standard input, and so with us, however we end.

    module         its `__main__` calls `follow_orders`
    orders         one value, told to each new child; secrets in it never show on a command line
    pid            while it runs
    on_many_deaths told the reason once, when it has died three times in a row; again after it lived long
    """

    def __init__(
        self, module: str, orders: msgspec.Struct, on_many_deaths: Callable[[str], Awaitable[None]]
    ) -> None:
        self.part = module.rpartition(".")[2].removesuffix("_child")
        self._module = module
        self._orders = orders
        self._on_many_deaths = on_many_deaths
        self._deaths = 0
        self._reason = ""
        self._died_at = float("-inf")
        self._lives = False
        self.pid: int | None = None

    async def run(self) -> None:
        """Until cancelled; the child then ends in good order."""
        reported, loop = False, asyncio.get_running_loop()
        while True:
            begun_at = loop.time()
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self._module, stdin=PIPE, stdout=PIPE, start_new_session=True
            )
            self._lives, self.pid = True, process.pid
            try:
                self._reason = await self._attend(process)
            finally:
                self._lives, self.pid = False, None
                await end_with_its_input(process, _GRACE_S)
            self._died_at = loop.time()
            if self._died_at - begun_at > _STEADY_S:
                self._deaths, reported = 0, False
            self._deaths += 1
            pause_s = _BACKOFF_S[min(self._deaths, len(_BACKOFF_S)) - 1]
            _LOG.error("child.died", part=self.part, reason=self._reason, again_in_s=pause_s)
            if self._deaths >= _MANY and not reported:
                reported = await self._report()
            await asyncio.sleep(pause_s)

    async def health(self, check: Callable[[], Awaitable[Health]], heard_at: float) -> Health:
        """What the part says of itself; why it died, until it has spoken again.

        heard_at   when it last spoke, in seconds of the event loop's clock
        """
        if self._deaths == 0 or (self._lives and heard_at > self._died_at):
            return await check()
        times = "once" if self._deaths == 1 else f"{self._deaths} times"
        return Health(state=HealthState.STOPPED, detail=f"the process has ended {times}: {self._reason}")

    async def _report(self) -> bool:
        try:
            await self._on_many_deaths(self._reason)
        except TransientFault as fault:
            _LOG.warning("child.deaths_not_reported_yet", part=self.part, fault=str(fault))
            return False
        return True

    async def _attend(self, process: Process) -> str:
        """Why it ended."""
        writer, reader = process.stdin, process.stdout
        assert writer is not None and reader is not None  # noqa: S101, PT018 - pipes
        hearing = asyncio.create_task(_last_word(reader))
        try:
            try:
                writer.write(msgspec.json.encode(self._orders) + b"\n")
                await writer.drain()
            except OSError:
                pass  # it is gone already: its last word or its exit code tells
            code = await process.wait()
            await asyncio.wait([hearing], timeout=1)  # a process that it left behind may hold the pipe
            word = hearing.result() if hearing.done() else ""
        finally:
            hearing.cancel()
        return word or f"{_ending(code)} without a word, see the log of the node"


async def _last_word(reader: StreamReader) -> str:
    tail = b""
    while chunk := await reader.read(_TAIL_BYTES):
        tail = (tail + chunk)[-_TAIL_BYTES:]
    _, found, word = tail.decode(errors="replace").rpartition(_LAST_WORD)
    return word.partition("\n")[0] if found else ""


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


async def end_with_its_input(process: Process, grace_s: float) -> None:
    """It gets the time to end in good order; then it is killed, as it is when we are cancelled meanwhile."""
    if process.returncode is not None:
        return
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(grace_s):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def follow_orders(type: type[T], work: Callable[[T, asyncio.Event], Awaitable[None]]) -> None:
    """The child's side: read the orders, work until standard input ends or `work` returns.

    What ends it too early is logged, and its reason is the last line on standard output.

    work   gets the orders, and an event that is set when it is to end
    """

    async def live() -> None:
        orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=type)
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        def wait_for_the_end() -> None:
            while os.read(sys.stdin.fileno(), 4096):
                pass
            loop.call_soon_threadsafe(stop.set)

        threading.Thread(target=wait_for_the_end, daemon=True).start()
        await work(orders, stop)

    try:
        asyncio.run(live())
    except Exception as error:
        for leaf in leaves(error):
            expected = isinstance(leaf, LineshaftError)
            _LOG.error("child.cannot_go_on", error=reason_of(leaf), exc_info=None if expected else leaf)
        with contextlib.suppress(BrokenPipeError):  # to the node, which may be gone
            os.write(sys.stdout.fileno(), f"\n{_LAST_WORD}{reason_of(error)}\n".encode())
        sys.exit(1)


def reason_of(error: BaseException) -> str:
    """In one line, for people: of each error that the code did not foresee its type as well."""
    return "; ".join(dict.fromkeys(_reason(leaf) for leaf in leaves(error)))[:_LONGEST]


def _reason(error: BaseException) -> str:
    if isinstance(error, ConfigError):
        text = "; ".join([LineshaftError.__str__(error), *error.findings])
    else:
        text = str(error) if isinstance(error, LineshaftError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The error, or what a group of errors is made of."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves(each)
    else:
        yield error
