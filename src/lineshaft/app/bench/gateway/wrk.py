"""wrk, the load generator: of the machine, else Debian's package unpacked into the cache."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path

import msgspec
from filelock import FileLock

from lineshaft.app.last_run import cache_dir
from lineshaft.core.errors import ConfigError, TransientFault
from lineshaft.core.ids import new_id

__all__ = ["CONNECTIONS", "Load", "Wrk", "found_wrk"]

CONNECTIONS = 64
_PACKAGES = ("wrk", "libluajit-5.1-2", "libluajit-5.1-common")
_FETCH_S = 120.0
_SPARE_S = 30.0
_SCRIPT = Path(__file__).with_name("post.lua")


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What wrk counted. failed: no answer, or a status that is no success."""

    requests: int
    duration_us: int
    failed: int
    p50_us: int
    p99_us: int

    @property
    def req_s(self) -> float:
        return self.requests * 1e6 / self.duration_us


class Wrk:
    def __init__(self, program: str, libraries: str = "") -> None:
        self._program = program
        self._libraries = libraries

    async def run(
        self,
        url: str,
        headers: Mapping[str, str],
        body: str,
        *,
        seconds: float,
        wait_ms: int = 0,
        connections: int = CONNECTIONS,
    ) -> Load:
        """POST as fast as answers come, or with a wait of `wait_ms` on average between two of a connection.

        body     `@ID@` in it becomes an id that no other request has
        raises   TransientFault when wrk fails
        """
        environment = {
            "LINESHAFT_RUN": new_id(),
            "LINESHAFT_BODY": body,
            "LINESHAFT_WAIT_MS": str(wait_ms),
            "LD_LIBRARY_PATH": os.pathsep.join(
                filter(None, (self._libraries, os.environ.get("LD_LIBRARY_PATH", "")))
            ),
        }
        given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
        options = ["-t", "1", "-c", str(connections), "-d", f"{max(1, round(seconds))}s", "--timeout", "10s"]
        process = await asyncio.create_subprocess_exec(
            self._program,
            *options,
            "-s",
            _SCRIPT,
            *given,
            url,
            env=os.environ | environment,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(seconds + _SPARE_S):
                said, complaint = await process.communicate()
        except TimeoutError:
            raise TransientFault(f"wrk did not end {_SPARE_S:g} s after its time") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        lines = said.splitlines()
        if process.returncode or not lines or not lines[-1].startswith(b"{"):
            told = (complaint or said).decode(errors="replace").strip()
            raise TransientFault(f"wrk ended with {process.returncode}: {told[-500:]}")
        return msgspec.json.decode(lines[-1], type=Load)


def found_wrk() -> Wrk:
    """raises  ConfigError where there is none and Debian's cannot be fetched"""
    if program := shutil.which("wrk"):
        return Wrk(program)
    folder = cache_dir() / "wrk"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not (folder / "complete").exists():
            print(f"unpacking wrk into {folder}: once", file=sys.stderr)
            _fetch(folder)
            (folder / "complete").touch()
    libraries = os.pathsep.join(sorted({str(each.parent) for each in folder.rglob("libluajit-5.1.so*")}))
    return Wrk(str(folder / "usr/bin/wrk"), libraries)


def _fetch(folder: Path) -> None:
    try:
        for package in _PACKAGES:
            _done(["apt-get", "download", package], folder)
        for archive in sorted(folder.glob("*.deb")):
            _done(["dpkg-deb", "-x", archive.name, "."], folder)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise ConfigError(
            f"there is no wrk to measure with, and Debian's could not be fetched: {said.strip()[-300:]}",
            hint="install wrk, e.g. `apt-get install wrk`",
        ) from error


def _done(command: list[str], folder: Path) -> None:
    subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=_FETCH_S,
    )
