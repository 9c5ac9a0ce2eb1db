"""Journal, waits and actions against a plain model: units in any order, by several workers, some twice.

Workers act on what they loaded a while ago, as the engine's tasks do. What must hold at every moment: each
instance that runs is on somebody's list, none sleeps beside what it waits for, and no outcome ever changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, Engine, Table, select

from lineshaft.core.clock import rfc3339
from lineshaft.core.values import Value
from lineshaft.processes import Context, ProcessDefinition, journal, process, waits
from lineshaft.processes.actions import Actions
from lineshaft.processes.journal import Finish, Save
from lineshaft.processes.records import (
    ENDED,
    Instance,
    Pending,
    ProcessState,
    Start,
    Step,
    StepState,
)
from lineshaft.store.engine import _engine
from lineshaft.store.schema import (
    business_keys,
    process_actions,
    process_steps,
    process_waits,
    processes,
    signals,
)
from tests.books import BOOKED, Posting
from tests.clocks import ManualClock
from tests.databases import patient
from tests.examples import examples
from tests.facts import AT

from .model import Model
from .plant import BERLIN

T = TypeVar("T")
NOW = rfc3339(AT)
WORKERS = st.sampled_from(["w1", "w2"])
IDS = ["p1", "p2", "p3"]
KEYS = ["k1", "k2"]
EXAMPLES = examples(10)
ENDS = [ProcessState.COMPLETED, ProcessState.PARKED, ProcessState.ABORTED]
TURNS = ["suspend", "suspend", "suspend", "suspend", "take", "take", "deliver", "deliver", "claim_due"]
TURNS += ["expire", "finish", "act", "skip", "crash", "start"]
TABLES = (processes, process_steps, process_waits, process_actions, signals, business_keys)
DATA = msgspec.json.encode(Posting(reference="k", amount=1)).decode()


@process(name="t", version=1, key=lambda value: value.reference, waits_on=(BOOKED,), owner="o")
async def _t(ctx: Context, value: Posting) -> Value:
    return value


def group(process_id: str, number: int) -> list[tuple[str, str, str]]:
    """Path, type and key of what an instance waits for as its nth: an event, two at once, a child."""
    if number % 3 == 2 and "/" not in process_id:
        return [(f"{number}", ENDED, f"{process_id}/{number}")]
    keys = [KEYS[(number + len(process_id)) % 2]]
    if number % 3 == 1:
        keys.append(KEYS[number // 3 % 2])
    paths = [f"{number}"] if len(keys) == 1 else [f"{number}.{branch}.0" for branch in range(len(keys))]
    return [(path, BOOKED.type, key) for path, key in zip(paths, keys, strict=True)]


def instance(process_id: str, worker: str) -> Instance:
    return Instance(
        process_id=process_id,
        type="t",
        version=1,
        business_key=process_id,
        state=ProcessState.RUNNING if worker else ProcessState.RETRYING,
        worker=worker,
        parent_id=process_id.rpartition("/")[0],
        plant="NSP",
        input=DATA,
        correlation_id="c",
        causation_id="",
        traceparent="",
        started_at=NOW,
    )


class Directly:
    """Stands for a store: units at once, in a transaction each; `twice` as after a commit with no answer."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine.execution_options(writes=True)
        self.twice = 0

    def look(self, question: Callable[[Connection], T]) -> T:
        with self._writing.begin() as connection:
            return question(connection)

    def do(self, unit: Callable[[Connection], T]) -> T:
        for _ in range(self.twice):
            with self._writing.begin() as connection:
                unit(connection)
        with self._writing.begin() as connection:
            return unit(connection)

    async def write(self, unit: Callable[[Connection], T]) -> T:
        return self.do(unit)

    async def read(self, question: Callable[[Connection], T]) -> T:
        return self.look(question)


class Journal(RuleBasedStateMachine):
    engine: Engine

    @initialize()
    def empty(self) -> None:
        self.store = Directly(self.engine)
        self.store.do(lambda connection: [connection.execute(table.delete()) for table in TABLES])
        definitions: list[ProcessDefinition] = [_t]
        clock = ManualClock(AT)
        self.actions = Actions(self.store, definitions, lambda *_: None, clock, zone=BERLIN)  # type: ignore[arg-type]
        self.model = Model()
        self.lists: dict[str, set[str]] = {"w1": set(), "w2": set()}
        self.held: dict[tuple[str, str], tuple[Instance, dict[str, Step]]] = {}
        self.settled: dict[tuple[str, str], tuple[str, str]] = {}
        self.events = 0
        for worker in ("w1", "w2"):
            for process_id in IDS[:2]:
                start = Start(instance(process_id, worker), [])
                self.store.do(partial(journal.start_together, starts=[start]))
                if self.model.start(process_id, worker):
                    self.lists[worker].add(process_id)

    @rule(data=st.data(), turn=st.sampled_from(TURNS), worker=WORKERS, twice=st.sampled_from([0, 0, 1]))
    def go_on(self, data: st.DataObject, turn: str, worker: str, twice: int) -> None:
        self.store.twice = twice
        getattr(self, turn)(worker, data)

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        if hasattr(self, "model"):
            self._compare()

    # what workers do

    def start(self, worker: str, data: st.DataObject) -> None:
        process_id = data.draw(st.sampled_from(IDS))
        start = Start(instance(process_id, worker), [("business_key", process_id)])
        (begun,) = self.store.do(lambda connection: journal.start_together(connection, [start]))
        assert begun == (self.model.start(process_id, worker) and not self.store.twice)
        self.lists[worker].add(process_id)

    def deliver(self, worker: str, data: st.DataObject) -> None:
        """A new event, or the last one told again."""
        self.events += not (self.events and data.draw(st.integers(0, 3)) == 0)
        event_id = f"e{self.events}"
        key = self.model.key_of(event_id) or data.draw(st.sampled_from(KEYS))
        at = f"{self.events:04}"
        woken = self.store.do(
            lambda connection: waits.deliver(connection, event_id, BOOKED.type, key, DATA, at, worker=worker)
        )
        assert sorted(woken) == sorted(self.model.deliver(event_id, BOOKED.type, key, worker))
        self.lists[worker].update(woken)

    def take(self, _: str, data: st.DataObject) -> None:
        on_lists = {(worker, each) for worker, every in self.lists.items() for each in every}
        if ready := sorted(on_lists - self.held.keys()):
            worker, process_id = data.draw(st.sampled_from(ready))
            self.lists[worker].discard(process_id)
            found, steps = self.store.look(partial(journal.load, process_id=process_id))
            if found.state is ProcessState.RUNNING and found.worker == worker:
                self.held[worker, process_id] = (found, {step.step: step for step in steps})

    def suspend(self, _: str, data: st.DataObject) -> None:
        worker, process_id, found, steps = self._draw_held(data)
        if found is None or self._leaves(worker, process_id, found):
            return
        del self.held[worker, process_id]
        pending = [self._pending(process_id, steps, *each) for each in self._asked(process_id, steps)]
        done = self.store.do(
            lambda connection: journal.suspend(
                connection, Save(process_id, (), ()), pending, "", NOW, worker=worker, wanted=""
            )
        )
        assert done == (self.model.suspend(process_id, worker, pending) and not self.store.twice)
        if not done:
            self.lists[worker].add(process_id)

    def expire(self, _: str, data: st.DataObject) -> None:
        """A wait's time is over, as its worker sees it; it goes on with what came of that."""
        worker, process_id, found, steps = self._draw_held(data)
        if found is None or found.wanted or self.model.at[process_id].worker != worker:
            return
        asked = [each for each in self._asked(process_id, steps) if each[1] != ENDED]
        if asked:
            path, event_type, key = data.draw(st.sampled_from(asked))
            step = self._pending(process_id, steps, path, event_type, key).step
            left = self.store.do(
                lambda connection: waits.expire(connection, process_id, step, event_type, key, NOW)
            )
            assert (left.state, left.ref) == self.model.expire(process_id, path, event_type, key)
            steps[path] = left

    def finish(self, _: str, data: st.DataObject) -> None:
        worker, process_id, found, _ = self._draw_held(data)
        if found is not None and not self._leaves(worker, process_id, found):
            self._leave(worker, process_id, data.draw(st.sampled_from(ENDS)), "")

    def _leaves(self, worker: str, process_id: str, found: Instance) -> bool:
        """One of which it is known that it has to end does so."""
        ends = {"abort": ProcessState.ABORTED, "cancel": ProcessState.CANCELLED}
        if found.wanted:
            self._leave(worker, process_id, ends[found.wanted], found.wanted)
        return bool(found.wanted)

    def _leave(self, worker: str, process_id: str, state: ProcessState, wanted: str) -> None:
        del self.held[worker, process_id]
        save = Save(process_id, (), ())
        finish = Finish(save=save, state=state, worker=worker, at=NOW, wanted=wanted)
        (woken,) = self.store.do(lambda connection: journal.finish_together(connection, [finish]))
        told = self.model.finish(process_id, worker, state, wanted)
        assert set(told) <= set(woken) <= {*told, process_id}
        self.lists[worker].update(woken)

    def claim_due(self, worker: str, data: st.DataObject) -> None:
        """What is due at once: the times of waits are far away."""
        claimed: set[str] = set()  # as the engine remembers it

        def unit(connection: Connection) -> None:
            claimed.update(waits.claim_due(connection, 1.0, worker))

        self.store.do(unit)
        assert claimed == self.model.claim_due(worker)
        self.lists[worker].update(claimed)

    def crash(self, worker: str, data: st.DataObject) -> None:
        """All that a worker had in its head is gone; it starts again, or the other takes its work over."""
        self.held = {key: value for key, value in self.held.items() if key[0] != worker}
        self.lists[worker] = set()
        heir = data.draw(WORKERS)
        self.lists[heir].update(self.store.do(lambda connection: journal.take_over(connection, worker, heir)))
        self.model.take_over(worker, heir)

    # what people do

    def act(self, _: str, data: st.DataObject) -> None:
        what = data.draw(st.sampled_from(["abort", "cancel", "terminate", "retry", "retry"]))
        able = [process_id for process_id in sorted(self.model.at) if self.model.allows(process_id, what)]
        if able:
            process_id = data.draw(st.sampled_from(able))
            asyncio.run(getattr(self.actions, what)(process_id, by="x", reason="y"))
            getattr(self.model, what)(process_id)

    def skip(self, _: str, data: st.DataObject) -> None:
        able = [
            (process_id, path)
            for process_id in sorted(self.model.at)
            if self.model.allows(process_id, "skip")
            for path in self.model.open_waits(process_id)
        ]
        if able:
            process_id, path = data.draw(st.sampled_from(able))
            asyncio.run(self.actions.skip(process_id, DATA.encode(), by="x", reason="y", step=path))
            self.model.skip(process_id, path)

    # what must hold

    def _compare(self) -> None:
        rows, steps, held = self._rows(processes, process_steps, process_waits)
        assert {row["process_id"]: (row["state"], row["worker"], row["wanted"]) for row in rows} == {
            process_id: (each.state, each.worker, each.wanted) for process_id, each in self.model.at.items()
        }
        assert {
            (row["process_id"], row["step"]): (row["event_type"], row["key"], row["event_id"]) for row in held
        } == self.model.waits
        for row in steps:
            if StepState(row["state"]).is_settled:
                here, outcome = (row["process_id"], row["step"]), (row["state"], row["ref"])
                assert self.settled.setdefault(here, outcome) == outcome
        for row in rows:
            process_id = row["process_id"]
            if row["state"] == ProcessState.RUNNING:
                at_work = (row["worker"], process_id) in self.held
                assert at_work or process_id in self.lists[row["worker"]], "runs, and nobody knows"
            elif row["state"] in (ProcessState.WAITING, ProcessState.RETRYING):
                assert row["wake_at"] is not None
                assert row["wake_at"] == 0.0 or not self.model.is_there(process_id), "sleeps beside its event"

    def _rows(self, *tables: Table) -> list[list[dict[str, Any]]]:
        with self.engine.connect() as connection:
            return [[dict(row._mapping) for row in connection.execute(select(each))] for each in tables]

    def _draw_held(self, data: st.DataObject) -> tuple[str, str, Instance | None, dict[str, Step]]:
        """What somebody is at work on; what is on a list is taken up first."""
        if not self.held:
            self.take("", data)
        if not self.held:
            return "", "", None, {}
        worker, process_id = data.draw(st.sampled_from(sorted(self.held)))
        return worker, process_id, *self.held[worker, process_id]

    def _asked(self, process_id: str, steps: dict[str, Step]) -> list[tuple[str, str, str]]:
        """What is open of the first group that is not all settled, as a replay of what was loaded has it."""
        number = 0
        while True:
            asked = [
                each
                for each in group(process_id, number)
                if each[0] not in steps or not steps[each[0]].state.is_settled
            ]
            if asked:
                return asked
            number += 1

    def _pending(
        self, process_id: str, steps: dict[str, Step], path: str, event_type: str, key: str
    ) -> Pending:
        kind = "child" if event_type == ENDED else "wait"
        step = steps.get(path) or Step(
            step=path, kind=kind, name=event_type, state=StepState.WAITING, input="{}", started_at=NOW
        )
        child = Start(instance(key, ""), []) if event_type == ENDED else None
        return Pending(step=step, wake_at=9e9, event_type=event_type, key=key, child=child)


@pytest.mark.hypothesis
def test_units_in_any_order_keep_to_the_model(store_url: str) -> None:
    engine = _engine(patient(store_url))
    machine = type("OnThisDatabase", (Journal,), {"engine": engine})
    try:
        machine.TestCase.settings = settings(  # type: ignore[attr-defined]
            max_examples=EXAMPLES, stateful_step_count=40
        )
        machine.TestCase().runTest()  # type: ignore[attr-defined]
    finally:
        engine.dispose()
