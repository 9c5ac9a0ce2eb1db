"""Two workers on one PostgreSQL, each a program of its own: they share the work, and one goes on alone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest_asyncio
from sqlalchemy import Connection, func, select, text

from lineshaft.store import Store
from lineshaft.store.schema import METADATA, exceptions, processes, workers
from tests.databases import Postgres
from tests.rows import rows
from tests.waiting import until

from .worker_child import POSTS

_EACH = 60
_LEASE_S = 15.0  # nobody is taken for dead because the machine was busy
_WITHIN_S = 120.0  # of its end or stop, much more than the lease
_ROOT = Path(__file__).parents[2]


class Plant:
    """The database as somebody sees it who is none of the workers."""

    def __init__(self, url: str, store: Store) -> None:
        self.url = url
        self.store = store

    async def count(self, *where: Any) -> int:
        question = select(func.count()).select_from(processes).where(*where)
        return await self.store.read(lambda connection: connection.execute(question).scalar_one())

    async def completed(self, count: int) -> bool:
        return await self.count(processes.c.state == "completed") == count

    async def effects(self) -> list[tuple[str, str, int]]:
        def question(connection: Connection) -> list[tuple[str, str, int]]:
            found = connection.execute(text("select key, worker, attempts from effects order by key"))
            return [tuple(row) for row in found]

        return await self.store.read(question)

    async def who_posted(self) -> set[str]:
        return {worker for _, worker, _ in await self.effects()}

    async def is_in_the_middle(self, worker: str) -> bool:
        """It has posted some, and has many more instances at work."""
        posted = sum(each == worker for _, each, _ in await self.effects())
        here = (processes.c.state == "running", processes.c.worker == worker)
        return posted >= 10 and await self.count(*here) >= 20

    async def stopped_in_the_middle(self, workers: Mapping[str, Child]) -> tuple[str, int]:
        """One that is, and how many instances were begun for that. Which of both it is depends on who looks
        first; of so many instances, one has to have that many for a while. It may be done before it stops:
        only who is still in the middle then stays stopped."""
        begun, found = 0, ""

        async def is_somebody() -> bool:
            nonlocal begun, found
            if await self.completed(begun):
                for name, child in workers.items():
                    child.tell(begin=some(f"{name}-{begun}"))
                begun += len(workers) * _EACH
            for name, child in workers.items():
                if await self.is_in_the_middle(name):
                    child.send(signal.SIGSTOP)
                    if await self.is_in_the_middle(name):
                        found = name
                        return True
                    child.send(signal.SIGCONT)
            return False

        await until(is_somebody)
        return found, begun

    async def everything(self, *, except_of: str) -> dict[str, Any]:
        """Each row of each table of ours; but the one by which this worker says that it lives."""
        kept = {table.name: await rows(self.store, table) for table in METADATA.sorted_tables}
        kept["workers"] = [row for row in kept["workers"] if row["name"] != except_of]
        return kept

    async def requests(self) -> int:
        return sum(attempts for _, _, attempts in await self.effects())

    async def has_each_effect_once(self, instances: int) -> None:
        effects = await self.effects()
        assert len(effects) == instances * POSTS
        assert {attempts for _, _, attempts in effects} == {1}
        assert await rows(self.store, exceptions) == []


@pytest_asyncio.fixture
async def plant(postgres: Postgres) -> AsyncIterator[Plant]:
    name = postgres.database()
    store = Store.open(postgres.url(name))
    await store.write(
        lambda connection: (
            connection.execute(
                text("create table effects (key text primary key, worker text, attempts integer)")
            )
            and None
        )
    )
    yield Plant(postgres.url(name), store)
    await store.close()
    postgres.drop(name)


class Child:
    def __init__(self, process: Process) -> None:
        self.process = process

    def tell(self, **what: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(msgspec.json.encode(what) + b"\n")

    async def said(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(_WITHIN_S):
            return str(msgspec.json.decode(await self.process.stdout.readline()))

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)


@asynccontextmanager
async def two_workers(plant: Plant, spread_s: float = 0.2) -> AsyncIterator[dict[str, Child]]:
    program = (sys.executable, "-m", "tests.processes.worker_child")
    children = [
        Child(await asyncio.create_subprocess_exec(*program, stdin=PIPE, stdout=PIPE, cwd=_ROOT))
        for _ in range(2)
    ]
    try:
        for child, name in zip(children, ("one", "two"), strict=True):
            child.tell(url=plant.url, worker=name, spread_s=spread_s, lease_s=_LEASE_S)
        assert [await child.said() for child in children] == ["ready", "ready"]
        yield dict(zip(("one", "two"), children, strict=True))
    finally:
        for child in children:
            if child.process.returncode is None:
                child.process.kill()
            await child.process.wait()


def some(name: str, count: int = _EACH) -> list[str]:
    return [f"{name}-{number}" for number in range(count)]


async def test_what_one_began_is_done_by_both_when_it_is_due(plant: Plant) -> None:
    begun = 0
    async with two_workers(plant, spread_s=2.0) as both:  # longer than one looks away
        while len(await plant.who_posted()) < 2 and begun < 10 * _EACH:  # one was held up for that long
            both["one"].tell(begin=some(f"one-{begun}"))
            begun += _EACH
            await until(partial(plant.completed, begun), _WITHIN_S)
    await plant.has_each_effect_once(begun)
    assert await plant.who_posted() == {"one", "two"}


async def test_one_that_is_stopped_loses_its_work_within_its_lease_and_writes_nothing_afterwards(
    plant: Plant,
) -> None:
    async with two_workers(plant) as both:
        stopped, begun = await plant.stopped_in_the_middle(both)
        child, other = both[stopped], "two" if stopped == "one" else "one"
        assert await plant.count(processes.c.state == "running", processes.c.worker == stopped) > 0
        await until(lambda: plant.completed(begun), _WITHIN_S)
        await plant.has_each_effect_once(begun)
        before = await plant.everything(except_of=other)
        assert [row["name"] for row in before["workers"]] == [stopped]
        child.send(signal.SIGCONT)
        while (said := await child.said()) == "begun":
            continue
        assert said == "Fenced"
        assert await child.process.wait() == 0
        assert await plant.everything(except_of=other) == before
        # at most the one request that had passed the door and was not sent; its key keeps it without effect
        assert await plant.requests() - begun * POSTS <= 1


async def test_the_work_of_one_that_is_killed_is_done_by_the_other(plant: Plant) -> None:
    async with two_workers(plant) as both:
        killed, begun = await plant.stopped_in_the_middle(both)
        both[killed].send(signal.SIGKILL)
        await until(lambda: plant.completed(begun), _WITHIN_S)
        await plant.has_each_effect_once(begun)
        (left,) = [row for row in await rows(plant.store, workers) if row["name"] == killed]
        assert left["epoch"] == 2
