"""A person's decision: asked of a role, given once, or not in time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from lineshaft.core.errors import ConfigError
from lineshaft.model.condition import ThresholdExceeded
from lineshaft.processes import Context, WaitTimedOut

from .conftest import Build
from .plant import started_by
from .shapes import HOUR, Result, defined


async def asks(ctx: Context, breach: ThresholdExceeded) -> Result:
    decision = await ctx.approve("shift_lead", HOUR, question="Stop the line?")
    return Result(text=f"{decision.approved} {decision.by} {decision.reason}")


async def asking(house: Build, run: Any = asks) -> tuple[Any, str]:
    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
    return house(defined(run)), (await here.instance())["process_id"]


@pytest.mark.parametrize("approved", [True, False])
async def test_what_was_decided_is_what_the_process_gets(approved: bool, house: Build) -> None:
    here, process_id = await asking(house)
    async with here.running():
        await here.actions.approve(process_id, approved=approved, by="kim", role="shift_lead", reason="why")
        await here.in_state("completed")
    text = msgspec.json.decode((await here.instance())["result"])["text"]
    assert text == f"{approved} kim why"
    assert [action.action for action in here.noted] == ["approve" if approved else "refuse"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"role": "planner"}, "does not ask planner"), ({"step": "9"}, "nobody"), ({"reason": " "}, "a reason")],
)
async def test_who_is_not_asked_decides_nothing(changes: dict[str, str], said: str, house: Build) -> None:
    here, process_id = await asking(house)
    facts = {"by": "kim", "role": "shift_lead", "reason": "why"} | changes
    with pytest.raises(ConfigError, match=said):
        await here.actions.approve(process_id, approved=True, **facts)
    assert (await here.instance())["state"] == "waiting"
    assert here.noted == []


async def test_of_two_who_decide_at_once_one_is_told_that_it_is_decided(house: Build) -> None:
    here, process_id = await asking(house)
    decisions = await asyncio.gather(
        *(
            here.actions.approve(process_id, approved=yes, by=by, role="shift_lead", reason="why")
            for yes, by in ((True, "kim"), (False, "lee"))
        ),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in decisions) == ["NoneType", "NotPossible"]
    async with here.running():
        await here.in_state("completed")
    text = msgspec.json.decode((await here.instance())["result"])["text"]
    assert text == ("True kim why" if decisions[0] is None else "False lee why")


async def test_nobody_in_time_is_told_to_the_process(house: Build) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        try:
            await ctx.approve("shift_lead", timedelta(hours=1))
        except WaitTimedOut as late:
            return Result(text=str(late))
        return Result()

    here, _ = await asking(house, run)
    async with here.running():
        here.pass_time(3601)
        await here.in_state("completed")
    assert "nobody decided as shift_lead" in (await here.instance())["result"]


async def test_a_decision_that_nobody_made_in_time_can_be_asked_for_anew(house: Build) -> None:
    here, process_id = await asking(house)
    async with here.running():
        here.pass_time(3601)
        await here.in_state("parked")
        assert (await here.instance())["at_step"] == "0"
        await here.actions.retry(process_id, by="lee", reason="kim is back")
        await here.in_state("waiting")
        await here.actions.approve(process_id, approved=True, by="kim", role="shift_lead", reason="why")
        await here.in_state("completed")
