"""The engine stops at every write, before it and after it, and starts again: same effects, same result."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from lineshaft.contracts.catalogue import THRESHOLD_EXCEEDED
from lineshaft.core.clock import rfc3339
from lineshaft.core.errors import BusinessFault, PermanentFault, TransientFault
from lineshaft.core.values import Value
from lineshaft.model.condition import ThresholdExceeded
from lineshaft.processes import Context, WaitTimedOut, process
from lineshaft.store import Store, Unit
from lineshaft.store.schema import exceptions, outbox, processes
from tests.books import BOOKED, Account, Books, Posting
from tests.clocks import ManualClock
from tests.rows import rows
from tests.waiting import until

from .plant import Answers, House, booked_event, started_by

HOUR = timedelta(hours=1)


class Result(Value, frozen=True, kw_only=True):
    documents: list[str]
    sum: int
    text: str


@process(
    name="long",
    version=1,
    starts_on=THRESHOLD_EXCEEDED,
    key=lambda breach: breach.rule,
    uses=(Books,),
    waits_on=(BOOKED,),
    owner="finance",
)
async def long(ctx: Context, breach: ThresholdExceeded) -> Result:
    """Every kind of step, with the time of the process in what it sends."""
    books = ctx.system(Books)

    async def post(reference: str, amount: int) -> str:
        posted = await books.post(Posting(reference=reference, amount=amount, account=rfc3339(ctx.now)))
        return str(posted.id)

    documents = [await post("first", 1)]
    await ctx.publish(BOOKED, Posting(reference="told-1", amount=1))
    text = ""
    try:
        await post("refused", 1)
    except BusinessFault as fault:
        text = str(fault)
    await ctx.sleep(HOUR)
    early = await ctx.wait_for(BOOKED, "early", HOUR)
    try:
        await ctx.wait_for(BOOKED, "never", HOUR)
    except WaitTimedOut:
        documents.append(await post("reminder", early.amount))
    late = await ctx.wait_for(BOOKED, "late", 100 * HOUR)
    balance = await books.balance(Account(account="4711"))
    documents.append(await post("last", late.amount + balance.amount))
    await ctx.publish(BOOKED, Posting(reference="told-2", amount=1))
    return Result(documents=documents, sum=early.amount + late.amount, text=text)


class Stops:
    """A store at whose nth write the product stops: before it, or when it is on disk and not yet told."""

    def __init__(self, store: Store, at: int, *, committed: bool) -> None:
        self._store = store
        self._at = at
        self._committed = committed
        self.writes = 0
        self.stopped = asyncio.Event()

    async def write(self, unit: Unit[Any]) -> Any:
        return await self._write(lambda: self._store.write(unit))

    async def write_together(self, work: Any, item: Any) -> Any:
        return await self._write(lambda: self._store.write_together(work, item))

    async def _write(self, write: Callable[[], Awaitable[Any]]) -> Any:
        self.writes += 1
        if self.writes < self._at:
            return await write()
        if self.writes == self._at and self._committed:
            await write()
        self.stopped.set()
        return await asyncio.Event().wait()

    async def read(self, question: Any) -> Any:
        return await self._store.read(question)


async def run_to_the_end(house: House, stops: Stops | None = None) -> bool:
    """Events come in (again, as after every start), time passes; True when it is completed."""

    async def events() -> None:
        for event in (booked_event("early"), started_by(), booked_event("late", amount=30)):
            while True:
                try:
                    await house.engine.handle(event)
                    break
                except TransientFault:  # the backbone brings it again
                    continue

    async def finished() -> bool:
        if stops is not None and stops.stopped.is_set():
            return True
        house.pass_time(900)
        return [row["state"] for row in await rows(house.store, processes)] == ["completed"]

    async with house.running():
        told = asyncio.create_task(events())
        await until(finished)
        told.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await told
    return stops is None or not stops.stopped.is_set()


def scripted() -> Answers:
    answers = Answers()
    answers.faults["books.post"] = []

    def reply(request: Posting) -> Posting:
        if request.reference == "refused":
            raise BusinessFault("closed", code="closed_period", hint="reopen")
        return msgspec.structs.replace(request, id=f"D-{request.reference}")

    answers.replies["books.post"] = reply
    return answers


async def assert_one_story(store: Store, answers: Answers, amounts: dict[str, int]) -> None:
    assert {request.reference: request.amount for _, request in answers.effects} == amounts
    assert len(answers.effects) == len(amounts)
    events = [msgspec.json.decode(row["event"])["subject"] for row in await rows(store, outbox)]
    assert events == ["told-1", "told-2"]
    (instance,) = await rows(store, processes)
    assert msgspec.json.decode(instance["result"], type=Result) == Result(
        documents=["D-first", "D-reminder", "D-last"], sum=35, text="closed (reopen)"
    )
    assert await rows(store, exceptions) == []


AMOUNTS = {"first": 1, "reminder": 5, "last": 37}


@pytest.mark.parametrize("committed", [False, True])
async def test_stopped_at_every_write_and_started_again(committed: bool, store: Store, postgres: Any) -> None:
    """One run per write: the product stops there once, and then runs to the end."""
    for at in range(1, 60):
        await emptied(store)
        clock, answers = ManualClock(tick_s=0.001), scripted()
        stops = Stops(store, at, committed=committed)
        if await run_to_the_end(House(store, [long], answers, clock, stops), stops):
            assert at > 12, "fewer writes than steps?"
            break
        await run_to_the_end(House(store, [long], answers, clock))
        await assert_one_story(store, answers, AMOUNTS)
    else:
        raise AssertionError("it never ran without a stop")
    await assert_one_story(store, answers, AMOUNTS)


@pytest.mark.parametrize("committed", [False, True])
async def test_stopped_again_and_again_it_gets_on(committed: bool, store: Store) -> None:
    """Every start comes two writes further, as with a product that keeps crashing."""
    clock, answers = ManualClock(tick_s=0.001), scripted()
    for start in range(80):
        stops = Stops(store, 5 + start % 3, committed=committed)
        if await run_to_the_end(House(store, [long], answers, clock, stops), stops):
            break
    await assert_one_story(store, answers, AMOUNTS)


class Refuses:
    """A store whose nth write fails, with or without having been done."""

    def __init__(self, store: Store, at: int, fault: Exception, *, committed: bool) -> None:
        self._store = store
        self._at = at
        self._fault = fault
        self._committed = committed
        self.writes = 0

    async def write(self, unit: Unit[Any]) -> Any:
        return await self._write(lambda: self._store.write(unit))

    async def write_together(self, work: Any, item: Any) -> Any:
        return await self._write(lambda: self._store.write_together(work, item))

    async def _write(self, write: Callable[[], Awaitable[Any]]) -> Any:
        self.writes += 1
        if self.writes == self._at:
            if self._committed:
                await write()
            raise self._fault
        return await write()

    async def read(self, question: Any) -> Any:
        return await self._store.read(question)


@pytest.mark.parametrize("committed", [False, True])
async def test_a_database_that_is_away_for_a_write_changes_nothing(
    committed: bool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is not the process's: its code never sees it, and the engine looks again."""
    sleep = asyncio.sleep
    monkeypatch.setattr("lineshaft.processes.engine.asyncio.sleep", lambda s: sleep(min(s, 0.005)))
    for at in range(1, 20):
        await emptied(store)
        clock, answers = ManualClock(tick_s=0.001), scripted()
        refuses = Refuses(store, at, TransientFault("the database is away"), committed=committed)
        house = House(store, [long], answers, clock, refuses)
        await run_to_the_end(house)
        await assert_one_story(store, answers, AMOUNTS)


async def test_a_row_that_the_database_refuses_is_parked(store: Store) -> None:
    refuses = Refuses(store, 4, PermanentFault("value too long", code="store_refused"), committed=False)
    house = House(store, [long], scripted(), ManualClock(tick_s=0.001), refuses)
    async with house.running():
        for event in (booked_event("early"), booked_event("late"), started_by()):
            await house.engine.handle(event)
        await house.in_state("parked")
    assert (await house.instance())["owner"] == "integration"


async def test_a_unit_that_ran_twice_left_the_same(store: Store) -> None:
    """A commit whose answer was lost is repeated: nothing is taken twice, nobody is left asleep."""

    class Twice:
        async def write(self, unit: Unit[Any]) -> Any:
            await store.write(unit)
            return await store.write(unit)

        async def write_together(self, work: Any, item: Any) -> Any:
            await store.write_together(work, item)
            return await store.write_together(work, item)

        async def read(self, question: Any) -> Any:
            return await store.read(question)

    answers = scripted()
    await run_to_the_end(House(store, [long], answers, ManualClock(tick_s=0.001), Twice()))
    await assert_one_story(store, answers, AMOUNTS)


async def emptied(store: Store) -> None:
    from lineshaft.store.schema import METADATA

    def unit(connection: Connection) -> None:
        for table in METADATA.sorted_tables:
            connection.execute(table.delete())

    await store.write(unit)
