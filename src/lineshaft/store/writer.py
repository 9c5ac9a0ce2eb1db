"""Group commit: one writer thread runs many small units of work in one transaction, with one fsync."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError, ProgrammingError

from lineshaft.core.errors import PermanentFault, TransientFault

__all__ = ["GroupCommit", "Unit"]

T = TypeVar("T")
Unit = Callable[[Connection], T]
_LOG = structlog.get_logger(__name__)
_MOST_PER_COMMIT = 500
# serialization failure, deadlock, lock not available
_PASSING = {"40001", "40P01", "55P03"}


class _Task(Generic[T]):
    __slots__ = ("future", "outcome", "unit")

    def __init__(self, unit: Unit[T], future: asyncio.Future[T]) -> None:
        self.unit = unit
        self.future = future
        self.outcome: tuple[T | None, BaseException | None] = (None, None)


class GroupCommit:
    """unavailable_s: how long writes wait for a database that went away before they fail as transient."""

    def __init__(self, engine: Engine, *, unavailable_s: float = 30.0) -> None:
        self._engine = engine
        self._unavailable_s = unavailable_s
        self._queue: queue.SimpleQueue[_Task[Any] | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-write", daemon=True)
        self._thread.start()

    async def submit(self, unit: Unit[T]) -> T:
        if self._closed:
            raise TransientFault("the store is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put(_Task(unit, future))
        return await future

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _run(self) -> None:
        while True:
            task = self._queue.get()
            group = []
            while task is not None:
                group.append(task)
                if len(group) == _MOST_PER_COMMIT or self._queue.empty():
                    break
                task = self._queue.get_nowait()
            if group:
                self._commit_until_done(group)
                _resolve(group)
            if task is None:
                return

    def _commit_until_done(self, group: list[_Task[Any]]) -> None:
        give_up_at = time.monotonic() + self._unavailable_s
        pending = list(group)
        while True:
            try:
                return self._commit(pending)
            except _Away as away:
                error = away.error
                if time.monotonic() > give_up_at or self._closed:
                    fault = TransientFault(f"the database does not take writes: {error.orig}")
                    for task in pending:
                        task.outcome = (None, fault)
                    return None
                _LOG.warning("store.away", reason=str(error.orig))
                time.sleep(0.2)  # in the writer's own thread: a database that is away sends no event

    def _commit(self, pending: list[_Task[Any]]) -> None:
        """All in one transaction; if one unit fails, each in its own, so that only the failing one fails.

        What is settled leaves `pending`: a connection that is lost later does not run it again.
        """
        try:
            with self._engine.begin() as connection:
                for task in pending:
                    task.outcome = (task.unit(connection), None)
        except Exception as error:
            if isinstance(error, DBAPIError) and _passes(error):
                raise _Away(error) from error
            if len(pending) == 1:
                pending[0].outcome = (None, _mapped(error))
                return
            while pending:
                self._commit(pending[:1])
                del pending[0]


class _Away(Exception):
    """The whole group has to be tried again: the fault is not of one of its units."""

    def __init__(self, error: DBAPIError) -> None:
        super().__init__(str(error))
        self.error = error


def _passes(error: DBAPIError) -> bool:
    """The connection is lost (or was not made, or broke at the commit), or another writer is in the way."""
    if not isinstance(error, OperationalError):
        return error.connection_invalidated
    name = getattr(error.orig, "sqlite_errorname", "")
    return (
        error.connection_invalidated
        or error.statement is None
        or name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
        or getattr(error.orig, "sqlstate", "") in _PASSING
    )


def _mapped(error: Exception) -> Exception:
    if not isinstance(error, DBAPIError):
        return error
    hopeless = isinstance(error, DataError | IntegrityError | ProgrammingError)
    kind = PermanentFault if hopeless else TransientFault
    fault = kind(f"the database refused a write: {error.orig}", code="store_refused")
    fault.__cause__ = error
    return fault


def _resolve(group: list[_Task[Any]]) -> None:
    """One wake-up of each event loop for the whole group."""
    loops: dict[asyncio.AbstractEventLoop, list[_Task[Any]]] = {}
    for task in group:
        loops.setdefault(task.future.get_loop(), []).append(task)
    for loop, tasks in loops.items():
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, tasks)


def _settle(tasks: list[_Task[Any]]) -> None:
    for task in tasks:
        if task.future.done():  # the caller was cancelled; the write stands
            continue
        value, error = task.outcome
        if error is not None:
            task.future.set_exception(error)
        else:
            task.future.set_result(value)
