"""Lines of steps beside each other: each as durable as any, all ended before the function goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from lineshaft.core.errors import BusinessFault, PermanentFault, TransientFault
from lineshaft.model.condition import ThresholdExceeded
from lineshaft.processes import Context
from lineshaft.store import Store
from lineshaft.store.schema import process_waits
from tests.books import BOOKED, Account, Books
from tests.rows import rows
from tests.waiting import until

from .conftest import Build
from .plant import Answers, booked_event, started_by
from .shapes import HOUR, Result, defined, post


async def result(here: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode((await here.instance())["result"])
    return found


async def two_lines(ctx: Context, breach: ThresholdExceeded) -> Result:
    async def line(name: str) -> str:
        first = await post(ctx, f"{name}-1")
        event = await ctx.wait_for(BOOKED, name, HOUR)
        second = await post(ctx, f"{name}-2", event.amount)
        return f"{first.id} {second.id} {ctx.new_id()[:4]} {ctx.random.random():.3f}"

    before = await post(ctx, "before")
    one, two = await ctx.gather(line("a"), line("b"))
    after = await post(ctx, "after")
    return Result(text=f"{before.id} | {one} | {two} | {after.id}")


async def test_lines_wait_each_for_their_own_across_restarts(house: Build, answers: Answers) -> None:
    here = house(defined(two_lines))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        assert sorted(answers.references) == ["a-1", "b-1", "before"]
    here = house(defined(two_lines))
    async with here.running():
        await here.engine.handle(booked_event("b"))
        await until(lambda: "b-2" in answers.references)
        await here.in_state("waiting")
    here = house(defined(two_lines))
    async with here.running():
        await here.engine.handle(booked_event("a"))
        await here.in_state("completed")
    assert sorted(answers.references) == ["a-1", "a-2", "after", "b-1", "b-2", "before"]
    assert [step["step"] for step in await here.steps()] == [
        "0",
        *("1.0.0", "1.0.1", "1.0.2"),
        *("1.1.0", "1.1.1", "1.1.2"),
        "2",
    ]
    text = (await result(here))["text"]
    one, two = text.split(" | ")[1:3]
    assert one.split()[2:] != two.split()[2:]  # chance and identifiers of its own


async def test_what_was_done_before_is_durable_before_a_line_does_anything(
    house: Build, answers: Answers
) -> None:
    """Else a question asked again might be answered otherwise, when its consequence is in the world."""

    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        found = await ctx.system(Books).balance(Account(account="x"))
        await ctx.gather(post(ctx, "a", found.amount))
        return Result(amount=found.amount)

    answers.before = lambda command: asyncio.sleep(3600) if command.operation == "books.post" else None
    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await until(lambda: len(answers.commands) == 2)
        assert [step["step"] for step in await here.steps()] == ["0"]
    answers.before = lambda command: None
    answers.replies["books.balance"] = lambda request: pytest.fail("asked again")
    here = house(defined(run))
    async with here.running():
        await here.in_state("completed")
    assert (await result(here))["amount"] == 7


async def test_a_fault_of_one_is_raised_when_all_have_ended(house: Build, answers: Answers) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        async def slow() -> None:
            await post(ctx, "slow-1")
            await post(ctx, "slow-2")

        async def refused() -> None:
            raise BusinessFault("no", code="no")

        try:
            await ctx.gather(refused(), slow())
        except BusinessFault as fault:
            return Result(text=f"{fault.code} {sorted(answers.references)}")
        return Result()

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("completed")
    assert (await result(here))["text"] == "no ['slow-1', 'slow-2']"


async def test_a_line_that_waits_keeps_the_fault_of_another_until_it_has_ended(house: Build) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        async def refused() -> None:
            raise BusinessFault("no", code="no")

        await ctx.gather(refused(), ctx.wait_for(BOOKED, "k", HOUR))
        return Result()

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        await here.engine.handle(booked_event("k"))
        await here.in_state("parked")
    assert (await here.instance())["cause"] == "no"


async def test_each_line_keeps_its_own_pause(house: Build, answers: Answers) -> None:
    """One that rests as its peer asked is not hurried by what wakes the other."""

    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        await ctx.gather(post(ctx, "a"), ctx.wait_for(BOOKED, "k", HOUR))
        return Result()

    answers.faults["books.post"] = [TransientFault("busy", retry_after_s=500)]
    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("retrying")
        await here.engine.handle(booked_event("k"))

        async def taken() -> bool:
            return all(step["kind"] == "call" or step["state"] == "done" for step in await here.steps())

        await until(taken)
        await here.in_state("retrying")
        assert len(answers.commands) == 1
        here.pass_time(560)
        await here.in_state("completed")
    assert len(answers.commands) == 2


async def test_it_parks_at_the_line_that_cannot_go_on(house: Build, answers: Answers) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        async def line(name: str) -> None:
            await post(ctx, f"{name}-1")
            await post(ctx, f"{name}-2")

        await ctx.gather(line("a"), line("b"))
        return Result()

    def reply(request: Any) -> Any:
        if request.reference == "b-1":
            raise PermanentFault("401")
        return msgspec.structs.replace(request, id="D")

    answers.replies["books.post"] = reply
    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("parked")
        instance = await here.instance()
        assert (instance["at_step"], instance["owner"]) == ("0.1.0", "maintenance")
        assert sorted(answers.references) == ["a-1", "a-2"]
        answers.replies["books.post"] = lambda request: msgspec.structs.replace(request, id="D")
        await here.actions.retry(instance["process_id"], by="x", reason="y")
        await here.in_state("completed")
    assert sorted(answers.references) == ["a-1", "a-2", "b-1", "b-2"]


async def test_two_waits_for_one_key_take_an_event_each(house: Build, store: Store) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        events = await ctx.gather(*(ctx.wait_for(BOOKED, "k", HOUR) for _ in range(2)))
        return Result(text=str(sorted(event.amount for event in events)))

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        await here.engine.handle(booked_event("k", "1", amount=1))
        await here.engine.handle(booked_event("k", "1", amount=1))
        await here.in_state("waiting")
        await here.engine.handle(booked_event("k", "2", amount=2))
        await here.in_state("completed")
    assert (await result(here))["text"] == "[1, 2]"
    assert len({row["event_id"] for row in await rows(store, process_waits)}) == 2


async def test_suspended_in_a_gather_it_does_nothing_more_not_even_in_finally(
    house: Build, answers: Answers
) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        try:
            await ctx.gather(ctx.wait_for(BOOKED, "k", HOUR))
        finally:
            await post(ctx, "released")
        return Result()

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        assert answers.commands == []
        await here.engine.handle(booked_event("k"))
        await here.in_state("completed")
    assert answers.references == ["released"]


async def test_gathers_in_gathers_and_empty_ones(house: Build, answers: Answers) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        async def inner(name: str) -> list[Any]:
            await ctx.gather()
            return await ctx.gather(post(ctx, f"{name}-x"), post(ctx, f"{name}-y"))

        found = await ctx.gather(inner("a"), inner("b"))
        await ctx.sleep(HOUR)
        return Result(text=" ".join(posted.id for each in found for posted in each))

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        here.pass_time(3601)
        await here.in_state("completed")
    assert (await result(here))["text"] == "D-a-x D-a-y D-b-x D-b-y"
    assert len(answers.commands) == 4


async def test_the_engine_ends_in_the_middle_and_the_next_one_goes_on(house: Build, answers: Answers) -> None:
    answers.before = lambda command: (
        asyncio.sleep(3600) if command.request.reference.endswith("b-1") else None  # type: ignore[attr-defined]
    )
    here = house(defined(two_lines))
    async with here.running():
        await here.engine.handle(started_by())
        await until(lambda: {"before", "a-1"} <= set(answers.references))
    answers.before = lambda command: None
    here = house(defined(two_lines))
    async with here.running():
        for key in ("a", "b"):
            await here.engine.handle(booked_event(key))
        await here.in_state("completed")
    assert sorted(answers.references) == ["a-1", "a-2", "after", "b-1", "b-2", "before"]


@pytest.mark.parametrize("where", ["line", "function"])
async def test_something_that_was_cancelled_inside_is_a_bug_and_costs_no_worker(
    where: str, house: Build, answers: Answers
) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        async def broken() -> None:
            raise asyncio.CancelledError

        if where == "line":
            await ctx.gather(broken(), post(ctx, "a"))
        await broken()
        return Result()

    here = house(defined(run))
    async with here.running():
        for number in range(3):
            await here.engine.handle(started_by(f"r{number}"))
        await here.in_state("parked", 3)
    assert len(answers.references) == (1 if where == "line" else 0)
