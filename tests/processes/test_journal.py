"""Waits and deliveries in every order, unit by unit: what the engine's tasks may interleave."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineshaft.core.clock import rfc3339
from lineshaft.core.ids import new_id
from lineshaft.processes import journal
from lineshaft.processes.journal import Instance, ProcessState, Step, StepState
from lineshaft.store import Store
from lineshaft.store.schema import process_waits, processes
from tests.facts import AT
from tests.rows import rows

NOW = rfc3339(AT)
TYPE = "finance.posting.booked.v1"


def waiting(number: int = 0, state: StepState = StepState.WAITING) -> Step:
    finished = NOW if state is StepState.TIMED_OUT else ""
    return Step(
        step=number, kind="wait", name=TYPE, state=state, input="{}", started_at=NOW, finished_at=finished
    )


class Desk:
    """The journal's units, one process."""

    def __init__(self, store: Store, process_id: str = "p1") -> None:
        self.store = store
        self.process_id = process_id

    async def start(self, business_key: str = "k") -> bool:
        instance = Instance(
            process_id=self.process_id,
            type="t",
            version=1,
            business_key=business_key,
            state=ProcessState.RUNNING,
            plant="NSP",
            input="{}",
            correlation_id="c",
            causation_id="",
            traceparent="",
            started_at=NOW,
        )
        return await self.store.write(lambda connection: journal.start(connection, instance, [("k", "v")]))

    async def wait(self, number: int = 0, state: StepState = StepState.WAITING, key: str = "k") -> Step:
        step = waiting(number, state)
        return await self.store.write(
            lambda connection: journal.wait(connection, self.process_id, step, TYPE, key, 9e9, NOW)
        )

    async def deliver(self, event_id: str = "e1", data: str = '"first"', key: str = "k") -> list[str]:
        return await self.store.write(
            lambda connection: journal.deliver(connection, event_id, TYPE, key, data, NOW)
        )

    async def load(self) -> tuple[Instance, list[Step]]:
        return await self.store.read(lambda connection: journal.load(connection, self.process_id))


@pytest_asyncio.fixture
async def desk(store: Store) -> Desk:
    made = Desk(store)
    await made.start()
    return made


async def test_a_key_starts_once(desk: Desk, store: Store) -> None:
    assert not await desk.start()
    assert len(await rows(store, processes)) == 1
    assert await Desk(store, "p2").start("another")


async def test_a_wait_that_began_before_the_delivery_was_seen_does_not_undo_it(desk: Desk) -> None:
    """The instance was loaded, the event came, the instance waits as it was loaded: a lost wake-up."""
    await desk.wait()
    assert await desk.deliver() == ["p1"]
    left = await desk.wait()
    assert (left.state, left.output) == (StepState.DONE, '"first"')
    instance, (step,) = await desk.load()
    assert (instance.state, step.state, step.ref) == ("running", "done", "e1")


async def test_a_time_out_that_began_before_the_delivery_was_seen_takes_the_event(desk: Desk) -> None:
    await desk.wait()
    await desk.deliver()
    assert (await desk.wait(state=StepState.TIMED_OUT)).state is StepState.DONE


async def test_a_delivery_after_the_time_out_leaves_the_past_alone(desk: Desk) -> None:
    await desk.wait()
    assert (await desk.wait(state=StepState.TIMED_OUT)).state is StepState.TIMED_OUT
    assert await desk.deliver() == []
    instance, (step,) = await desk.load()
    assert (instance.state, step.state) == ("running", "timed_out")
    assert (await desk.wait(1)).output == '"first"'  # but the next wait has it


async def test_a_delivery_told_again_wakes_again(desk: Desk, store: Store) -> None:
    """The first time may have ended before it came to wake anybody."""
    await desk.wait()
    assert await desk.deliver() == ["p1"]
    assert await desk.deliver() == ["p1"]
    await store.write(
        lambda connection: journal.set_state(connection, "p1", ProcessState.COMPLETED, NOW) and None
    )
    assert await desk.deliver() == []


async def test_a_parked_instance_stays_parked(desk: Desk, store: Store) -> None:
    await desk.wait()
    await store.write(
        lambda connection: journal.set_state(connection, "p1", ProcessState.PARKED, NOW) and None
    )
    assert await desk.deliver() == []
    instance, (step,) = await desk.load()
    assert (instance.state, step.state) == ("parked", "done")


async def test_signals_are_taken_in_order_and_once_each(desk: Desk) -> None:
    for number in range(3):
        await desk.deliver(f"e{number}", f"{number}")
        await desk.deliver(f"e{number}", f"{number}")
    assert [(await desk.wait(number)).output for number in range(3)] == ["0", "1", "2"]
    assert (await desk.wait(3)).state is StepState.WAITING


async def test_other_keys_wake_nobody(desk: Desk) -> None:
    await desk.wait()
    assert await desk.deliver(key="other") == []
    assert (await desk.load())[0].state == "waiting"


async def test_due_and_next_wake(desk: Desk, store: Store) -> None:
    async def due(now: float) -> list[str]:
        return await store.read(lambda connection: journal.due(connection, now))

    assert await store.read(journal.interrupted) == ["p1"]
    assert await store.read(journal.next_wake) is None
    await desk.wait()
    assert await store.read(journal.interrupted) == []
    assert await store.read(journal.next_wake) == 9e9
    assert (await due(8.9e9), await due(9e9)) == ([], ["p1"])


async def test_rows_come_back_as_they_were(desk: Desk, store: Store) -> None:
    step = Step(
        step=0,
        kind="call",
        name="n",
        state=StepState.REJECTED,
        input='{"ü":1}',
        output="",
        error='{"code":"c"}',
        ref="r",
        attempts=3,
        started_at=NOW,
        finished_at=NOW,
    )
    await store.write(lambda connection: journal.record(connection, "p1", step))
    instance, (loaded,) = await desk.load()
    assert loaded == step
    assert msgspec.structs.replace(loaded, step=0) == step
    assert instance.wake_at is None


ACTIONS = st.lists(st.sampled_from(["wait", "timeout", "e1", "e2", "e3", "again"]), max_size=14)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
async def test_any_interleaving_hands_over_each_event_once_and_changes_no_outcome(
    actions: list[str], store: Store
) -> None:
    """One instance that waits step after step; `again` and `e…` may be repeats, as after lost answers."""
    desk = Desk(store, new_id())
    key = new_id()
    await desk.start(key)
    step, outcomes, last = 0, dict[int, tuple[Any, str]](), None
    for action in actions:
        if action in ("wait", "timeout", "again"):
            state = StepState.TIMED_OUT if action == "timeout" else StepState.WAITING
            left = await desk.wait(step, state, key)
            if left.state is not StepState.WAITING:
                outcomes[step] = (left.state, left.output)
                step += 1
        else:
            await desk.deliver(f"{key}-{action}", f'"{action}"', key)
            last = action
        _, steps = await desk.load()
        recorded = {each.step: (each.state, each.output) for each in steps}
        assert {number: recorded[number] for number in outcomes} == outcomes
    taken = [output for state, output in outcomes.values() if state is StepState.DONE]
    assert len(taken) == len(set(taken))
    if last is not None and not taken and step == 0:
        assert (await desk.wait(step, key=key)).state is StepState.DONE
    found = [
        row["event_id"] for row in await rows(store, process_waits) if row["process_id"] == desk.process_id
    ]
    assert len([event for event in found if event]) == len({event for event in found if event})
