"""One database, two kinds: SQLite (WAL) by default, PostgreSQL by URL. Same schema, same units of work."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from lineshaft.core.errors import ConfigError, TransientFault
from lineshaft.store.migrate import migrate
from lineshaft.store.writer import Fence, GroupCommit, Together, Unit

__all__ = ["Store"]

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "wal_autocheckpoint=10000",  # pages: a page that changes again before that is copied back once
)
_STALLED_MS = 4_000
_BINARY = 1  # psycopg.pq.Format, which costs an import where SQLite is all there is
_EXAMPLES = "sqlite:///path/to/lineshaft.db or postgresql://user@host/database"


class Store:
    """Reads in a small thread pool; writes through one writer with group commit."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="store-read")
        is_sqlite = engine.dialect.name == "sqlite"
        # on PostgreSQL each statement sees what is committed anyway: spare it BEGIN and ROLLBACK
        self._reading = engine if is_sqlite else engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writer = GroupCommit(engine, prepare="PRAGMA cache_size = -16000" if is_sqlite else "")

    @classmethod
    def open(cls, url: str) -> Store:
        """Open and migrate. url: `sqlite:///path/to/file.db` or `postgresql://user:password@host/database`.

        raises  ConfigError for an unusable URL or a newer schema, TransientFault when PostgreSQL is away
        """
        engine = _engine(url)
        try:
            migrate(engine)
        except DBAPIError as error:
            engine.dispose()
            raise TransientFault(
                f"the database {engine.url.render_as_string()} does not answer: {error.orig}",
                hint="start it, or correct `store.url` in the settings",
            ) from error
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    @property
    def dialect(self) -> str:
        return self._engine.dialect.name

    async def write(self, unit: Unit[T]) -> T:
        """Run `unit` in a transaction and return when it is on disk; many units share one commit.

        A unit may be run more than once (after a lost connection, or when another unit of its group failed),
        so it must give the same result each time.

        raises  whatever the unit raises; TransientFault when the database stays away, PermanentFault
                when it will not have these rows
        """
        return await self._writer.submit(unit)

    async def write_together(self, work: Together[I, T], item: I) -> T:
        """Like write, for what many ask for at the same time: `work` runs once over all their items.

        work    gives one value for each item, in their order; a single item where it failed for several
        """
        return await self._writer.submit_together(work, item)

    def fence(self, fence: Fence) -> None:
        """From now on each transaction that writes begins with this check; what it raises fails them all."""
        self._writer.fence = fence

    def on_commit(self, told: Callable[[int, float], None]) -> None:
        """From now on `told` gets the units of work of each commit and the seconds it took, in a thread."""
        self._writer.on_commit = told

    async def read(self, question: Callable[[Connection], T]) -> T:
        """raises  TransientFault when the database does not answer"""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._ask, question)

    def _ask(self, question: Callable[[Connection], T], *, again: bool = True) -> T:
        try:
            with self._reading.connect() as connection:
                return question(connection)
        except DBAPIError as error:
            if again and error.connection_invalidated:  # it may be of before the database was started anew
                return self._ask(question, again=False)
            raise TransientFault(f"the database does not answer: {error.orig}") from error

    async def close(self) -> None:
        """Writes that were submitted are committed first."""
        await self._writer.close()
        await asyncio.get_running_loop().run_in_executor(None, self._readers.shutdown)
        self._engine.dispose()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            f"{url!r} is no database URL", hint="sqlite:///file.db or postgresql://…"
        ) from error
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    if parsed.get_backend_name() == "postgresql":
        # a worker that stalls in the middle of a transaction must not keep its rows from the others
        options = f"-c idle_in_transaction_session_timeout={_STALLED_MS}"
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=5,
            connect_args={"options": f"{options} {parsed.query.get('options', '')}".strip()},
        )
        event.listen(engine, "before_cursor_execute", _in_binary)
        return engine
    raise ConfigError(f"store.url: {parsed.get_backend_name()} is not supported", hint=_EXAMPLES)


def _in_binary(_: Connection, cursor: Any, __: str, ___: Any, context: Any, ____: bool) -> None:
    """Answers to statements with the execution option `in_binary`: as text, the documents of a month of hours
    take ten times as long to hand over."""
    if context.execution_options.get("in_binary"):
        cursor.format = _BINARY


def _for_its_owner(database: str) -> None:
    """A new file is nobody else's to read: what webhooks are signed with is in it. What SQLite puts beside it
    is as it is."""
    if database != ":memory:":
        os.close(os.open(database, os.O_CREAT | os.O_RDWR, 0o600))


def _sqlite(url: URL) -> Engine:
    if not url.database:
        raise ConfigError("store.url: SQLite needs a file", hint=_EXAMPLES)
    try:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        _for_its_owner(url.database)
        engine = create_engine(url, pool_size=5, connect_args={"timeout": 30, "check_same_thread": False})
    except (OSError, SQLAlchemyError) as error:
        raise ConfigError(f"store.url: cannot use {url.database}: {error}") from error

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's events below begin the transactions
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
