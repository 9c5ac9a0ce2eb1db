"""Group commit: one writer thread runs many small units of work in one transaction, with one fsync."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError, ProgrammingError

from lineshaft.core.errors import LineshaftError, PermanentFault, TransientFault

__all__ = ["Fence", "Fenced", "GroupCommit", "Together", "Unit"]

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741
Unit = Callable[[Connection], T]
Together = Callable[[Connection, Sequence[I]], Sequence[T]]
Fence = Callable[[Connection], None]
_LOG = structlog.get_logger(__name__)
_MOST_PER_COMMIT = 500
# serialization failure, deadlock, lock not available
_PASSING = {"40001", "40P01", "55P03"}


class Fenced(PermanentFault):
    """This worker was taken for dead and another does its work: it may write nothing any more."""

    default_code = "fenced"


class _Task(Generic[T]):
    """One unit of work; or one item of what many ask for together."""

    __slots__ = ("future", "item", "outcome", "work")

    def __init__(self, work: Callable[..., Any], item: Any, future: asyncio.Future[T]) -> None:
        self.work = work
        self.item = item
        self.future = future
        self.outcome: tuple[T | None, BaseException | None] = (None, None)


_ALONE = object()


class GroupCommit:
    """unavailable_s: how long writes wait for a database that went away before they fail as transient.

    prepare   SQL that is run first on a connection
    on_commit told of each group, in the writer's thread: units of work, and seconds from the first attempt
    """

    def __init__(self, engine: Engine, *, unavailable_s: float = 30.0, prepare: str = "") -> None:
        self._prepare = prepare
        self._engine = engine.execution_options(writes=True)
        self._unavailable_s = unavailable_s
        self._connection: Connection | None = None
        self._waiting: deque[_Task[Any]] = deque()
        self._wakes: queue.SimpleQueue[bool] = queue.SimpleQueue()  # False: the last one
        self._waking: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self.fence: Fence | None = None
        self.on_commit: Callable[[int, float], None] | None = None
        self._thread = threading.Thread(target=self._run, name="store-write", daemon=True)
        self._thread.start()

    async def submit(self, unit: Unit[T]) -> T:
        value: T = await self._submit(unit, _ALONE)
        return value

    async def submit_together(self, work: Together[I, T], item: I) -> T:
        value: T = await self._submit(work, item)
        return value

    def _submit(self, work: Callable[..., Any], item: Any) -> asyncio.Future[Any]:
        if self._closed:
            raise TransientFault("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(_Task(work, item, future))
        if self._waking is not loop:  # once for all that is submitted in one turn of the loop
            self._waking = loop
            loop.call_soon(self._wake)
        return future

    def _wake(self) -> None:
        self._waking = None
        self._wakes.put(True)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._wakes.put(False)
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _run(self) -> None:
        goes_on = True
        while goes_on:
            goes_on = self._wakes.get()
            while group := self._next_group():
                begun = time.perf_counter()
                self._commit_until_done(group)
                if self.on_commit is not None:
                    self.on_commit(len(group), time.perf_counter() - begun)
                _resolve(group)
        self._disconnect()

    def _next_group(self) -> list[_Task[Any]]:
        group: list[_Task[Any]] = []
        with suppress(IndexError):
            while len(group) < _MOST_PER_COMMIT:
                group.append(self._waiting.popleft())
        return group

    def _commit_until_done(self, group: list[_Task[Any]]) -> None:
        give_up_at = time.monotonic() + self._unavailable_s
        pending = list(group)
        while True:
            try:
                return self._commit(pending)
            except Fenced as fault:
                return _fail(pending, fault)
            except _Away as away:
                error = away.error
                if time.monotonic() > give_up_at or self._closed:
                    return _fail(pending, TransientFault(f"the database does not take writes: {error.orig}"))
                _LOG.warning("store.away", reason=str(error.orig))
                time.sleep(0.2)  # in the writer's own thread: a database that is away sends no event

    def _commit(self, pending: list[_Task[Any]]) -> None:
        """All in one transaction; if one unit fails, each in its own, so that only the failing one fails.

        What is settled leaves `pending`: a connection that is lost later does not run it again.
        """
        try:
            connection = self._connected()
            with connection.begin():
                if self.fence is not None:
                    self.fence(connection)
                _work(connection, pending)
        except Fenced:
            raise
        except Exception as error:
            if isinstance(error, DBAPIError):
                self._disconnect()
                if _passes(error):
                    raise _Away(error) from error
            if len(pending) == 1:
                pending[0].outcome = (None, _mapped(error))
                return
            while pending:
                self._commit(pending[:1])
                del pending[0]

    def _connected(self) -> Connection:
        """One connection, kept: taking one from the pool for each commit costs as much as a commit."""
        if self._connection is None:
            self._connection = self._engine.connect()
            if self._prepare:
                with self._connection.begin():
                    self._connection.exec_driver_sql(self._prepare)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(DBAPIError):
                self._connection.close()
            self._connection = None


def _work(connection: Connection, tasks: Sequence[_Task[Any]]) -> None:
    """Nobody waits for one of these to ask for another: any order among them is right."""
    together: dict[Callable[..., Any], list[_Task[Any]]] = {}
    for task in tasks:
        if task.item is _ALONE:
            task.outcome = (task.work(connection), None)
        else:
            together.setdefault(task.work, []).append(task)
    for work, some in together.items():
        values = work(connection, [task.item for task in some])
        for task, value in zip(some, values, strict=True):
            task.outcome = (value, None)


def _fail(tasks: Sequence[_Task[Any]], fault: LineshaftError) -> None:
    for task in tasks:
        task.outcome = (None, fault)


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
