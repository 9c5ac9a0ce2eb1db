"""A simulated system as a child process: `python -m estate.systems.cmms --data DIR --port N`.

The child writes its port as one line on standard output when it listens, and ends with its parent: by
PR_SET_PDEATHSIG on Linux; elsewhere, and there too, when standard input is a pipe and comes to its end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import os
import signal
import stat
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from estate.systems.server import HOST, SimulatedSystem
from lineshaft.core.errors import TransientFault

__all__ = ["SystemProcess", "serve_child"]

PR_SET_PDEATHSIG = 1
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 5.0
PROJECT = Path(__file__).parents[2]


class SystemProcess:
    """`async with SystemProcess("cmms", data_dir, args=["--duplicates", "3"]) as cmms: cmms.url`.

    module  name of a module of `estate.systems`
    port    0 for a free one; kept over kill() and start()
    env     added to this process's environment
    """

    def __init__(
        self,
        module: str,
        data_dir: Path,
        port: int = 0,
        *,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.module = module
        self.data_dir = data_dir
        self.port = port
        self._args = list(args)
        self._env = dict(env or {})
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """raises TransientFault with what the child wrote when it does not listen within two minutes"""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        log_path = self.data_dir / f"{self.module}.log"
        with log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"estate.systems.{self.module}"),
                *("--data", str(self.data_dir), "--port", str(self.port)),
                *self._args,
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                cwd=PROJECT,
                env={**os.environ, **self._env},
            )
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        line = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT_S):
                line = await self._process.stdout.readline()
        if not line.strip().isdigit():
            await self.kill()
            tail = await asyncio.to_thread(_tail, log_path)
            raise TransientFault(f"estate.systems.{self.module} did not start:\n{tail}", code="estate_start")
        self.port = int(line)

    async def stop(self) -> None:
        """Ask it to end; returns when it is gone."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            await self.kill()
        self._process = None

    async def kill(self) -> None:
        """End it at once, as a crash would; start() brings it back on the same data and port."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        self._process = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def serve_child(
    make: Callable[[argparse.Namespace], SimulatedSystem],
    arguments: Callable[[argparse.ArgumentParser], None] = lambda parser: None,
) -> None:
    """The main of a system's module: read the arguments, serve until a signal or the parent's end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True, help="folder of the database")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    arguments(parser)
    options = parser.parse_args()
    _end_with_parent()
    asyncio.run(_serve(make(options)))


async def _serve(system: SimulatedSystem) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with system:
        print(system.port, flush=True)
        await ended.wait()


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    mode = os.fstat(0).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        threading.Thread(target=_watch_standard_input, daemon=True).start()


def _watch_standard_input() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


def _tail(log_path: Path) -> str:
    return "\n".join(log_path.read_text(errors="replace").splitlines()[-15:]) or "(nothing in the log)"
