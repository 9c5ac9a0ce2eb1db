"""Durable processes: every step once, whatever stops in between."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from lineshaft.core.errors import (
    BusinessFault,
    ContractViolation,
    OutcomeUnknown,
    PermanentFault,
    TransientFault,
)
from lineshaft.core.values import Event
from lineshaft.model.condition import ThresholdExceeded
from lineshaft.processes import Context, ProcessDefinition, WaitTimedOut
from lineshaft.processes.waits import start_row
from lineshaft.store import Store
from lineshaft.store.schema import exceptions, outbox, process_steps, process_waits, processes
from lineshaft.store.statements import insert_all
from tests.books import BOOKED, Account, Books, Posting
from tests.clocks import ManualClock
from tests.rows import rows
from tests.waiting import until

from .conftest import Build
from .desk import instance
from .plant import Answers, booked_event, started_by
from .shapes import HOUR, Result, defined, posting


async def two_posts(ctx: Context, breach: ThresholdExceeded) -> Result:
    books = ctx.system(Books)
    one = await books.post(posting(f"{breach.rule}-1", ctx=ctx))
    two = await books.post(posting(f"{breach.rule}-2", ctx=ctx))
    return Result(text=f"{one.id} {two.id}")


async def waits(ctx: Context, breach: ThresholdExceeded) -> Result:
    event = await ctx.wait_for(BOOKED, f"{breach.rule}-ext", HOUR)
    posted = await ctx.system(Books).post(posting(f"{breach.rule}-after", event.amount, ctx))
    return Result(text=posted.id or "", amount=event.amount)


async def test_it_runs_from_event_to_result(house: Build, answers: Answers) -> None:
    here = house(defined(two_posts))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("completed")
    instance = await here.instance()
    assert msgspec.json.decode(instance["result"]) == {"text": "D-r1-1 D-r1-2", "amount": 0}
    assert (instance["correlation_id"], instance["causation_id"]) == (started_by().id, started_by().id)
    assert answers.references == ["r1-1", "r1-2"]
    command = answers.commands[0]
    assert (command.origin.actor, command.origin.plant) == ("process:test", "NSP")
    assert command.origin.correlation_id == started_by().id
    assert command.origin.causation_id == f"{instance['process_id']}/0"
    assert [(step["kind"], step["name"], step["state"]) for step in await here.steps()] == [
        ("call", "books.post", "done"),
        ("call", "books.post", "done"),
    ]


async def test_a_business_key_starts_once(house: Build, store: Store, answers: Answers) -> None:
    here = house(defined(two_posts))
    async with here.running():
        same_fact = started_by(id="told again under another id")
        await asyncio.gather(
            *(here.engine.handle(event) for event in (started_by(), started_by(), same_fact))
        )
        await here.in_state("completed")
        await here.engine.handle(started_by())
        await here.engine.handle(started_by("r2"))
        await here.in_state("completed", 2)
    assert len(await rows(store, processes)) == 2
    assert answers.references == ["r1-1", "r1-2", "r2-1", "r2-2"]


async def test_other_plants_and_types_are_not_its_business(house: Build, store: Store) -> None:
    here = house(defined(waits))
    await here.engine.handle(started_by(plant="ELSEWHERE"))
    await here.engine.handle(started_by(type="other.thing.happened.v1"))
    assert await rows(store, processes) == []
    assert here.engine.event_types == {"equipment.condition.threshold_exceeded.v1", BOOKED.type}


@pytest.mark.parametrize(
    "event", [started_by(data=b"{}"), msgspec.structs.replace(booked_event("x"), data=b"{}")]
)
async def test_a_payload_that_breaks_its_contract_is_refused(event: Event, house: Build) -> None:
    with pytest.raises(ContractViolation):
        await house(defined(waits)).engine.handle(event)


async def test_replay_returns_what_was_recorded_and_touches_nothing(house: Build, answers: Answers) -> None:
    seen: list[Any] = []

    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        books = ctx.system(Books)
        seen.append(await books.post(posting("a", ctx=ctx)))
        seen.append(await books.balance(Account(account="x")))
        seen.append(ctx.now)
        await ctx.publish(BOOKED, Posting(reference="told", amount=1))
        await ctx.sleep(HOUR)
        seen.append(ctx.now)
        return Result()

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
    answers.replies["books.balance"] = lambda request: pytest.fail("asked again")
    answers.replies["books.post"] = lambda request: pytest.fail("sent again")
    there = house(defined(run))
    async with there.running():
        there.pass_time(3601)
        await there.in_state("completed")
    assert seen[:3] == seen[3:6]
    assert len(answers.commands) == 2


async def test_a_wait_takes_an_event_that_comes_later(house: Build, answers: Answers) -> None:
    here = house(defined(waits))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        await here.engine.handle(booked_event("other-ext"))
        await here.engine.handle(booked_event("r1-ext"))
        await here.in_state("completed")
    assert msgspec.json.decode((await here.instance())["result"])["amount"] == 5
    assert answers.references == ["r1-after"]


async def test_a_wait_takes_an_event_that_came_before(house: Build, answers: Answers) -> None:
    """Stopped right after, its replay sees the same time as its first run."""
    here = house(defined(waits))
    await here.engine.handle(booked_event("r1-ext"))
    here.pass_time(600)
    answers.faults["books.post"] = [TransientFault("away")]
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("retrying")
        here.pass_time(60)
        await here.in_state("completed")
    assert answers.references == ["r1-after"]
    wait, _ = await here.steps()
    assert wait["finished_at"] >= wait["started_at"]


async def test_an_event_delivered_twice_is_taken_once(house: Build, store: Store, answers: Answers) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        amounts = []
        for _ in range(2):
            event = await ctx.wait_for(BOOKED, "ext", HOUR)
            amounts.append(event.amount)
            await ctx.system(Books).post(posting(f"after-{event.amount}", ctx=ctx))
        return Result(text=str(amounts))

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        for _ in range(3):
            await here.engine.handle(booked_event("ext", "1", amount=1))
        await here.in_state("waiting")
        await here.engine.handle(booked_event("ext", "1", amount=1))
        await here.engine.handle(booked_event("ext", "2", amount=2))
        await here.in_state("completed")
    assert msgspec.json.decode((await here.instance())["result"])["text"] == "[1, 2]"
    assert answers.references == ["after-1", "after-2"]


async def test_one_event_wakes_all_who_wait_for_it(house: Build, answers: Answers) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        event = await ctx.wait_for(BOOKED, "shared", HOUR)
        await ctx.system(Books).post(posting(breach.rule, event.amount, ctx))
        return Result()

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by("r1"))
        await here.engine.handle(started_by("r2"))
        await here.in_state("waiting", 2)
        await here.engine.handle(booked_event("shared"))
        await here.in_state("completed", 2)
        await here.engine.handle(started_by("r3"))  # came after the event
        await here.in_state("completed", 3)
    assert sorted(answers.references) == ["r1", "r2", "r3"]


async def test_a_wait_times_out_and_a_late_event_changes_nothing(
    house: Build, store: Store, answers: Answers
) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        try:
            await ctx.wait_for(BOOKED, "ext", HOUR)
        except WaitTimedOut:
            await ctx.system(Books).post(posting("reminder", ctx=ctx))
            event = await ctx.wait_for(BOOKED, "ext", 2 * HOUR)
            return Result(text="late", amount=event.amount)
        return Result(text="in time")

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        here.pass_time(3599)
        await asyncio.sleep(0.02)
        assert answers.references == []
        here.pass_time(2)
        await here_has(here, "reminder")
        await here.in_state("waiting")
        await here.engine.handle(booked_event("ext"))
        await here.in_state("completed")
        await here.engine.handle(booked_event("ext", "another"))
        await asyncio.sleep(0.02)
        assert (await here.instance())["state"] == "completed"
    assert msgspec.json.decode((await here.instance())["result"]) == {"text": "late", "amount": 5}
    assert answers.references == ["reminder"]
    assert [step["state"] for step in await here.steps()] == ["timed_out", "done", "done"]


async def here_has(here: Any, reference: str) -> None:
    await until(lambda: reference in here.answers.references)


async def test_an_uncaught_time_out_parks_and_a_late_event_leaves_it_parked(
    house: Build, store: Store
) -> None:
    here = house(defined(waits))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        here.pass_time(3601)
        await here.in_state("parked")
        await here.engine.handle(booked_event("r1-ext"))
        await asyncio.sleep(0.02)
    assert (await here.instance())["state"] == "parked"
    assert [step["state"] for step in await here.steps()] == ["timed_out"]


async def test_an_event_in_the_very_moment_of_the_time_out_is_taken_or_late_but_never_both(
    house: Build, store: Store, clock: ManualClock, answers: Answers
) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        try:
            return Result(amount=(await ctx.wait_for(BOOKED, breach.rule, HOUR)).amount)
        except WaitTimedOut:
            return Result(amount=(await ctx.wait_for(BOOKED, breach.rule, HOUR)).amount + 100)

    here = house(defined(run))
    rules = [f"r{number}" for number in range(20)]
    async with here.running():
        for rule in rules:
            await here.engine.handle(started_by(rule))
        await here.in_state("waiting", 20)
        here.pass_time(3590)
        deliveries = [asyncio.create_task(here.engine.handle(booked_event(rule))) for rule in rules[:10]]
        here.pass_time(11)
        await asyncio.gather(*deliveries, *(here.engine.handle(booked_event(rule)) for rule in rules[10:]))
        await here.in_state("completed", 20)
    amounts = [msgspec.json.decode(row["result"])["amount"] for row in await rows(store, processes)]
    assert set(amounts) <= {5, 105}


async def test_a_sleep_survives_restarts_and_ends_on_time(house: Build, answers: Answers) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        await ctx.sleep(timedelta(days=3))
        await ctx.system(Books).post(posting("woken", ctx=ctx))
        return Result()

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
    for _ in range(2):
        here = house(defined(run))
        async with here.running():
            here.pass_time(86_000)
            await asyncio.sleep(0.02)
            assert answers.references == []
    here.clock.advance(2 * 86_400)  # type: ignore[attr-defined]
    here = house(defined(run))
    async with here.running():
        await here.in_state("completed")
    assert answers.references == ["woken"]


async def test_a_transient_fault_is_retried_from_rows(house: Build, answers: Answers) -> None:
    answers.faults["books.post"] = [TransientFault("away")] * 3
    here = house(defined(two_posts))
    async with here.running():
        await here.engine.handle(started_by())
        for attempt in range(1, 4):
            await attempts(here, attempt)
            instance = await here.instance()
            assert instance["cause"] == "away"
            wait_s = instance["wake_at"] - here.clock.now().timestamp()
            assert 0 < wait_s <= 2.0**attempt
            here.pass_time(30)
        await here.in_state("completed")
    assert answers.references == ["r1-1", "r1-2"]
    assert (await here.instance())["cause"] == ""
    assert [step["attempts"] for step in await here.steps()] == [4, 1]


async def attempts(here: Any, count: int) -> None:
    async def reached() -> bool:
        return any(step["attempts"] == count and step["state"] == "retrying" for step in await here.steps())

    await until(reached)


async def test_the_peer_may_ask_for_a_longer_wait(house: Build, answers: Answers) -> None:
    answers.faults["books.post"] = [TransientFault("busy", retry_after_s=500)]
    here = house(defined(two_posts))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("retrying")
    assert (await here.instance())["wake_at"] - here.clock.now().timestamp() > 490


async def test_an_event_told_again_does_not_shorten_the_pause(house: Build, answers: Answers) -> None:
    answers.faults["books.post"] = [TransientFault("busy", retry_after_s=500)]
    here = house(defined(two_posts))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("retrying")
        for _ in range(5):
            await here.engine.handle(started_by())
            await asyncio.sleep(0.005)
        assert len(answers.commands) == 1
        here.pass_time(506)
        await here.in_state("completed")


async def test_after_three_days_of_retries_a_person_is_asked(house: Build, answers: Answers) -> None:
    answers.faults["books.post"] = [TransientFault("away")] * 2
    here = house(defined(two_posts))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("retrying")
        here.pass_time(4 * 86_400)
        await here.in_state("parked")
    assert answers.references == []


@pytest.mark.parametrize(
    ("fault", "kind", "owner"),
    [
        (BusinessFault("closed", code="closed_period", owner="finance"), "business_fault", "finance"),
        (BusinessFault("closed", code="closed_period"), "business_fault", "maintenance"),
        (OutcomeUnknown("sent, no answer", code="malformed_answer"), "outcome_unknown", "maintenance"),
        (PermanentFault("401"), "technical_fault", "maintenance"),
        (ContractViolation("used with another payload"), "contract_violation", "maintenance"),
    ],
)
async def test_what_a_person_has_to_decide_is_parked_with_its_owner(
    fault: Exception, kind: str, owner: str, house: Build, store: Store, answers: Answers
) -> None:
    answers.faults["books.post"] = [fault]
    here = house(defined(two_posts))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("parked")
        await here.engine.handle(started_by())  # told again: it stays parked
        await asyncio.sleep(0.02)
    instance = await here.instance()
    assert (instance["state"], instance["owner"], instance["cause"]) == ("parked", owner, str(fault))
    (row,) = await rows(store, exceptions)
    assert (row["kind"], row["owner"], row["ref"]) == (kind, owner, instance["process_id"])
    assert (row["correlation_id"], row["count"]) == (started_by().id, 1)
    assert answers.references == []
    assert len(answers.commands) == 1


async def test_a_business_fault_may_be_handled_and_reads_the_same_on_replay(
    house: Build, answers: Answers
) -> None:
    class Special(BusinessFault):
        """A connector's own; the journal knows only the tree."""

    told: list[tuple[type, str, str, str]] = []

    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        try:
            await ctx.system(Books).post(posting("a", ctx=ctx))
        except BusinessFault as fault:
            told.append((type(fault), str(fault), fault.code, fault.owner))
            await ctx.sleep(HOUR)
            await ctx.system(Books).post(Posting(reference="b", amount=1, account=str(fault)))
        return Result()

    answers.faults["books.post"] = [
        Special("closed", code="closed_period", hint="reopen it", owner="finance")
    ]
    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        here.pass_time(3601)
        await here.in_state("completed")
    assert len(told) >= 2
    assert set(told) == {(BusinessFault, "closed (reopen it)", "closed_period", "finance")}
    assert answers.references == ["b"]


@pytest.mark.parametrize("bug", [ZeroDivisionError("bug"), KeyError("x"), TransientFault("not of a step")])
async def test_a_bug_is_parked_and_the_others_run_on(
    bug: Exception, house: Build, store: Store, answers: Answers
) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        await ctx.system(Books).post(posting(breach.rule, ctx=ctx))
        if breach.rule == "r1":
            raise bug
        return Result()

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by("r1"))
        await here.engine.handle(started_by("r2"))
        await here.in_state("parked")
        await here.in_state("completed")
    assert sorted(answers.references) == ["r1", "r2"]
    (row,) = await rows(store, exceptions)
    assert row["kind"] == "technical_fault"


async def test_a_result_that_cannot_be_written_is_parked(house: Build) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> object:
        return object()

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("parked")


async def test_a_replay_that_diverges_is_parked_with_both_sides_named(
    house: Build, store: Store, answers: Answers
) -> None:
    async def first(ctx: Context, breach: ThresholdExceeded) -> Result:
        await ctx.system(Books).post(posting("a"))
        await ctx.sleep(HOUR)
        return Result()

    async def changed(ctx: Context, breach: ThresholdExceeded) -> Result:
        await ctx.system(Books).post(posting("b"))
        await ctx.sleep(HOUR)
        return Result()

    here = house(defined(first))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
    here = house(defined(changed))
    async with here.running():
        here.pass_time(3601)
        await here.in_state("parked")
    cause = (await here.instance())["cause"]
    assert "diverged at step 0" in cause
    assert '"reference":"a"' in cause
    assert '"reference":"b"' in cause
    assert answers.references == ["a"]


async def test_an_instance_ends_in_the_version_that_began_it(house: Build, answers: Answers) -> None:
    def version(number: int) -> ProcessDefinition:
        async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
            await ctx.sleep(HOUR)
            await ctx.system(Books).post(posting(f"{breach.rule}-v{number}", ctx=ctx))
            return Result()

        return defined(run, version=number)

    here = house(version(1))
    async with here.running():
        await here.engine.handle(started_by("r1"))
        await here.in_state("waiting")
    here = house(version(1), version(2))
    async with here.running():
        await here.engine.handle(started_by("r1"))
        await here.engine.handle(started_by("r2"))
        await here.in_state("waiting", 2)
        here.pass_time(3700)
        await here.in_state("completed", 2)
    assert sorted(answers.references) == ["r1-v1", "r2-v2"]
    here = house(version(2))
    async with here.running():
        await here.engine.handle(started_by("r1"))
        await asyncio.sleep(0.02)
    assert (await here.instance())["state"] == "completed"


async def test_a_version_that_is_not_loaded_is_parked(house: Build) -> None:
    here = house(defined(waits))
    await here.engine.handle(started_by())
    here = house(defined(waits, version=2))
    async with here.running():
        await here.in_state("parked")
    assert "no process test v1 is loaded" in (await here.instance())["cause"]


async def test_a_fact_is_told_once_in_the_transaction_of_its_step(house: Build, store: Store) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        await ctx.publish(BOOKED, Posting(reference="told", amount=1))
        await ctx.sleep(HOUR)
        return Result()

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        here.pass_time(3601)
        await here.in_state("completed")
    (row,) = await rows(store, outbox)
    event = msgspec.json.decode(row["event"], type=Event)
    assert (event.type, event.subject, event.correlationid) == (BOOKED.type, "told", started_by().id)
    assert event.causationid == f"{(await here.instance())['process_id']}/0"


async def test_a_wait_that_was_not_declared_is_parked(house: Build) -> None:
    here = house(defined(waits, waits_on=()))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("parked")
    assert "without declaring it" in (await here.instance())["cause"]


async def test_a_suspended_process_does_nothing_more_not_even_in_finally(
    house: Build, answers: Answers
) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        try:
            await ctx.wait_for(BOOKED, "ext", HOUR)
        finally:
            await ctx.system(Books).post(posting("released", ctx=ctx))
        return Result()

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        await asyncio.sleep(0.02)
        assert answers.references == []
    assert answers.references == []
    here = house(defined(run))
    async with here.running():
        await here.engine.handle(booked_event("ext"))
        await here.in_state("completed")
    assert answers.references == ["released"]


async def test_a_cancelled_process_does_nothing_more_in_finally(house: Build, answers: Answers) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        try:
            await ctx.system(Books).post(posting("slow", ctx=ctx))
        finally:
            await ctx.system(Books).post(posting("released", ctx=ctx))
        return Result()

    answers.before = lambda command: asyncio.sleep(3600) if command.request.reference == "slow" else None  # type: ignore[attr-defined]
    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await until(lambda: len(answers.commands) == 1)
        await asyncio.sleep(0.01)
    assert answers.references == []
    assert len(answers.commands) == 1


@pytest.mark.parametrize("how", ["gather", "group"])
async def test_steps_at_once_are_refused(how: str, house: Build) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        books = ctx.system(Books)
        if how == "gather":
            await asyncio.gather(*(books.post(posting(name, ctx=ctx)) for name in "ab"))
        else:
            async with asyncio.TaskGroup() as tasks:
                for name in "ab":
                    tasks.create_task(books.post(posting(name, ctx=ctx)))  # type: ignore[arg-type]
        return Result()

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("parked")
        await here.engine.handle(booked_event("x"))  # the engine is alive
    assert "under way" in (await here.instance())["cause"]


async def test_many_instances_are_under_way_at_once(house: Build, answers: Answers, store: Store) -> None:
    here = house(defined(waits))
    rules = [f"r{number}" for number in range(60)]
    async with here.running():
        await asyncio.gather(*(here.engine.handle(started_by(rule)) for rule in rules))
        await asyncio.gather(*(here.engine.handle(booked_event(f"{rule}-ext")) for rule in rules))
        await here.in_state("completed", 60)
        await until(lambda: not here.engine._active)
        assert not here.engine._again
    assert sorted(answers.references) == sorted(f"{rule}-after" for rule in rules)
    assert len(await rows(store, process_steps)) == 120
    assert all(row["event_id"] for row in await rows(store, process_waits))


async def test_who_saw_the_row_before_its_start_was_answered_has_not_run_it_from_nothing(
    house: Build, store: Store, answers: Answers
) -> None:
    """A look at what is running may come between a commit and its answer: what ran since is recorded."""
    looked = asyncio.Event()

    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        await ctx.system(Books).balance(Account(account="x"))
        await ctx.wait_for(BOOKED, "ext", HOUR)
        return Result()

    class Slow:
        async def write(self, unit: Any) -> Any:
            return await store.write(unit)

        async def write_together(self, work: Any, item: Any) -> Any:
            done = await store.write_together(work, item)
            if work.__name__ == "start_together":
                await looked.wait()
            return done

        async def read(self, question: Any) -> Any:
            return await store.read(question)

    here = house(defined(run), engine_store=Slow())
    starting = asyncio.create_task(here.engine.handle(started_by()))

    async def written() -> bool:
        return len(await rows(store, processes)) == 1

    await until(written)
    async with here.running():
        await here.in_state("waiting")
        looked.set()
        await starting
        await here.engine.handle(booked_event("ext"))
        await here.in_state("completed")
    assert len(answers.commands) == 1


async def test_two_thousand_that_are_due_at_once_all_end(house: Build, store: Store) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        return Result()

    given = started_by().data.decode()
    due = [
        start_row(instance(f"p{number}", "", type="test", input=given)) | {"state": "waiting", "wake_at": 1.0}
        for number in range(2_100)
    ]
    await store.write(lambda connection: insert_all(connection, processes, due))
    here = house(defined(run))
    async with here.running():
        await here.in_state("completed", 2_100)
        await until(lambda: not here.engine._active)
        assert here.engine._room.is_set()
    assert not here.engine._starting | here.engine._started.keys() | here.engine._again


async def test_a_cause_with_a_nul_character_parks_on_both_databases(
    house: Build, store: Store, answers: Answers
) -> None:
    answers.faults["books.post"] = [PermanentFault("bad\0answer")]
    here = house(defined(two_posts))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("parked")
    assert (await here.instance())["cause"] == "bad\N{REPLACEMENT CHARACTER}answer"


async def test_a_wait_that_the_database_refuses_is_parked_and_not_lost(house: Build, store: Store) -> None:
    """SQLite takes a key of any length, PostgreSQL not."""

    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        await ctx.wait_for(BOOKED, "k" * 300, HOUR)
        return Result()

    here = house(defined(run))
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("parked" if store.dialect == "postgresql" else "waiting")
    if store.dialect == "postgresql":
        (row,) = await rows(store, exceptions)
        assert (row["owner"], "refused a write" in row["cause"]) == ("integration", True)
