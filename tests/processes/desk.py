"""The journal's units for one instance, one call each; and two units at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection

from lineshaft.core.clock import rfc3339
from lineshaft.processes import journal, waits
from lineshaft.processes.journal import Finish, Save
from lineshaft.processes.records import ENDED, Instance, Pending, ProcessState, Start, Step, StepState
from lineshaft.store import Store
from tests.books import BOOKED
from tests.facts import AT
from tests.waiting import PATIENCE_S

__all__ = ["NOW", "TYPE", "Desk", "at_once", "instance", "waiting"]

NOW = rfc3339(AT)
TYPE = BOOKED.type
A = TypeVar("A")
B = TypeVar("B")


def instance(process_id: str = "p1", worker: str = "w1", **changes: Any) -> Instance:
    facts: dict[str, Any] = {
        "process_id": process_id,
        "type": "t",
        "version": 1,
        "business_key": process_id,
        "state": ProcessState.RUNNING,
        "worker": worker,
        "plant": "NSP",
        "input": "{}",
        "correlation_id": "c",
        "causation_id": "",
        "traceparent": "",
        "started_at": NOW,
    }
    return Instance(**facts | changes)


def waiting(path: str = "0", key: str = "k", wake_at: float = 9e9) -> Pending:
    step = Step(step=path, kind="wait", name=TYPE, state=StepState.WAITING, input="{}", started_at=NOW)
    return Pending(step=step, wake_at=wake_at, event_type=TYPE, key=key)


class Desk:
    """One instance at one worker."""

    def __init__(self, store: Store, process_id: str = "p1", worker: str = "w1") -> None:
        self.store = store
        self.process_id = process_id
        self.worker = worker

    async def start(self, **changes: Any) -> bool:
        start = Start(instance(self.process_id, self.worker, **changes), [("business_key", "v")])
        return await self.store.write_together(journal.start_together, start)

    async def save(self, *steps: Step) -> str:
        return await self.store.write_together(journal.save_together, Save(self.process_id, steps, ()))

    def suspending(self, *pending: Pending, wanted: str = "") -> Callable[[Connection], bool]:
        save = Save(self.process_id, (), ())
        return lambda connection: journal.suspend(
            connection, save, pending or [waiting()], "", NOW, worker=self.worker, wanted=wanted
        )

    async def suspend(self, *pending: Pending, wanted: str = "") -> bool:
        return await self.store.write(self.suspending(*pending, wanted=wanted))

    def child(self, path: str = "0") -> Pending:
        """A wait for the end of a process of its own, which it starts."""
        step = Step(step=path, kind="child", name="t", state=StepState.WAITING, input="{}", started_at=NOW)
        child = instance("child", "", state=ProcessState.RETRYING, parent_id=self.process_id)
        return Pending(step=step, wake_at=9e9, event_type=ENDED, key="child", child=Start(child, []))

    def finish_of(self, state: ProcessState = ProcessState.COMPLETED, **facts: Any) -> Finish:
        save = Save(self.process_id, (), ())
        return Finish(save=save, state=state, worker=self.worker, at=NOW, **facts)

    async def finish(self, state: ProcessState = ProcessState.COMPLETED, **facts: Any) -> list[str]:
        return await self.store.write_together(journal.finish_together, self.finish_of(state, **facts))

    def delivering(
        self, event_id: str = "e1", key: str = "k", data: str = '"first"', at: str = NOW
    ) -> Callable[[Connection], list[str]]:
        return lambda connection: waits.deliver(connection, event_id, TYPE, key, data, at, worker=self.worker)

    async def deliver(
        self, event_id: str = "e1", key: str = "k", data: str = '"first"', at: str = NOW
    ) -> list[str]:
        return await self.store.write(self.delivering(event_id, key, data, at))

    def expiring(self, path: str = "0", key: str = "k") -> Callable[[Connection], Step]:
        step = waiting(path, key).step
        return lambda connection: waits.expire(connection, self.process_id, step, TYPE, key, NOW)

    async def expire(self, path: str = "0", key: str = "k") -> Step:
        return await self.store.write(self.expiring(path, key))

    async def claim(self, now: float = 0.0) -> list[str]:
        return await self.store.write(lambda connection: waits.claim_due(connection, now, self.worker))

    async def load(self) -> tuple[Instance, list[Step]]:
        return await self.store.read(lambda connection: journal.load(connection, self.process_id))

    async def state(self) -> tuple[str, str]:
        found, _ = await self.load()
        return found.state, found.worker


def at_once(store: Store, first: Callable[[Connection], A], second: Callable[[Connection], B]) -> tuple[A, B]:
    """The second unit comes while the first has done its work and is not committed: it sees or waits."""
    writing = store._engine.execution_options(writes=True)
    came = threading.Event()

    @contextmanager
    def unit() -> Iterator[Connection]:
        with writing.begin() as connection:
            if store.dialect == "postgresql":  # held up for however long: nobody begins anew, as a store does
                connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield connection

    def beside() -> B:
        with unit() as connection:
            done = second(connection)
        came.set()
        return done

    with ThreadPoolExecutor(1) as pool:
        with unit() as connection:
            one = first(connection)
            other = pool.submit(beside)
            came.wait(0.3)  # when it is held up until our commit, nothing tells
        return one, other.result(PATIENCE_S)
