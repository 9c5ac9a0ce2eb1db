"""Where a bench measures: new SQLite files and new PostgreSQL databases, all gone afterwards."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from lineshaft.app.bench import postgres
from lineshaft.core.errors import ConfigError

__all__ = ["Databases", "Kind", "databases"]

_VARIABLE = "LINESHAFT_BENCH_POSTGRES"


class Kind(StrEnum):
    SQLITE = "sqlite"
    POSTGRES = "postgres"
    BOTH = "both"


class Databases(dict[str, Callable[[], str] | None]):
    """For "sqlite" and "postgres": what makes a new, empty database and gives its URL; None: not measured."""


@contextmanager
def databases(kind: Kind, postgres_url: str) -> Iterator[Databases]:
    """postgres_url: of any database of the server; empty: the environment's, else a server of our own.

    raises  ConfigError for an unusable URL, TransientFault when a server of our own does not start
    """
    with ExitStack() as stack:
        found = Databases(sqlite=None, postgres=None)
        if kind is not Kind.POSTGRES:
            found["sqlite"] = stack.enter_context(_sqlite())
        if kind is not Kind.SQLITE:
            url = postgres_url or os.environ.get(_VARIABLE, "")
            if url or postgres.is_installed():
                found["postgres"] = stack.enter_context(
                    _postgres(url or stack.enter_context(postgres.server()))
                )
            elif kind is Kind.POSTGRES:
                raise ConfigError(
                    "there is no PostgreSQL to measure on", hint=f"give --postgres-url or ${_VARIABLE}"
                )
            else:
                print(f"no PostgreSQL: give --postgres-url or ${_VARIABLE}", file=sys.stderr)
        yield found


@contextmanager
def _sqlite() -> Iterator[Callable[[], str]]:
    numbers = count(1)
    with tempfile.TemporaryDirectory(prefix="lineshaft-bench-") as folder:
        yield lambda: f"sqlite:///{Path(folder) / f'bench-{next(numbers)}.db'}"


@contextmanager
def _postgres(url: str) -> Iterator[Callable[[], str]]:
    try:
        server = make_url(url).set(drivername="postgresql")
    except ArgumentError as error:
        raise ConfigError(f"{url!r} is no URL of a PostgreSQL database") from error
    made: list[str] = []

    def create() -> str:
        name = f"lineshaft_bench_{os.getpid()}_{len(made) + 1}"
        execute("create database {}", name)
        made.append(name)
        return server.set(database=name).render_as_string(hide_password=False)

    def execute(statement: str, name: str) -> None:
        plain = server.render_as_string(hide_password=False)
        try:
            with psycopg.connect(plain, autocommit=True, connect_timeout=5) as connection:
                connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
        except psycopg.Error as error:
            raise ConfigError(
                f"{server.render_as_string()} cannot be measured on: {error}",
                hint="its user has to be allowed to create databases",
            ) from error

    try:
        yield create
    finally:
        for name in made:
            execute("drop database if exists {} with (force)", name)
