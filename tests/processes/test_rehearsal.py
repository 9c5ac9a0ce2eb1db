"""Moving instances to another version: only those whose recorded history fits, proved without an effect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lineshaft.core.errors import BusinessFault, ConfigError
from lineshaft.model.condition import ThresholdExceeded
from lineshaft.processes import Context
from lineshaft.store import Store
from lineshaft.store.schema import processes, workers
from lineshaft.store.statements import insert_new
from tests.books import BOOKED
from tests.rows import rows

from .conftest import Build
from .plant import Answers, House, booked_event, started_by
from .shapes import HOUR, Result, defined, post

BY: dict[str, str] = {"by": "kim", "reason": "v2 is out"}


async def first(ctx: Context, breach: ThresholdExceeded) -> Result:
    await post(ctx, f"{breach.rule}-a")
    await ctx.wait_for(BOOKED, breach.rule, HOUR)
    await post(ctx, f"{breach.rule}-v1")
    return Result()


async def fits(ctx: Context, breach: ThresholdExceeded) -> Result:
    await post(ctx, f"{breach.rule}-a")
    await ctx.wait_for(BOOKED, breach.rule, HOUR)
    await ctx.gather(post(ctx, f"{breach.rule}-v2"))
    return Result()


async def other_step(ctx: Context, breach: ThresholdExceeded) -> Result:
    await post(ctx, f"{breach.rule}-b")
    return Result()


async def one_less(ctx: Context, breach: ThresholdExceeded) -> Result:
    await post(ctx, f"{breach.rule}-a")
    return Result()


async def broken(ctx: Context, breach: ThresholdExceeded) -> Result:
    raise ZeroDivisionError


async def refuses(ctx: Context, breach: ThresholdExceeded) -> Result:
    raise BusinessFault("no")


async def waiting(house: Build, count: int = 1) -> Any:
    here = house(defined(first))
    async with here.running():
        for number in range(count):
            await here.engine.handle(started_by(f"r{number}"))
        await here.in_state("waiting", count)
    return here


async def test_one_that_fits_goes_on_in_the_new_version(house: Build, answers: Answers) -> None:
    await waiting(house)
    here = house(defined(first), defined(fits, version=2))
    assert await here.actions.migrate("test", 1, 2, **BY, dry_run=True, plants={"elsewhere"}) == []
    (tried,) = await here.actions.migrate("test", 1, 2, **BY, dry_run=True)
    assert (tried.moved, tried.finding) == (False, "")
    assert (await here.instance())["version"] == 1
    (moved,) = await here.actions.migrate("test", 1, 2, **BY, dry_run=False)
    assert moved.moved
    async with here.running():
        await here.engine.handle(booked_event("r0"))
        await here.in_state("completed")
    assert answers.references == ["r0-a", "r0-v2"]
    assert [action.detail for action in here.noted] == [{"from": 1, "to": 2}]


@pytest.mark.parametrize(
    ("changed", "finding"),
    [
        (other_step, "diverged at step 0"),
        (one_less, "does not ask for the recorded step 1"),
        (broken, "ZeroDivisionError"),
        (refuses, "does not ask for the recorded step 0"),
    ],
)
async def test_one_that_does_not_fit_stays_with_the_reason(
    changed: Any, finding: str, house: Build, answers: Answers
) -> None:
    await waiting(house)
    here = house(defined(first), defined(changed, version=2))
    (found,) = await here.actions.migrate("test", 1, 2, **BY, dry_run=False)
    assert not found.moved
    assert finding in found.finding
    assert (await here.instance())["version"] == 1
    assert answers.references == ["r0-a"]


async def test_a_version_that_is_not_loaded_is_said_so(house: Build) -> None:
    here = await waiting(house)
    with pytest.raises(ConfigError, match="test v3 is not loaded"):
        await here.actions.migrate("test", 1, 3, **BY, dry_run=True)


async def test_one_that_went_on_between_the_proof_and_the_move_stays(
    house: Build, answers: Answers, store: Store
) -> None:
    await waiting(house, 2)
    here = house(defined(first), defined(fits, version=2))
    act = here.actions._act

    async def later(action: Any, *arguments: Any) -> Any:
        if not here.noted:
            async with here.running():
                await here.engine.handle(booked_event("r0"))
                await here.in_state("completed")
        return await act(action, *arguments)

    here.actions._act = later  # type: ignore[method-assign]
    found = await here.actions.migrate("test", 1, 2, **BY, dry_run=False)
    assert {each.business_key: each.moved for each in found} == {"r0": False, "r1": True}
    versions = {row["business_key"]: row["version"] for row in await rows(store, processes)}
    assert versions == {"r0": 1, "r1": 2}


async def test_one_that_parked_for_want_of_its_version_goes_on_when_it_is_moved(
    house: Build, answers: Answers
) -> None:
    await waiting(house)
    here = house(defined(fits, version=2))
    async with here.running():
        await here.engine.handle(booked_event("r0"))
        await here.in_state("parked")
        (moved,) = await here.actions.migrate("test", 1, 2, **BY, dry_run=False)
        assert moved.moved
        await here.in_state("completed")
    assert answers.references == ["r0-a", "r0-v2"]


async def test_old_and_new_run_side_by_side(house: Build, answers: Answers, store: Store) -> None:
    await waiting(house)
    here = house(defined(first), defined(fits, version=2))
    async with here.running():
        await here.engine.handle(started_by("r1"))
        await here.in_state("waiting", 2)
        for rule in ("r0", "r1"):
            await here.engine.handle(booked_event(rule))
        await here.in_state("completed", 2)
    assert sorted(answers.references) == ["r0-a", "r0-v1", "r1-a", "r1-v2"]


@asynccontextmanager
async def left_by_a_newer_worker(house: Build, store: Store) -> AsyncIterator[tuple[House, House]]:
    """A rolling upgrade: the new one, and the old one, which is told an event of the new version."""
    new = house(defined(first, version=2))
    async with new.running():
        await new.engine.handle(started_by("r0"))
        await new.in_state("waiting")
    row = {"name": "new", "epoch": 1, "expires_at": 9e9}
    await store.write(lambda connection: insert_new(connection, workers, [row]))
    old = house(defined(first))
    async with old.running():
        await old.engine.handle(booked_event("r0"))
        await old.in_state("retrying")
        yield new, old


async def test_a_worker_leaves_what_it_cannot_run_to_one_that_can(
    house: Build, answers: Answers, store: Store
) -> None:
    async with left_by_a_newer_worker(house, store) as (new, old):
        old.pass_time(30)
        await asyncio.sleep(0)
        assert (await old.instance())["state"] == "retrying"
    async with new.running():
        new.pass_time(1)
        await new.in_state("completed")


async def test_what_no_worker_can_run_is_parked_after_a_minute(
    house: Build, answers: Answers, store: Store
) -> None:
    async with left_by_a_newer_worker(house, store) as (_, old):
        old.pass_time(90)
        await old.in_state("parked")
    assert "no process test v2 is loaded" in (await old.instance())["cause"]
