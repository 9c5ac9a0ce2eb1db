"""Starting, saving and ending, unit by unit: many at once, run twice, and with people in between."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from lineshaft.processes import journal
from lineshaft.processes.actions import Actions
from lineshaft.processes.journal import Finish, Save
from lineshaft.processes.records import ProcessState, Start, Step, StepState, in_order
from lineshaft.processes.refusals import NoSuchProcess
from lineshaft.store import Store
from lineshaft.store.schema import business_keys, process_steps, processes
from tests.clocks import ManualClock
from tests.rows import rows

from .desk import NOW, Desk, instance, waiting
from .plant import BERLIN

DONE = Step(
    step="0", kind="call", name="n", state=StepState.DONE, input="{}", started_at=NOW, finished_at=NOW
)


@pytest_asyncio.fixture
async def desk(store: Store) -> Desk:
    made = Desk(store)
    await made.start()
    return made


@pytest.fixture
def actions(store: Store) -> Actions:
    return Actions(store, [], lambda *_: None, ManualClock(), zone=BERLIN)


async def test_a_key_starts_once_however_many_come_together(store: Store) -> None:
    starts = [Start(instance(f"p{number % 3}"), [("k", f"v{number % 3}")]) for number in range(9)]
    began = await asyncio.gather(*(store.write_together(journal.start_together, start) for start in starts))
    assert began == [True] * 3 + [False] * 6
    assert len(await rows(store, processes)) == 3
    assert [(row["key"], row["ref"]) for row in await rows(store, business_keys)] == [
        ("v0", "p0"),
        ("v1", "p1"),
        ("v2", "p2"),
    ]


async def test_rows_come_back_as_they_were(desk: Desk) -> None:
    step = Step(
        step="3.1.0",
        kind="call",
        name="n",
        state=StepState.REJECTED,
        input='{"ü":"\\u0000"}',
        corrected="{}",
        error='{"code":"c"}',
        ref="r",
        attempts=3,
        started_at=NOW,
        finished_at=NOW,
    )
    assert await desk.save(step) == ""
    found, (loaded,) = await desk.load()
    assert loaded == step
    assert found == msgspec.structs.replace(instance("p1", "w1"), updated_at=NOW)


async def test_what_is_not_there_is_said_so(store: Store) -> None:
    with pytest.raises(NoSuchProcess, match="nowhere"):
        await Desk(store, "nowhere").load()


async def test_a_step_saved_again_is_one_row_with_the_last_outcome(desk: Desk, store: Store) -> None:
    await desk.save(DONE)
    await desk.save(Step(**{name: getattr(DONE, name) for name in DONE.__struct_fields__} | {"output": "2"}))
    (row,) = await rows(store, process_steps)
    assert row["output"] == "2"


@pytest.mark.parametrize("wanted", ["abort", "cancel", "terminate"])
async def test_a_save_tells_what_a_person_wants_meanwhile(
    wanted: str, desk: Desk, store: Store, actions: Actions
) -> None:
    other = Desk(store, "p2")
    await other.start()
    await getattr(actions, wanted)("p1", by="x", reason="y")
    together = [Save("p2", (), ()), Save("p1", (DONE,), ()), Save("p2", (), ())]
    told = await asyncio.gather(*(store.write_together(journal.save_together, save) for save in together))
    assert told == ["", wanted, ""]


@pytest.mark.parametrize("state", [ProcessState.COMPLETED, ProcessState.PARKED])
async def test_who_is_to_be_aborted_does_not_end_without_knowing(
    state: ProcessState, desk: Desk, actions: Actions
) -> None:
    """Asked for while it did its last step: it has to look again."""
    await actions.abort("p1", by="x", reason="y")
    assert await desk.finish(state) == ["p1"]
    assert await desk.state() == ("running", "w1")
    assert await desk.finish(ProcessState.ABORTED, wanted="abort") == []
    assert await desk.state() == ("aborted", "")


async def test_who_is_to_be_cancelled_and_has_done_everything_is_done(desk: Desk, actions: Actions) -> None:
    await actions.cancel("p1", by="x", reason="y")
    assert await desk.finish() == []
    assert await desk.state() == ("completed", "")


async def test_it_does_not_rest_when_more_is_wanted_than_it_knows(desk: Desk, actions: Actions) -> None:
    await actions.abort("p1", by="x", reason="y")
    assert not await desk.suspend()
    assert await desk.suspend(wanted="abort")


async def test_who_was_terminated_stays_so_whatever_its_worker_says(desk: Desk, actions: Actions) -> None:
    await actions.terminate("p1", by="x", reason="it hangs")
    assert not await desk.suspend()
    await desk.finish()
    found, steps = await desk.load()
    assert (found.state, steps) == ("terminated", [])


async def test_an_end_that_is_told_twice_wakes_the_parent_twice(desk: Desk, store: Store) -> None:
    """The first commit was not answered: who it woke has to be known all the same."""
    await desk.suspend(desk.child())
    child = Desk(store, "child", "w1")
    await child.claim()
    assert await child.finish() == ["p1"]
    assert await child.finish() == ["child", "p1"]


async def test_many_end_together_each_with_its_own(store: Store) -> None:
    told: list[str] = []
    for number in range(6):
        await Desk(store, f"p{number}").start()

    def finish(number: int) -> Finish:
        parked = number % 2 == 0
        return Finish(
            save=Save(f"p{number}", (DONE,), ()),
            state=ProcessState.PARKED if parked else ProcessState.COMPLETED,
            worker="w1" if number != 4 else "another",
            at=NOW,
            result=f"{number}",
            more=(lambda connection: told.append(f"p{number}")) if parked else None,
        )

    woken = await asyncio.gather(
        *(store.write_together(journal.finish_together, finish(number)) for number in range(6))
    )
    assert woken == [[], [], [], [], ["p4"], []]
    states = [(row["state"], row["result"]) for row in await rows(store, processes)]
    assert states[:4] == [("parked", "0"), ("completed", "1"), ("parked", "2"), ("completed", "3")]
    assert states[4:] == [("running", ""), ("completed", "5")]
    assert sorted(set(told)) == ["p0", "p2"]


async def test_an_end_stops_the_children_that_nobody_waits_for_any_more(desk: Desk, store: Store) -> None:
    await desk.suspend(desk.child("0.0.0"), waiting("0.1.0"))
    await desk.deliver()
    assert await desk.finish(ProcessState.ABORTED) == []
    child = (await rows(store, processes))[0]
    assert (child["process_id"], child["state"], child["wanted"]) == ("child", "retrying", "abort")


async def test_what_a_dead_worker_ran_goes_to_the_next(desk: Desk, store: Store) -> None:
    for number in range(2, 5):
        await Desk(store, f"p{number}", "w2" if number == 4 else "w1").start()
    await Desk(store, "p3").finish()

    def take(connection: Any) -> list[str]:
        return journal.take_over(connection, "w1", "w2")

    assert sorted(await store.write(take)) == ["p1", "p2", "p4"]
    assert sorted(await store.write(take)) == ["p1", "p2", "p4"]
    assert await store.read(lambda connection: journal.running(connection, "w1")) == []


async def test_versions_that_are_still_needed(store: Store) -> None:
    for number in range(3):
        await Desk(store, f"p{number}").start(version=1 + number // 2)
    await Desk(store, "p1").finish()
    found = await store.read(journal.open_versions)
    assert found == [("t", 1, 1, NOW), ("t", 2, 1, NOW)]


def test_steps_are_in_the_order_in_which_they_are_done() -> None:
    paths = ["0", "2", "10", "10.0.0", "10.0.11", "10.1.0", "11"]
    assert sorted(set(paths), key=in_order) == paths
    assert in_order("2") < in_order("2u.0") < in_order("3")
