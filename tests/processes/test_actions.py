"""What people do to instances, through a running engine: once, with a reason, and only to what they saw."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from lineshaft.core.errors import (
    BusinessFault,
    ChangedMeanwhile,
    ConfigError,
    ContractViolation,
    PermanentFault,
    TransientFault,
)
from lineshaft.model.condition import ThresholdExceeded
from lineshaft.processes import Context
from lineshaft.processes.refusals import NoSuchProcess, NotPossible, ReasonMissing
from lineshaft.store import Store
from lineshaft.store.schema import process_actions, processes
from tests.books import BOOKED, Posting
from tests.rows import rows
from tests.waiting import until

from .conftest import Build
from .plant import Answers, booked_event, started_by
from .shapes import HOUR, Result, defined, post

BY: dict[str, str] = {"by": "kim", "reason": "seen to it"}
CLOSED = BusinessFault("closed", code="closed_period", owner="finance")


async def posts(ctx: Context, breach: ThresholdExceeded) -> Result:
    one = await post(ctx, "one")
    two = await post(ctx, "two")
    event = await ctx.wait_for(BOOKED, "k", HOUR)
    three = await post(ctx, f"three-{event.amount}")
    return Result(text=f"{one.id} {two.id} {three.id}", amount=event.amount)


async def parked(house: Build, answers: Answers, run: Any = posts, reference: str = "two") -> tuple[Any, str]:
    """Parked at the call with this reference, which is refused once; the house is not running."""

    def reply(request: Posting) -> Posting:
        if request.reference == reference:
            raise CLOSED
        return msgspec.structs.replace(request, id=f"D-{request.reference}")

    answers.replies["books.post"] = reply
    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("parked")
    answers.replies["books.post"] = lambda request: msgspec.structs.replace(
        request, id=f"D-{request.reference}"
    )
    return house(defined(run)), (await here.instance())["process_id"]


async def finished(here: Any) -> str:
    await here.engine.handle(booked_event("k", amount=3))
    await here.in_state("completed")
    return str(msgspec.json.decode((await here.instance())["result"])["text"])


async def test_a_retry_asks_for_the_same_again_and_says_so_to_the_door(
    house: Build, answers: Answers
) -> None:
    here, process_id = await parked(house, answers)
    async with here.running():
        await here.actions.retry(process_id, **BY)
        assert await finished(here) == "D-one D-two D-three-3"
    assert [(command.request.reference, bool(command.reopen)) for command in answers.commands] == [  # type: ignore[attr-defined]
        ("one", False),
        ("two", False),
        ("two", True),
        ("three-3", False),
    ]
    assert [step["attempts"] for step in await here.steps()] == [1, 2, 1, 1]


async def test_a_retry_whose_system_is_away_stays_a_retry(house: Build, answers: Answers) -> None:
    here, process_id = await parked(house, answers)
    answers.faults["books.post"] = [TransientFault("away")] * 2
    async with here.running():
        await here.actions.retry(process_id, **BY)
        await until(lambda: len(answers.commands) == 3)
        await here.in_state("retrying")
        await here.actions.retry(process_id, **BY)  # not at its own time, but now
        await until(lambda: len(answers.commands) == 4)
        await here.in_state("retrying")
        here.pass_time(60)
        await finished(here)
    assert [bool(command.reopen) for command in answers.commands[1:6]] == [False, True, True, True, False]


async def test_a_correction_is_what_is_asked_now_and_the_history_keeps_both(
    house: Build, answers: Answers, store: Store
) -> None:
    here, process_id = await parked(house, answers)
    asked = msgspec.json.encode(Posting(reference="corrected", amount=2))
    assert await here.actions.correct(process_id, b'{"amount": "x"}', **BY)
    assert await here.actions.correct(process_id, asked, **BY, dry_run=True) == []
    assert answers.references == ["one"]
    async with here.running():
        assert await here.actions.correct(process_id, asked, **BY) == []
        assert await finished(here) == "D-one D-corrected D-three-3"
    step = (await here.steps())[1]
    assert msgspec.json.decode(step["input"])["reference"] == "two"
    assert msgspec.json.decode(step["corrected"])["reference"] == "corrected"
    (row,) = await rows(store, process_actions)
    detail = msgspec.json.decode(row["detail"])
    assert (row["actor"], row["reason"], row["step"]) == ("kim", "seen to it", "1")
    assert "two" in detail["before"]
    assert "corrected" in detail["after"]


async def test_of_two_people_who_saw_the_same_one_corrects(house: Build, answers: Answers) -> None:
    here, process_id = await parked(house, answers)

    async def correct(by: str, seen: int | None) -> list[str]:
        asked = msgspec.json.encode(Posting(reference=by, amount=2))
        return await here.actions.correct(process_id, asked, by=by, reason="r", seen=seen)

    told = await asyncio.gather(correct("ann", 0), correct("ben", 0), return_exceptions=True)
    assert [each for each in told if not isinstance(each, BaseException)] == [[]]
    (refused,) = [each for each in told if isinstance(each, ChangedMeanwhile)]
    (step,) = [each for each in await here.steps() if each["corrected"]]
    assert msgspec.json.decode(step["corrected"])["reference"] == refused.by
    assert f"was corrected by {refused.by} at " in str(refused)
    answers.faults["books.post"] = [CLOSED]
    async with here.running():
        await until(lambda: len(answers.commands) == 3)
        await here.in_state("parked")
    with pytest.raises(
        ChangedMeanwhile
    ):  # it is parked again, with another request than the one that was seen
        await correct("cleo", 0)
    assert await correct("cleo", 1) == []


async def test_an_input_is_corrected_when_no_step_is_to_blame(house: Build, answers: Answers) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        await post(ctx, breach.rule)
        if breach.unit == "BAR":
            raise BusinessFault("BAR is no unit", code="unknown_unit")
        await ctx.wait_for(BOOKED, "k", HOUR)
        return Result(text=breach.unit)

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("parked")
        process_id = (await here.instance())["process_id"]
        given = msgspec.json.decode(started_by().data)
        other_step = msgspec.json.encode(given | {"rule": "r2"})
        (finding,) = await here.actions.correct(process_id, other_step, **BY)
        assert "diverged at step 0" in finding
        assert (
            await here.actions.correct(process_id, msgspec.json.encode(given | {"unit": "KPA"}), **BY) == []
        )
        assert await finished(here) == "KPA"
    assert answers.references == ["r1"]


async def test_a_skip_checks_the_value_and_goes_on_with_it(house: Build, answers: Answers) -> None:
    here, process_id = await parked(house, answers)
    with pytest.raises(ContractViolation):
        await here.actions.skip(process_id, b'{"amount": 1}', **BY)
    async with here.running():
        by_hand = b'{"reference": "two", "amount": 1, "id": "BY-HAND"}'
        await here.actions.skip(process_id, by_hand, **BY)
        assert await finished(here) == "D-one BY-HAND D-three-3"
    assert answers.references == ["one", "three-3"]


async def test_a_wait_is_skipped_and_the_event_comes_too_late(house: Build, answers: Answers) -> None:
    here = house(defined(posts))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        process_id = (await here.instance())["process_id"]
        by_hand = b'{"reference": "k", "amount": 9, "id": "X"}'
        await here.actions.skip(process_id, by_hand, **BY)
        await here.in_state("completed")
        await here.engine.handle(booked_event("k"))
    assert answers.references[-1] == "three-9"


async def test_what_was_looked_at_is_what_is_changed(house: Build, answers: Answers, store: Store) -> None:
    """The event came between a person's look and the skip: what the process has taken stays."""
    here = house(defined(posts))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
    process_id = (await here.instance())["process_id"]
    act = here.actions._act

    async def later(*arguments: Any) -> Any:
        await here.engine.handle(booked_event("k", amount=3))
        async with here.running():
            await here.in_state("completed")
        return await act(*arguments)

    here.actions._act = later  # type: ignore[method-assign]
    with pytest.raises(NotPossible):
        await here.actions.skip(process_id, b'{"reference": "k", "amount": 9, "id": "X"}', **BY)
    assert answers.references[-1] == "three-3"
    assert await rows(store, process_actions) == []


async def test_what_is_skipped_beside_a_parked_step_leaves_that_parked(
    house: Build, answers: Answers
) -> None:
    async def reopened(ctx: Context, breach: ThresholdExceeded) -> Result:
        await ctx.gather(ctx.wait_for(BOOKED, "k", HOUR), post(ctx, breach.rule))
        return Result()

    here = house(defined(reopened))
    async with here.running():
        answers.faults["books.post"] = [TransientFault("away")]
        await here.engine.handle(started_by())
        await here.in_state("retrying")
        answers.faults["books.post"] = [PermanentFault("401")]
        here.pass_time(60)
        await here.in_state("parked")
        process_id = (await here.instance())["process_id"]
        await here.actions.skip(process_id, b'{"reference": "k", "amount": 9, "id": "X"}', **BY, step="0.0.0")
        assert (await here.instance())["state"] == "parked"
        assert len(answers.commands) == 2
        await here.actions.retry(process_id, **BY)
        await here.in_state("completed")


async def test_an_action_needs_a_reason_an_instance_and_its_state(house: Build, answers: Answers) -> None:
    here, process_id = await parked(house, answers)
    with pytest.raises(ReasonMissing):
        await here.actions.retry(process_id, by="kim", reason=" ")
    with pytest.raises(NoSuchProcess):
        await here.actions.retry("nowhere", **BY)
    await here.actions.terminate(process_id, **BY)
    for action in ("retry", "abort", "cancel", "terminate"):
        with pytest.raises(NotPossible, match="terminated"):
            await getattr(here.actions, action)(process_id, **BY)


async def test_an_action_whose_commit_was_not_answered_is_done_once(
    house: Build, answers: Answers, store: Store
) -> None:
    here, process_id = await parked(house, answers)

    class Twice:
        async def write(self, unit: Any) -> Any:
            await store.write(unit)
            return await store.write(unit)

        async def read(self, question: Any) -> Any:
            return await store.read(question)

    here.actions._store = Twice()
    await here.actions.retry(process_id, **BY)
    forks = [await here.actions.fork(process_id, 1, **BY) for _ in range(2)]
    assert len(set(forks)) == 2
    assert [row["action"] for row in await rows(store, process_actions)].count("fork") == 2
    assert len(here.noted) == 3


@pytest.mark.parametrize(("way", "ends"), [("cancel", "cancelled"), ("terminate", "terminated")])
async def test_one_that_runs_ends_between_two_steps(
    way: str, ends: str, house: Build, answers: Answers
) -> None:
    go_on = asyncio.Event()
    answers.before = lambda command: go_on.wait() if command.request.reference == "one" else None  # type: ignore[attr-defined]
    here = house(defined(posts))
    async with here.running():
        await here.engine.handle(started_by())
        await until(lambda: len(answers.commands) == 1)
        await getattr(here.actions, way)((await here.instance())["process_id"], **BY)
        go_on.set()
        await here.in_state(ends)
        await until(lambda: not here.engine._active)
    assert answers.references == ["one"]
    assert (await here.instance())["cause"] == "seen to it"


@pytest.mark.parametrize(("way", "ends"), [("cancel", "cancelled"), ("terminate", "terminated")])
async def test_one_of_a_version_that_is_gone_can_be_ended(
    way: str, ends: str, house: Build, answers: Answers
) -> None:
    here, process_id = await parked(house, answers)
    here = house(defined(posts, version=2))
    async with here.running():
        await getattr(here.actions, way)(process_id, **BY)
        await here.in_state(ends)
    assert answers.references == ["one"]


async def test_a_fork_has_the_same_identifiers_and_repeats_no_effect(
    house: Build, answers: Answers, store: Store
) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        names = [f"{ctx.new_id()[:8]}-{ctx.random.randint(0, 9)}" for _ in range(3)]
        for name in names:
            await post(ctx, name)
        event = await ctx.wait_for(BOOKED, "k", HOUR)
        return Result(text=" ".join(names), amount=event.amount)

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        text = await finished(here)
        process_id = (await here.instance())["process_id"]
        fork = await here.actions.fork(process_id, 2, **BY)
        await here.in_state("completed", 2)
        again = await here.actions.fork(fork, 0, **BY)
        await here.in_state("completed", 3)
    found = {row["process_id"]: row for row in await rows(store, processes)}
    assert {msgspec.json.decode(row["result"])["text"] for row in found.values()} == {text}
    assert len(answers.effects) == 3
    assert {found[each]["forked_from"] for each in (fork, again)} == {process_id}
    with pytest.raises(ConfigError, match="no step 9"):
        await here.actions.fork(process_id, 9, **BY)


async def test_a_fork_is_refused_before_a_step_that_is_not_done(house: Build, answers: Answers) -> None:
    here, process_id = await parked(house, answers)
    await here.actions.fork(process_id, 1, **BY)
    with pytest.raises(ConfigError, match="no step 2"):
        await here.actions.fork(process_id, 2, **BY)


async def test_a_fork_beyond_a_step_that_is_not_done_is_told_where_to_begin(
    house: Build, answers: Answers
) -> None:
    async def undone(ctx: Context, breach: ThresholdExceeded) -> Result:
        await ctx.undoable(post(ctx, "one"), lambda _: post(ctx, "undo"))
        await post(ctx, "two")
        return Result()

    here, process_id = await parked(house, answers, undone)
    answers.faults["books.post"] = [PermanentFault("401")]
    async with here.running():
        await here.actions.abort(process_id, **BY)
        await until(lambda: len(answers.commands) == 3)
        await here.in_state("parked")
    with pytest.raises(ConfigError) as refused:
        await here.actions.fork(process_id, 1, **BY)
    assert (refused.value.message, refused.value.hint) == (
        f"{process_id}: step 0u.0 before step 1 is not done",
        "fork from step 0 or before, or wait until it is done",
    )
    assert await here.actions.fork(process_id, 0, **BY) != process_id


async def test_what_needs_a_version_that_is_gone_says_which_are_loaded(
    house: Build, answers: Answers
) -> None:
    _, process_id = await parked(house, answers)
    with pytest.raises(ConfigError) as refused:
        await house(defined(posts, version=2)).actions.correct(process_id, b"{}", **BY)
    assert str(refused.value) == "no process test v1 is loaded (loaded: test v2)"
