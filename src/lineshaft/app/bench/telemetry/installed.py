"""Peers from PyPI: each in a virtual environment of its own in the cache, never among our dependencies."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import sysconfig
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from filelock import FileLock

from lineshaft.app.bench.telemetry.load import LIMIT, RELEASE, Shape
from lineshaft.app.bench.telemetry.peer import INPUT, PeerSide
from lineshaft.app.last_run import cache_dir
from lineshaft.backbone import Backbone

__all__ = ["PythonPeer"]

_INSTALL_S = 900.0
_GRACE_S = 5.0
_HERE = Path(__file__).parent


class PythonPeer:
    """Implements `peer.Peer`. Its program is `<name>_program.py` beside this module."""

    def __init__(self, name: str, version: str, python: Path, stateful: frozenset[Shape]) -> None:
        self.name = name
        self.version = version
        self._python = python
        self._stateful = stateful

    @classmethod
    def found(cls, name: str, package: str, version: str, stateful: frozenset[Shape]) -> PythonPeer | None:
        """Installed from PyPI at the first time; None, saying why, where it cannot be.

        stateful   shapes for which it does hysteresis and windows
        """
        uv = shutil.which("uv", path=sysconfig.get_path("scripts")) or shutil.which("uv")
        if uv is None:
            print(f"no {package} to measure beside: install uv", file=sys.stderr)
            return None
        folder = cache_dir() / f"{package}-{version}"
        python, complete = folder / "venv/bin/python", folder / "complete"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            if not complete.exists():
                print(f"installing {package} into {folder}: once", file=sys.stderr)
                for command in (
                    (uv, "venv", "--allow-existing", "--python", sys.executable, folder / "venv"),
                    (uv, "pip", "install", "--python", python, f"{package}=={version}"),
                ):
                    if refused := _refused(command):
                        print(f"no {package} to measure beside: uv: {refused}", file=sys.stderr)
                        return None
                complete.touch()
        return cls(name, version, python, stateful)

    def has_state(self, shape: Shape) -> bool:
        return shape in self._stateful

    @asynccontextmanager
    async def running(self, backbone: Backbone, shape: Shape, *, stateful: bool) -> AsyncIterator[PeerSide]:
        server = backbone.server
        assert server is not None  # noqa: S101 - the bench runs its own
        asked = {
            "url": server.url,
            "user": server.user,
            "password": server.password,
            "mqtt_url": backbone.mqtt_url,
            "input": INPUT,
            "limit": LIMIT,
            "release": RELEASE,
            "batches": shape is Shape.BATCHES,
            "stateful": stateful,
        }
        process = await asyncio.create_subprocess_exec(
            self._python,
            "-P",
            _HERE / f"{self.name}_program.py",
            json.dumps(asked),
            stdin=PIPE,
            stdout=sys.__stderr__,
            start_new_session=True,
        )
        try:
            side = PeerSide(self.name, process, backbone.connection)
            await side.begin(shape)
            yield side
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                async with asyncio.timeout(_GRACE_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def _refused(command: tuple[str | Path, ...]) -> str:
    """Why it did not do its work; empty when it did."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_INSTALL_S
        )
    except subprocess.TimeoutExpired:
        return f"not done after {_INSTALL_S:g} s"
    return (done.stderr.strip() or f"ended with {done.returncode}") if done.returncode else ""
