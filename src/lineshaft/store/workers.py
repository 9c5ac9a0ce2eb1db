"""Who may write: workers on one database, each with a lease and a fencing token (its epoch).

A worker renews its lease; one that does not for `lease_s` is taken for dead: another raises its epoch and
takes its work over, in one transaction. Each transaction of a worker begins by looking for its own epoch, so
that one that stalled and wakes up can write nothing. Leases are timed by the database's clock alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog
from sqlalchemy import Connection, Float, cast, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

from lineshaft.core.errors import TransientFault
from lineshaft.store.engine import Store
from lineshaft.store.schema import workers
from lineshaft.store.writer import Fenced

__all__ = ["Worker", "living_workers"]

T = TypeVar("T")
TakeOver = Callable[[Connection, str, str], Sequence[T]]
_LOG = structlog.get_logger(__name__)


class Worker:
    """name: the same at each start of the same worker, unlike any other's on this database; plant: whose."""

    def __init__(self, store: Store, name: str, *, plant: str = "", lease_s: float = 5.0) -> None:
        self.name = name
        self._plant = plant
        self._store = store
        self._lease_s = lease_s
        self._epoch = 0
        self._held_until = 0.0

    async def join(self) -> None:
        """Take the name. Whoever had it before, a stalled former self say, may write nothing any more."""

        def unit(connection: Connection) -> int:
            insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            here = {
                "expires_at": _now(connection) + self._lease_s,
                "seen_at": _now(connection),
                "plant": self._plant,
            }
            row = insert(workers).values(name=self.name, epoch=1, **here)
            raised = {"epoch": workers.c.epoch + 1, **here}
            connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=raised))
            mine = select(workers.c.epoch).where(workers.c.name == self.name)
            found: int = connection.execute(mine).scalar_one()
            return found

        asked_at = time.monotonic()
        self._epoch = await self._store.write(unit)
        self._held_until = asked_at + self._lease_s
        self._store.fence(self._check)

    @property
    def epoch(self) -> int:
        """Counts the times that the name was taken, or withdrawn from one who was taken for dead."""
        return self._epoch

    @property
    def holds(self) -> bool:
        """Nobody took it for dead yet. Asked before what cannot be fenced: a request to a system."""
        return time.monotonic() < self._held_until

    def _check(self, connection: Connection) -> None:
        row = "SELECT epoch FROM workers WHERE name = "
        if connection.dialect.name == "postgresql":  # who takes us for dead waits until this is committed
            found = connection.exec_driver_sql(f"{row} %s FOR SHARE", (self.name,)).scalar()
        else:
            found = connection.exec_driver_sql(f"{row} ?", (self.name,)).scalar()
        if found != self._epoch:
            raise Fenced(
                f"worker {self.name} was silent for more than {self._lease_s:g} s and others do its work",
                hint="it has to start again; if it was not stopped on purpose, look at what stalled it",
            )

    async def run(self, take_over: TakeOver[T], taken: Callable[[Sequence[T]], None]) -> None:
        """Renew the lease and take over from the dead, until cancelled.

        take_over   gives the work of a dead worker (second argument) to us (third), in the transaction that
                    withdraws its right to write, and returns all that is ours then
        taken       told what was taken over, when that is durable
        raises      Fenced when we were taken for dead
        """
        patient_until = 0.0
        while True:
            asked_at = time.monotonic()
            try:
                await self._store.write(self._renew)
                if time.monotonic() > self._held_until:  # a database that was away was away for others, too
                    patient_until = time.monotonic() + self._lease_s
                self._held_until = asked_at + self._lease_s
                if time.monotonic() >= patient_until:
                    await self._look_for_dead(take_over, taken)
            except TransientFault as fault:
                _LOG.warning("worker.store_away", reason=str(fault))
            await asyncio.sleep(self._lease_s / 4)

    def _renew(self, connection: Connection) -> None:
        renewed = {"expires_at": _now(connection) + self._lease_s, "seen_at": _now(connection)}
        connection.execute(update(workers).where(workers.c.name == self.name).values(**renewed))

    async def _look_for_dead(self, take_over: TakeOver[T], taken: Callable[[Sequence[T]], None]) -> None:
        found: set[str] = set()

        def unit(connection: Connection) -> list[tuple[str, Sequence[T]]]:
            work = self._dead(connection, take_over)
            if found and not work:  # a commit whose answer was lost: theirs is ours by now
                work = [(", ".join(sorted(found)), take_over(connection, self.name, self.name))]
            found.update(name for name, _ in work)
            return work

        for name, work in await self._store.write(unit):
            _LOG.warning("worker.taken_over", dead=name, instances=len(work))
            taken(work)

    def _dead(self, connection: Connection, take_over: TakeOver[T]) -> list[tuple[str, Sequence[T]]]:
        """One that another worker, or its own last transaction, holds at the moment comes next time."""
        silent = select(workers.c.name).where(
            workers.c.name != self.name, workers.c.expires_at > 0, workers.c.expires_at < _now(connection)
        )
        dead = list(connection.execute(silent.with_for_update(skip_locked=True)).scalars())
        for name in dead:
            connection.execute(
                update(workers)
                .where(workers.c.name == name)
                .values(epoch=workers.c.epoch + 1, expires_at=literal(0.0))
            )
        return [(name, take_over(connection, name, self.name)) for name in dead]

    async def leave(self) -> None:
        """At an orderly end: others need not wait for the lease to run out."""
        await self._store.write(
            lambda connection: (
                connection.execute(update(workers).where(workers.c.name == self.name).values(expires_at=1.0))
                and None
            )
        )


def living_workers(connection: Connection) -> set[tuple[str, int]]:
    """Name and epoch of each that nobody may take for dead."""
    alive = select(workers.c.name, workers.c.epoch).where(workers.c.expires_at >= _now(connection))
    return {(row.name, row.epoch) for row in connection.execute(alive)}


def _now(connection: Connection) -> ColumnElement[float]:
    """The database's clock, in epoch seconds: one for all workers."""
    if connection.dialect.name == "postgresql":
        return cast(func.extract("epoch", func.clock_timestamp()), Float)
    return (func.julianday("now") - 2440587.5) * 86400.0
