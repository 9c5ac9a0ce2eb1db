"""An abort undoes what was done, in reverse; each undo is as durable as any step."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from lineshaft.core.errors import BusinessFault, PermanentFault, TransientFault
from lineshaft.model.condition import ThresholdExceeded
from lineshaft.processes import Context
from tests.books import BOOKED, Account, Books
from tests.waiting import until

from .conftest import Build
from .plant import Answers, booked_event, started_by
from .shapes import HOUR, Result, defined, post


async def three(ctx: Context, breach: ThresholdExceeded) -> Result:
    for name in "abc":
        await ctx.undoable(post(ctx, name), lambda posted: post(ctx, f"undo-{posted.reference}"))
    event = await ctx.wait_for(BOOKED, "k", HOUR)
    if event.amount == 0:
        ctx.abort("nothing is to be booked")
    return Result()


UNDONE = ["a", "b", "c", "undo-c", "undo-b", "undo-a"]


async def aborted(here: Any, reason: str = "wrong line") -> str:
    process_id: str = (await here.instance())["process_id"]
    await here.actions.abort(process_id, by="kim", reason=reason)
    return process_id


async def test_an_abort_by_the_process_itself_undoes_in_reverse(house: Build, answers: Answers) -> None:
    here = house(defined(three))
    async with here.running():
        await here.engine.handle(started_by())
        await here.engine.handle(booked_event("k", amount=0))
        await here.in_state("aborted")
    assert answers.references == UNDONE
    assert (await here.instance())["cause"] == "nothing is to be booked"
    assert [step["step"] for step in await here.steps()] == ["0", "0u.0", "1", "1u.0", "2", "2u.0", "3"]


async def test_an_abort_by_a_person_undoes_in_reverse_and_keeps_the_reason(
    house: Build, answers: Answers
) -> None:
    here = house(defined(three))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        await aborted(here)
        await here.in_state("aborted")
        await here.engine.handle(booked_event("k"))
    assert answers.references == UNDONE
    assert (await here.instance())["cause"] == "wrong line"
    assert [action.action for action in here.noted] == ["abort"]


@pytest.mark.parametrize("fault", [TransientFault("away"), None])
async def test_undos_go_on_after_a_restart_between_them(
    fault: Exception | None, house: Build, answers: Answers
) -> None:
    def before(command: Any) -> Any:
        if command.request.reference == "undo-b":
            if fault is not None:
                raise fault
            return asyncio.sleep(3600)
        return None

    answers.before = before
    here = house(defined(three))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        await aborted(here)
        await until(lambda: answers.commands[-1].request.reference == "undo-b")
        if fault is not None:
            await here.in_state("retrying")
    assert answers.references == UNDONE[:4]
    answers.before = lambda command: None
    here = house(defined(three))
    async with here.running():
        here.pass_time(60)
        await here.in_state("aborted")
    assert answers.references == UNDONE


@pytest.mark.parametrize("way", ["retry", "skip", "cancel", "terminate"])
async def test_an_undo_that_fails_parks_and_a_person_decides(
    way: str, house: Build, answers: Answers
) -> None:
    def reply(request: Any) -> Any:
        if request.reference == "undo-b":
            raise BusinessFault("closed", code="closed_period", owner="finance")
        return msgspec.structs.replace(request, id="D")

    answers.replies["books.post"] = reply
    here = house(defined(three))
    async with here.running():
        await here.engine.handle(started_by())
        await here.engine.handle(booked_event("k", amount=0))
        await here.in_state("parked")
        instance = await here.instance()
        process_id = instance["process_id"]
        assert (instance["at_step"], instance["owner"]) == ("1u.0", "finance")
        assert answers.references == UNDONE[:4]
        answers.replies["books.post"] = lambda request: msgspec.structs.replace(request, id="D")
        if way == "skip":
            posted = b'{"reference": "by hand", "amount": 1, "id": "D-7"}'
            await here.actions.skip(process_id, posted, by="kim", reason="done by hand")
        else:
            await getattr(here.actions, way)(process_id, by="kim", reason="by hand")
        ends = {"cancel": "cancelled", "terminate": "terminated"}
        await here.in_state(ends.get(way, "aborted"))
    expected = {"retry": UNDONE, "skip": [*UNDONE[:4], "undo-a"]}
    assert answers.references == expected.get(way, UNDONE[:4])
    assert any(command.reopen for command in answers.commands) is (way == "retry")


async def test_what_was_found_before_is_durable_before_the_first_undo(house: Build, answers: Answers) -> None:
    """Else the question might be answered otherwise after a restart, in the middle of the undoing."""

    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        await ctx.undoable(post(ctx, "a"), lambda posted: post(ctx, "undo-a"))
        if (await ctx.system(Books).balance(Account(account="x"))).amount == 7:
            ctx.abort("seven")
        return Result()

    answers.before = lambda command: (
        asyncio.sleep(3600) if getattr(command.request, "reference", "") == "undo-a" else None
    )
    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await until(lambda: len(answers.commands) == 3)
    answers.before = lambda command: None
    answers.replies["books.balance"] = lambda request: pytest.fail("asked again")
    here = house(defined(run))
    async with here.running():
        await here.in_state("aborted")
    assert answers.references == ["a", "undo-a"]


async def test_an_abort_in_one_line_of_a_gather_leaves_nothing_of_the_others_to_wait_for(
    house: Build, answers: Answers
) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        async def gives_up() -> None:
            await ctx.undoable(post(ctx, "a"), lambda posted: post(ctx, "undo-a"))
            ctx.abort("no")

        await ctx.gather(ctx.wait_for(BOOKED, "k", HOUR), gives_up())
        return Result()

    answers.before = lambda command: None
    answers.faults["books.post"] = []
    here = house(defined(run))

    def before(command: Any) -> None:
        if command.request.reference == "undo-a" and len(answers.commands) == 2:
            raise TransientFault("away")

    answers.before = before
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("retrying")
        assert [step["step"] for step in await here.steps()] == ["0.1.0", "0.1.0u.0"]
        here.pass_time(60)
        await here.in_state("aborted")
    assert answers.references == ["a", "undo-a"]


async def test_one_step_may_have_two_undos_and_a_line_several_steps(house: Build, answers: Answers) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        async def both() -> str:
            await post(ctx, "b")
            await post(ctx, "c")
            return "bc"

        inner = ctx.undoable(post(ctx, "a"), lambda posted: post(ctx, "undo-inner"))
        await ctx.undoable(inner, lambda posted: post(ctx, "undo-outer"))
        await ctx.undoable(both(), lambda names: post(ctx, f"undo-{names}"))
        await ctx.wait_for(BOOKED, "k", HOUR)
        return Result()

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        await aborted(here)
        await here.in_state("aborted")
    assert answers.references == ["a", "b", "c", "undo-bc", "undo-outer", "undo-inner"]


async def test_an_abort_that_comes_during_the_last_step_still_undoes_it(
    house: Build, answers: Answers
) -> None:
    go_on = asyncio.Event()

    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        await ctx.undoable(post(ctx, "a"), lambda posted: post(ctx, "undo-a"))
        return Result()

    answers.before = lambda command: go_on.wait() if command.request.reference == "a" else None  # type: ignore[attr-defined]
    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await until(lambda: len(answers.commands) == 1)
        await aborted(here)
        go_on.set()
        await here.in_state("aborted")
    assert answers.references == ["a", "undo-a"]


async def test_an_abort_that_comes_while_it_parks_is_not_forgotten(house: Build, answers: Answers) -> None:
    go_on = asyncio.Event()

    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        await ctx.undoable(post(ctx, "a"), lambda posted: post(ctx, "undo-a"))
        await post(ctx, "b")
        return Result()

    async def refused() -> None:
        await go_on.wait()
        raise PermanentFault("401")

    answers.before = lambda command: refused() if command.request.reference == "b" else None  # type: ignore[attr-defined]
    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await until(lambda: len(answers.commands) == 2)
        await aborted(here)
        go_on.set()
        await here.in_state("aborted")
    assert answers.references == ["a", "undo-a"]


async def test_a_second_word_ends_the_undoing(house: Build, answers: Answers) -> None:
    """An abort whose undo finds its system away can still be cancelled."""

    def before(command: Any) -> None:
        if command.request.reference.startswith("undo"):
            raise TransientFault("away")

    answers.before = before
    here = house(defined(three))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        process_id = await aborted(here)
        await here.in_state("retrying")
        await here.actions.cancel(process_id, by="kim", reason="leave it")
        await here.in_state("cancelled")
    assert (await here.instance())["cause"] == "leave it"
    assert answers.references == UNDONE[:3]
