"""A replay that asks for anything but what is recorded stops, names both sides, and does nothing."""

from __future__ import annotations

from typing import Any

import pytest

from lineshaft.model.condition import ThresholdExceeded
from lineshaft.processes import Context
from tests.books import BOOKED, Account, Books, Posting
from tests.waiting import until

from .conftest import Build
from .plant import Answers, booked_event, started_by
from .shapes import HOUR, Result, defined, post


async def recorded(ctx: Context, breach: ThresholdExceeded) -> Result:
    await post(ctx, "a")
    await ctx.gather(post(ctx, "b"), post(ctx, "c"))
    await ctx.system(Books).balance(Account(account="x"))
    await ctx.wait_for(BOOKED, "k", HOUR)
    return Result(text="as recorded")


async def other_request(ctx: Context, breach: ThresholdExceeded) -> Result:
    await post(ctx, "z")
    return await recorded(ctx, breach)


async def one_more_first(ctx: Context, breach: ThresholdExceeded) -> Result:
    await ctx.publish(BOOKED, Posting(reference="told", amount=1))
    return await recorded(ctx, breach)


async def a_call_for_a_gather(ctx: Context, breach: ThresholdExceeded) -> Result:
    await post(ctx, "a")
    await post(ctx, "b")
    return Result()


async def a_gather_for_a_call(ctx: Context, breach: ThresholdExceeded) -> Result:
    await ctx.gather(post(ctx, "a"))
    return Result()


async def a_line_less(ctx: Context, breach: ThresholdExceeded) -> Result:
    await post(ctx, "a")
    await ctx.gather(post(ctx, "b"))
    await ctx.system(Books).balance(Account(account="x"))
    await ctx.wait_for(BOOKED, "k", HOUR)
    return Result()


async def an_end_too_early(ctx: Context, breach: ThresholdExceeded) -> Result:
    await post(ctx, "a")
    return Result()


async def a_shorter_wait(ctx: Context, breach: ThresholdExceeded) -> Result:
    await post(ctx, "a")
    await ctx.gather(post(ctx, "b"), post(ctx, "c"))
    await ctx.system(Books).balance(Account(account="x"))
    await ctx.wait_for(BOOKED, "k", HOUR / 2)
    return Result()


@pytest.mark.parametrize(
    ("changed", "step", "what"),
    [
        (other_request, "0", '"reference":"a"'),
        (one_more_first, "0", "asked publish"),
        (a_call_for_a_gather, "1", "at 1.0.0"),
        (a_gather_for_a_call, "0", "asked gather"),
        (a_line_less, "1.1.0", "asked nothing more"),
        (an_end_too_early, "1.0.0", "asked nothing more"),
        (a_shorter_wait, "3", "1800"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
async def test_a_function_that_was_changed_stops_at_the_step_that_differs(
    changed: Any, step: str, what: str, house: Build, answers: Answers
) -> None:
    here = house(defined(recorded))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
    sent = len(answers.commands)
    here = house(defined(changed))
    async with here.running():
        await here.engine.handle(booked_event("k"))
        await here.in_state("parked")
    instance = await here.instance()
    assert instance["cause"].startswith(f"replay diverged at step {step}: recorded ")
    assert what in instance["cause"]
    assert instance["at_step"] == step
    assert len(answers.commands) == sent
    here = house(defined(recorded))  # the version that wrote it goes on, when a person says so
    async with here.running():
        await here.actions.retry(instance["process_id"], by="x", reason="rolled back")
        await here.in_state("completed")
    assert len(answers.commands) == sent


async def test_time_chance_and_identifiers_are_the_same_on_every_replay(
    house: Build, answers: Answers
) -> None:
    seen: list[list[Any]] = []

    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        told: list[Any] = []
        for name in "ab":
            told += [ctx.now, ctx.random.random(), ctx.new_id()]
            await post(ctx, f"{breach.rule}-{name}")
            await ctx.sleep(HOUR)
        seen.append(told)
        return Result()

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by("r1"))
        await here.engine.handle(started_by("r2"))
        for sent in (2, 4):
            await until(lambda sent=sent: len(answers.commands) == sent)  # type: ignore[misc]
            await here.in_state("waiting", 2)
            here.pass_time(3601)
        await here.in_state("completed", 2)
    one, two = seen
    assert len(set(map(str, one + two))) == len(one + two)
    assert len(answers.commands) == 4
