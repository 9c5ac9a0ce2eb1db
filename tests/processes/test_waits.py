"""Waits, signals and ends in every order, unit by unit and at the same moment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from lineshaft.processes import journal, waits
from lineshaft.processes.actions import Actions
from lineshaft.processes.records import ProcessState, StepState
from lineshaft.store import Store
from lineshaft.store.schema import process_waits, processes
from tests.clocks import ManualClock
from tests.rows import rows

from .desk import Desk, at_once, waiting
from .plant import BERLIN


@pytest_asyncio.fixture
async def desk(store: Store) -> Desk:
    made = Desk(store)
    await made.start()
    return made


async def by_id(store: Store) -> dict[str, dict[str, Any]]:
    return {row["process_id"]: row for row in await rows(store, processes)}


async def test_an_event_that_comes_later_wakes_it(desk: Desk) -> None:
    assert await desk.suspend()
    assert await desk.state() == ("waiting", "")
    assert await desk.deliver() == ["p1"]
    found, (step,) = await desk.load()
    assert (found.state, found.worker) == ("running", "w1")
    assert (step.state, step.output, step.ref) == ("done", '"first"', "e1")


async def test_an_event_that_came_before_keeps_it_running(desk: Desk) -> None:
    await desk.deliver()
    assert not await desk.suspend()
    _, (step,) = await desk.load()
    assert (step.state, step.ref) == ("done", "e1")


async def test_a_wait_that_began_before_the_delivery_was_seen_does_not_undo_it(desk: Desk) -> None:
    """The instance was loaded, the event came, the instance waits as it was loaded."""
    await desk.suspend()
    assert await desk.deliver() == ["p1"]
    assert not await desk.suspend()
    found, (step,) = await desk.load()
    assert (found.state, step.state, step.ref) == ("running", "done", "e1")


async def test_a_time_out_that_began_before_the_delivery_was_seen_takes_the_event(desk: Desk) -> None:
    await desk.suspend()
    await desk.deliver()
    assert (await desk.expire()).state is StepState.DONE


async def test_a_time_out_without_a_wait_takes_an_event_that_is_there(desk: Desk) -> None:
    await desk.deliver()
    left = await desk.expire()
    assert (left.state, left.output) == (StepState.DONE, '"first"')
    assert not await desk.suspend(waiting("0"))


async def test_a_delivery_after_the_time_out_leaves_the_past_alone(desk: Desk) -> None:
    await desk.suspend()
    await desk.claim(9e9)
    assert (await desk.expire()).state is StepState.TIMED_OUT
    assert await desk.deliver() == []
    found, (step,) = await desk.load()
    assert (found.state, step.state) == ("running", "timed_out")
    assert not await desk.suspend(waiting("1"))  # but the next wait has it


async def test_a_delivery_told_again_wakes_again_as_long_as_it_runs(desk: Desk) -> None:
    """The first time may have ended before it came to wake anybody."""
    await desk.suspend()
    assert await desk.deliver() == ["p1"]
    assert await desk.deliver() == ["p1"]
    await desk.finish()
    assert await desk.deliver() == []


async def test_a_parked_instance_stays_parked_and_has_the_event_afterwards(desk: Desk) -> None:
    await desk.suspend(waiting("0.0.0"), waiting("0.1.0", "other"))
    await desk.deliver(key="other")
    await desk.finish(ProcessState.PARKED)
    assert await desk.deliver("e2") == []
    found, steps = await desk.load()
    assert found.state == "parked"
    assert {step.state for step in steps} == {StepState.DONE}


async def test_one_between_two_attempts_is_woken_as_well(desk: Desk) -> None:
    retried = waiting("0.1.0")
    call = retried.step.__class__(
        step="0.1.0", kind="call", name="c", state=StepState.RETRYING, input="{}", started_at=""
    )
    attempt = retried.__class__(step=call, wake_at=9e9)
    await desk.suspend(waiting("0.0.0"), attempt)
    assert (await desk.state())[0] == "retrying"
    assert await desk.deliver() == ["p1"]


async def test_signals_are_taken_in_order_and_once_each(desk: Desk) -> None:
    for number in range(3):
        for _ in range(2):
            await desk.deliver(f"e{number}", data=f"{number}", at=f"{number}")
    for number in range(3):
        assert not await desk.suspend(waiting(f"{number}"))
    assert {step.step: step.output for step in (await desk.load())[1]} == {"0": "0", "1": "1", "2": "2"}
    assert await desk.suspend(waiting("3"))


async def test_one_event_wakes_all_who_wait_for_it_each_once(desk: Desk, store: Store) -> None:
    others = [Desk(store, f"p{number}") for number in range(2, 5)]
    for each in others:
        await each.start()
    for each in (desk, *others):
        await each.suspend(waiting("0.0.0"), waiting("0.1.0"))
    assert sorted(await desk.deliver()) == ["p1", "p2", "p3", "p4"]
    taken = [row["process_id"] for row in await rows(store, process_waits) if row["event_id"]]
    assert taken == ["p1", "p2", "p3", "p4"]
    assert sorted(await desk.deliver("e2")) == ["p1", "p2", "p3", "p4"]


async def test_other_keys_wake_nobody(desk: Desk) -> None:
    await desk.suspend()
    assert await desk.deliver(key="other") == []
    assert (await desk.state())[0] == "waiting"


async def test_what_is_due_is_claimed_once_and_earliest_first(desk: Desk, store: Store) -> None:
    assert await store.read(waits.next_wake) is None
    for number, wake_at in enumerate((30.0, 10.0, 20.0)):
        each = Desk(store, f"p{number + 2}")
        await each.start()
        await each.suspend(waiting(wake_at=wake_at))
    assert await store.read(waits.next_wake) == 10.0
    assert await desk.claim(9.0) == []
    assert await desk.claim(20.0) == ["p3", "p4"]
    assert await Desk(store, worker="w2").claim(20.0) == []
    assert await store.read(waits.next_wake) == 30.0


async def test_a_child_is_started_and_its_end_wakes_the_parent(desk: Desk, store: Store) -> None:
    assert await desk.suspend(desk.child())
    child = Desk(store, "child", "w2")
    assert await child.claim() == ["child"]
    assert await child.finish(result="7") == ["p1"]
    assert await desk.state() == ("running", "w2")
    _, (step,) = await desk.load()
    assert (step.state, step.output) == ("done", '{"state":"completed","result":"7","cause":""}')


async def test_a_child_that_ended_before_is_joined(desk: Desk, store: Store) -> None:
    child = Desk(store, "child")
    await child.start()
    await child.finish()
    assert not await desk.suspend(desk.child())
    assert (await by_id(store))["child"]["state"] == "completed"


async def test_who_ends_its_parked_child_by_hand_has_the_parent_run_on_somewhere(
    desk: Desk, store: Store
) -> None:
    """Whoever ends it runs nothing: the parent is due at once, at whichever worker looks first."""
    await desk.suspend(desk.child())
    actions = Actions(store, [], lambda *_: None, ManualClock(), zone=BERLIN)
    await actions.terminate("child", by="x", reason="y")
    assert await desk.state() == ("retrying", "")
    assert await Desk(store, worker="w2").claim() == ["p1"]


async def test_a_parent_that_was_stopped_leaves_no_child_behind(desk: Desk, store: Store) -> None:
    """It was told between its last look and its wait: the child is not even started."""
    actions = Actions(store, [], lambda *_: None, ManualClock(), zone=BERLIN)
    await actions.abort("p1", by="x", reason="y")
    assert not await desk.suspend(desk.child())
    assert "child" not in await by_id(store)


@pytest.mark.parametrize("wait", ["first", "again"])
@pytest.mark.parametrize("order", ["waits first", "told first"])
async def test_told_at_the_very_moment_nobody_sleeps_on(
    wait: str, order: str, desk: Desk, store: Store
) -> None:
    pending = [waiting("0.0.0"), waiting("0.1.0", "other")]
    if wait == "again":
        await desk.suspend(*pending)
        await desk.deliver("e0", "other")
        pending = pending[:1]
    other = Desk(store, worker="w2")
    if order == "waits first":
        rests, woken = await asyncio.to_thread(at_once, store, desk.suspending(*pending), other.delivering())
    else:
        woken, rests = await asyncio.to_thread(at_once, store, other.delivering(), desk.suspending(*pending))
    assert rests == (woken == ["p1"])
    assert await desk.state() == (("running", "w2") if rests else ("running", "w1"))


@pytest.mark.parametrize("wait", ["first", "again"])
@pytest.mark.parametrize("order", ["waits first", "ends first"])
async def test_a_child_that_ends_at_the_very_moment_wakes_its_parent(
    wait: str, order: str, desk: Desk, store: Store
) -> None:
    child = Desk(store, "child", "w2")
    if wait == "again":
        await desk.suspend(desk.child("0.0.0"), waiting("0.1.0"))
        await child.claim()
        await desk.deliver()
    else:
        await child.start()
    suspend, finish = desk.suspending(desk.child("0.0.0")), child.finish_of()

    def end(connection: Any) -> list[str]:
        (woken,) = journal.finish_together(connection, [finish])
        return woken

    if order == "waits first":
        rests, woken = await asyncio.to_thread(at_once, store, suspend, end)
    else:
        woken, rests = await asyncio.to_thread(at_once, store, end, suspend)
    assert rests == (woken == ["p1"])
    assert await desk.state() == (("running", "w2") if rests else ("running", "w1"))


@pytest.mark.parametrize("order", ["expires first", "told first"])
async def test_a_time_out_and_an_event_at_the_very_moment_agree(order: str, desk: Desk, store: Store) -> None:
    await desk.suspend()
    await desk.claim(9e9)
    other = Desk(store, worker="w2")
    if order == "told first":
        _, left = await asyncio.to_thread(at_once, store, other.delivering(), desk.expiring())
        assert left.state is StepState.DONE
    else:
        left, _ = await asyncio.to_thread(at_once, store, desk.expiring(), other.delivering())
        assert left.state is StepState.TIMED_OUT
    _, (step,) = await desk.load()
    assert (step.state, step.output) == (left.state, left.output)
    assert await desk.state() == ("running", "w1")


async def test_two_workers_claim_what_is_due_between_them(store: Store) -> None:
    for number in range(40):
        each = Desk(store, f"p{number:02}")
        await each.start()
        await each.suspend(waiting(wake_at=1.0))

    def claiming(worker: str) -> Any:
        return lambda connection: waits.claim_due(connection, 5.0, worker)

    one, two = await asyncio.to_thread(at_once, store, claiming("w1"), claiming("w2"))
    assert sorted(one + two) == sorted(set(one + two))
    assert len(one + two) == 40


async def test_an_instance_of_another_worker_is_not_put_to_sleep(desk: Desk, store: Store) -> None:
    """A unit that is run again after a lost answer, when another has taken the instance up meanwhile."""
    await desk.suspend()
    other = Desk(store, worker="w2")
    await other.claim(9e9)
    assert not await desk.suspend()
    assert await desk.finish() == ["p1"]
    assert await desk.state() == ("running", "w2")
