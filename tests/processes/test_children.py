"""Processes that other processes start: once per business key, ended as their parents need it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lineshaft.core.errors import BusinessFault
from lineshaft.model.condition import ThresholdExceeded
from lineshaft.processes import Context, ProcessDefinition
from lineshaft.store import Store
from lineshaft.store.schema import processes
from tests.books import BOOKED, Posting
from tests.rows import rows

from .conftest import Build
from .plant import Answers, booked_event, started_by
from .shapes import HOUR, Result, defined, post


def inner() -> ProcessDefinition:
    async def run(ctx: Context, given: Posting) -> Result:
        posted = await ctx.undoable(
            post(ctx, f"{given.reference}-in"), lambda posted: post(ctx, f"undo-{posted.reference}")
        )
        event = await ctx.wait_for(BOOKED, given.reference, HOUR)
        return Result(text=posted.id or "", amount=event.amount)

    return defined(run, name="inner", starts_on=None, key=lambda given: given.reference)


INNER = inner()


async def outer(ctx: Context, breach: ThresholdExceeded) -> Result:
    await ctx.undoable(post(ctx, f"{breach.rule}-out"), lambda posted: post(ctx, f"undo-{posted.reference}"))
    found: list[Result] = await ctx.gather(
        *(ctx.child(INNER, Posting(reference=name, amount=1)) for name in ("x", "y"))
    )
    return Result(text=" ".join(each.text for each in found), amount=sum(each.amount for each in found))


OUTER = defined(outer, children=(INNER,))


async def by_key(store: Store) -> dict[str, dict[str, Any]]:
    return {row["business_key"]: row for row in await rows(store, processes)}


async def test_a_parent_takes_the_results_of_its_children_across_restarts(
    house: Build, store: Store, answers: Answers
) -> None:
    here = house(OUTER)
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting", 3)
    here = house(OUTER)
    async with here.running():
        await here.engine.handle(booked_event("x", amount=3))
        await here.in_state("completed")
        await here.in_state("waiting", 2)
    here = house(OUTER)
    async with here.running():
        await here.engine.handle(booked_event("y", amount=4))
        await here.in_state("completed", 3)
    found = await by_key(store)
    assert msgspec.json.decode(found["r1"]["result"]) == {"text": "D-x-in D-y-in", "amount": 7}
    assert found["x"]["parent_id"] == found["r1"]["process_id"]
    assert {row["correlation_id"] for row in found.values()} == {started_by().id}
    assert sorted(answers.references) == ["r1-out", "x-in", "y-in"]


async def test_two_parents_of_one_key_have_one_child(house: Build, store: Store, answers: Answers) -> None:
    here = house(OUTER)
    async with here.running():
        await here.engine.handle(started_by("r1"))
        await here.engine.handle(started_by("r2"))
        await here.in_state("waiting", 4)
        for key in ("x", "y"):
            await here.engine.handle(booked_event(key))
        await here.in_state("completed", 4)
        await here.engine.handle(started_by("r3"))  # comes when both have ended
        await here.in_state("completed", 5)
    assert sorted(answers.references) == ["r1-out", "r2-out", "r3-out", "x-in", "y-in"]


@pytest.mark.parametrize(
    ("way", "ends"), [("cancel", "cancelled"), ("abort", "aborted"), ("terminate", "terminated")]
)
async def test_the_end_of_a_child_by_a_person_is_a_fault_of_its_parent(
    way: str, ends: str, house: Build, store: Store, answers: Answers
) -> None:
    here = house(OUTER)
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting", 3)
        await here.engine.handle(booked_event("y"))
        await here.in_state("completed")
        child = (await by_key(store))["x"]["process_id"]
        await getattr(here.actions, way)(child, by="kim", reason="not today")
        await here.in_state("parked")
    parent = (await by_key(store))["r1"]
    assert parent["cause"] == f"inner x was {ends}: not today"
    assert parent["at_step"] == "1.0.0"


@pytest.mark.parametrize(("way", "ends"), [("abort", "aborted"), ("cancel", "cancelled")])
async def test_who_ends_a_parent_ends_its_children(
    way: str, ends: str, house: Build, store: Store, answers: Answers
) -> None:
    here = house(OUTER)
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting", 3)
        parent = (await by_key(store))["r1"]["process_id"]
        await getattr(here.actions, way)(parent, by="kim", reason="wrong line")
        await here.in_state(ends, 3)
    undone = [reference for reference in answers.references if reference.startswith("undo")]
    assert sorted(undone) == (["undo-r1-out", "undo-x-in", "undo-y-in"] if way == "abort" else [])
    assert [row["cause"].startswith("wrong line") for row in (await by_key(store)).values()] == [True] * 3


async def test_a_process_that_aborts_itself_leaves_no_child_running(
    house: Build, store: Store, answers: Answers
) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        async def gives_up() -> None:
            await ctx.wait_for(BOOKED, "stop", HOUR)
            ctx.abort("stopped")

        await ctx.gather(ctx.child(INNER, Posting(reference="x", amount=1)), gives_up())
        return Result()

    here = house(defined(run, children=(INNER,)))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting", 2)
        await here.engine.handle(booked_event("stop"))
        await here.in_state("aborted", 2)
    assert answers.references == ["x-in", "undo-x-in"]
    assert "whose step it is" in (await by_key(store))["x"]["cause"]


async def test_the_fault_of_a_child_can_be_handled(house: Build, answers: Answers) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        try:
            await ctx.child(INNER, Posting(reference="x", amount=1))
        except BusinessFault as fault:
            return Result(text=f"{fault.code} {fault.owner}")
        return Result()

    here = house(defined(run, children=(INNER,)))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting", 2)
        child = (await by_key(here.store))["x"]["process_id"]
        await here.actions.abort(child, by="kim", reason="y")
        await here.in_state("completed")
    assert msgspec.json.decode((await here.instance())["result"])["text"] == "child_aborted maintenance"


async def test_a_child_that_was_not_declared_is_parked(house: Build) -> None:
    here = house(defined(outer))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("parked")
    assert "without declaring it" in (await here.instance())["cause"]
