"""Leases with fencing: who was taken for dead writes nothing any more, and nobody owns what another has."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, Engine, insert, select, update

from lineshaft.store import Fenced, Store, Worker
from lineshaft.store.engine import _engine
from lineshaft.store.schema import telemetry_state, workers
from lineshaft.store.workers import living_workers
from tests.databases import Postgres, patient
from tests.examples import examples
from tests.rows import rows
from tests.waiting import until

# Stands for an instance: its owner is in `value`.
OWNED = telemetry_state
_SHORT_S = 0.4


def adding(name: str) -> Any:
    return lambda connection: connection.execute(insert(OWNED).values(name=name, value=b"")) and None


def take_over(connection: Connection, dead: str, worker: str) -> Sequence[str]:
    theirs = OWNED.c.value == dead.encode()
    connection.execute(update(OWNED).where(theirs).values(value=worker.encode()))
    return owned(connection, worker)


def owned(connection: Connection, worker: str) -> Sequence[str]:
    mine = select(OWNED.c.name).where(OWNED.c.value == worker.encode()).order_by(OWNED.c.name)
    return list(connection.execute(mine).scalars())


async def written(store: Store) -> list[str]:
    return [row["name"] for row in await rows(store, OWNED)]


async def expire(store: Store, name: str) -> None:
    """Its lease is over, as when it was silent for so long."""
    await store.write(
        lambda connection: (
            connection.execute(update(workers).where(workers.c.name == name).values(expires_at=1.0)) and None
        )
    )


async def looked(worker: Worker, taken: list[Any]) -> None:
    """One look at the others, and no more."""
    await worker._look_for_dead(take_over, taken.extend)


async def test_joining_raises_the_epoch_and_fences_the_former_self(store_url: str) -> None:
    before, after = Store.open(store_url), Store.open(store_url)
    one = Worker(before, "w")
    await one.join()
    await before.write(adding("a"))
    two = Worker(after, "w")
    await two.join()
    assert (one.epoch, two.epoch) == (1, 2)
    with pytest.raises(Fenced, match="worker w"):
        await before.write(adding("b"))
    await after.write(adding("c"))
    assert await written(after) == ["a", "c"]
    for store in (before, after):
        await store.close()


async def test_of_a_group_of_one_that_was_taken_for_dead_nothing_is_written(store_url: str) -> None:
    theirs, ours = Store.open(store_url), Store.open(store_url)
    dead, heir = Worker(theirs, "dead"), Worker(ours, "heir")
    await dead.join()
    await heir.join()
    await ours.write(lambda c: c.execute(insert(OWNED).values(name="x", value=b"dead")) and None)
    await expire(ours, "dead")
    taken: list[str] = []
    await looked(heir, taken)
    assert taken == ["x"]

    def failing(connection: Connection) -> None:
        raise ValueError

    results = await asyncio.gather(
        *(theirs.write(adding(f"n{number}")) for number in range(20)),
        theirs.write(failing),
        *(theirs.write_together(_adding_together, f"t{number}") for number in range(20)),
        return_exceptions=True,
    )
    assert {type(result) for result in results} == {Fenced}
    assert await written(ours) == ["x"]
    with pytest.raises(Fenced):
        await dead.run(take_over, taken.extend)
    for store in (theirs, ours):
        await store.close()


def _adding_together(connection: Connection, names: Sequence[str]) -> Sequence[None]:
    connection.execute(insert(OWNED), [{"name": name, "value": b""} for name in names])
    return [None] * len(names)


async def test_one_whose_lease_runs_is_left_alone_and_one_that_left_is_not_waited_for(store: Store) -> None:
    one, two = Worker(store, "one"), Worker(store, "two")
    await one.join()
    await two.join()
    await store.write(lambda c: c.execute(insert(OWNED).values(name="x", value=b"one")) and None)
    taken: list[str] = []
    await looked(two, taken)
    assert taken == []
    assert await store.read(living_workers) == {("one", 1), ("two", 1)}
    store.fence(one._check)
    await one.leave()
    store.fence(two._check)
    assert await store.read(living_workers) == {("two", 1)}
    await looked(two, taken)
    await looked(two, taken)
    assert taken == ["x"]


async def test_what_was_taken_over_is_told_also_when_the_unit_ran_twice(store: Store) -> None:
    """The commit came to nothing visible: its answer was lost, and the second run finds nobody dead."""
    heir = Worker(store, "heir")
    await heir.join()
    await store.write(
        lambda c: c.execute(insert(workers).values(name="dead", epoch=1, expires_at=1.0)) and None
    )
    await store.write(lambda c: c.execute(insert(OWNED).values(name="x", value=b"dead")) and None)

    class Twice:
        async def write(self, unit: Any) -> Any:
            await store.write(unit)
            return await store.write(unit)

    heir._store = Twice()  # type: ignore[assignment]
    taken: list[str] = []
    await looked(heir, taken)
    assert taken == ["x"]
    (dead, _) = await rows(store, workers)
    assert (dead["epoch"], dead["expires_at"]) == (2, 0.0)


async def test_after_a_database_that_was_away_others_get_the_time_to_come_back(store: Store) -> None:
    """Everybody's lease ran out meanwhile, and nobody is dead."""
    heir = Worker(store, "heir", lease_s=60.0)
    await heir.join()
    await store.write(
        lambda c: c.execute(insert(workers).values(name="late", epoch=1, expires_at=1.0)) and None
    )
    heir._held_until = time.monotonic() - 1.0
    running = asyncio.create_task(heir.run(take_over, lambda work: None))
    await until(lambda: heir.holds)
    await store.write(lambda connection: None)
    assert (await rows(store, workers))[1]["epoch"] == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_it_holds_as_long_as_it_renews(store: Store) -> None:
    worker = Worker(store, "w", lease_s=_SHORT_S)
    assert not worker.holds
    await worker.join()
    first = (await rows(store, workers))[0]["expires_at"]
    running = asyncio.create_task(worker.run(take_over, lambda work: None))

    async def holds_anew() -> bool:
        """Asked at the end: whoever is held up for as long as a lease has to renew it first."""
        renewed = (await rows(store, workers))[0]["expires_at"] > first + _SHORT_S
        return bool(renewed and worker.holds)

    await until(holds_anew)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await until(lambda: not worker.holds)


_STALLS = """
import asyncio, sys
from sqlalchemy import insert
from lineshaft.store import Store, Worker
from lineshaft.store.schema import telemetry_state

async def main():
    url, where = sys.argv[1:]
    store = Store.open(url)
    worker = Worker(store, "dead", lease_s=2.0)
    await worker.join()
    work = insert(telemetry_state).values(name="work", value=b"dead")
    await store.write(lambda connection: connection.execute(work) and None)
    renewing = asyncio.create_task(worker.run(lambda c, dead, me: [], lambda work: None))

    def unit(connection, number):
        connection.execute(insert(telemetry_state).values(name=f"n{number}", value=b""))
        if where == "transaction" and number == 20:
            print("stall", flush=True)
            sys.stdin.readline()

    number = 0
    while True:
        number += 1
        try:
            await store.write(lambda c: unit(c, number))
        except Exception as error:
            print(type(error).__name__, flush=True)
            return
        if where == "between" and number == 20:
            print("stall", flush=True)
            sys.stdin.readline()

asyncio.run(main())
"""


@pytest.mark.parametrize("where", ["between", "transaction"])
async def test_one_that_was_stopped_is_taken_over_and_writes_nothing_when_it_wakes_up(
    where: str, postgres: Postgres
) -> None:
    """In the middle of a transaction it holds its own row, until the database ends the idle session."""
    url = postgres.url(postgres.database())
    store = Store.open(url)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _STALLS, url, where, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdin is not None
    heir = Worker(store, "heir", lease_s=2.0)
    taken: list[str] = []
    running: asyncio.Task[None] | None = None
    try:
        assert await child.stdout.readline() == b"stall\n"
        os.kill(child.pid, signal.SIGSTOP)
        await heir.join()  # not before: on a busy machine, one would take the other for dead
        running = asyncio.create_task(heir.run(take_over, taken.extend))
        await until(lambda: "work" in taken)
        before = len(await written(store))
        os.kill(child.pid, signal.SIGCONT)
        child.stdin.write(b"go on\n")
        assert [line async for line in child.stdout][-1] == b"Fenced\n"
        await child.wait()
        assert len(await written(store)) == before == (20 if where == "transaction" else 21)
        assert await store.read(lambda connection: owned(connection, "heir")) == ["work"]
    finally:
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        if child.returncode is None:
            child.kill()
            await child.wait()
        await store.close()


class Leases(RuleBasedStateMachine):
    """Three workers and what they own; a lease ends when the test says so."""

    engine: Engine

    @initialize()
    def empty(self) -> None:
        self.writing = self.engine.execution_options(writes=True)
        with self.writing.begin() as connection:
            connection.execute(workers.delete())
            connection.execute(OWNED.delete())
        self.workers: dict[str, Worker] = {}
        self.epochs: dict[str, int] = {}
        self.alive: dict[str, bool] = {}  # by name: its lease runs
        self.owner: dict[str, str] = {}
        self.former: list[Worker] = []
        for name in ("a", "b"):
            self.join(name)

    def write(self, worker: Worker, unit: Any, twice: bool = False) -> Any:
        """As the writer does it: the fence first, in the same transaction."""
        for _ in range(1 + twice):
            with self.writing.begin() as connection:
                if worker._epoch:
                    worker._check(connection)
                value = unit(connection)
        return value

    @rule(name=st.sampled_from(["a", "b", "c"]))
    def join(self, name: str) -> None:
        worker = Worker(_Sync(self), name, lease_s=3600.0)  # type: ignore[arg-type]
        asyncio.run(worker.join())
        if name in self.workers:
            self.former.append(self.workers[name])
        self.workers[name] = worker
        self.epochs[name] = self.epochs.get(name, 0) + 1
        self.alive[name] = True
        assert worker.epoch == self.epochs[name]

    @rule(data=st.data())
    def lease_ends(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.workers)))
        if self.epochs[name] == self.workers[name].epoch:
            with self.writing.begin() as connection:
                connection.execute(update(workers).where(workers.c.name == name).values(expires_at=1.0))
            self.alive[name] = False

    @rule(data=st.data(), thing=st.integers(0, 5))
    def begin_work(self, data: st.DataObject, thing: int) -> None:
        """It writes exactly as long as nobody took it for dead, also when it is late."""
        worker = data.draw(st.sampled_from([*self.workers.values(), *self.former]))
        name = f"t{thing}"
        if name in self.owner:
            return
        unit = insert(OWNED).values(name=name, value=worker.name.encode())
        if worker.epoch == self.epochs[worker.name]:
            self.write(worker, lambda connection: connection.execute(unit) and None)
            self.owner[name] = worker.name
        else:
            with pytest.raises(Fenced):
                self.write(worker, lambda connection: connection.execute(unit) and None)

    @rule(data=st.data(), twice=st.booleans())
    def look(self, data: st.DataObject, twice: bool) -> None:
        worker = data.draw(st.sampled_from(sorted(self.workers.values(), key=lambda each: each.name)))
        taken: list[str] = []
        self.twice = twice
        look = worker._look_for_dead(take_over, taken.extend)
        if worker.epoch != self.epochs[worker.name]:
            with pytest.raises(Fenced):
                asyncio.run(look)
            return
        asyncio.run(look)
        dead = {name for name, alive in self.alive.items() if not alive and name != worker.name}
        for name in dead:
            del self.alive[name]
            self.epochs[name] += 1
        self.owner = {thing: worker.name if of in dead else of for thing, of in self.owner.items()}
        mine = {thing for thing, of in self.owner.items() if of == worker.name}
        assert set(taken) == (mine if dead else set())

    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(sorted(self.workers.values(), key=lambda each: each.name)))
        if worker.epoch == self.epochs[worker.name]:
            self.write(worker, worker._renew)
            self.alive[worker.name] = True

    @invariant()
    def everything_has_the_owner_of_the_model(self) -> None:
        with self.engine.connect() as connection:
            found = {row.name: row.value.decode() for row in connection.execute(select(OWNED))}
            epochs = {row.name: row.epoch for row in connection.execute(select(workers))}
            living = {name for name, _ in living_workers(connection)}
        assert (found, epochs) == (self.owner, self.epochs)
        assert living == {name for name, alive in self.alive.items() if alive}


class _Sync:
    """Stands for a store: each unit at once, behind the fence of its worker."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self._fence: Any = None
        leases.twice = False

    def fence(self, fence: Any) -> None:
        self._fence = fence

    async def write(self, unit: Any) -> Any:
        twice, self._leases.twice = self._leases.twice, False
        for _ in range(1 + twice):
            with self._leases.writing.begin() as connection:
                if self._fence is not None:
                    self._fence(connection)
                value = unit(connection)
        return value


@pytest.mark.hypothesis
def test_leases_keep_to_the_model(store_url: str) -> None:
    engine = _engine(patient(store_url))
    machine: Any = type("OnThisDatabase", (Leases,), {"engine": engine})
    try:
        machine.TestCase.settings = settings(max_examples=examples(8), stateful_step_count=25)
        machine.TestCase().runTest()
    finally:
        engine.dispose()
