"""An engine on a real store with a scripted door before it, and a clock that the test moves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from lineshaft.contracts.capability import Operation
from lineshaft.contracts.catalogue import CAPABILITIES, THRESHOLD_EXCEEDED
from lineshaft.core.clock import Clock, SystemClock
from lineshaft.core.ids import business_key
from lineshaft.core.ports import ProcessMeter
from lineshaft.core.values import Command, Event, Outcome, Value
from lineshaft.ledger import Desk
from lineshaft.processes import Engine, ProcessDefinition
from lineshaft.processes.actions import Action, Actions
from lineshaft.processes.records import in_order
from lineshaft.store import Store
from lineshaft.store.schema import process_steps, processes
from tests.books import BOOKED, Balance, Books, Posting
from tests.clocks import ManualClock
from tests.facts import breach
from tests.rows import rows
from tests.waiting import until

__all__ = ["BERLIN", "Answers", "House", "booked_event", "started_by"]

OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation
    for capability in (*CAPABILITIES.values(), Books)
    for operation in capability.operations.values()
}
BERLIN = ZoneInfo("Europe/Berlin")
Reply = Callable[[Any], Value]


def _posted(request: Posting) -> Posting:
    return Posting(
        reference=request.reference,
        amount=request.amount,
        account=request.account,
        id=f"D-{request.reference}",
    )


REPLIES: dict[str, Reply] = {
    "books.post": _posted,
    "books.balance": lambda request: Balance(account=request.account, amount=7),
}


class Answers:
    """Implements core.ports.CallPort as the door keeps it: one effect per key, the same outcome ever after.

    effects  what took effect, in order
    faults   what is raised before anything takes effect, per operation, in order
    """

    def __init__(self, replies: Mapping[str, Reply] = REPLIES) -> None:
        self.replies = dict(replies)
        self.commands: list[Command] = []
        self.effects: list[tuple[str, Any]] = []
        self.faults: dict[str, list[Exception]] = {}
        self.before: Callable[[Command], object] = lambda command: None
        self._known: dict[str, Outcome] = {}

    async def call(self, command: Command) -> Outcome:
        self.commands.append(command)
        await asyncio.sleep(0)
        if faults := self.faults.get(command.operation):
            raise faults.pop(0)
        waited = self.before(command)
        if asyncio.iscoroutine(waited):
            await waited
        operation = OPERATIONS[command.operation]
        if not operation.is_command:
            return Outcome(call_id="", reply=self.replies[command.operation](command.request))
        key = operation.idempotency_key(command.request, "target")
        if key not in self._known:
            reply = self.replies[command.operation](command.request)
            self.effects.append((command.operation, command.request))
            self._known[key] = Outcome(call_id=business_key("call", key), reply=reply)
        return self._known[key]

    @property
    def references(self) -> list[str]:
        return [request.reference for _, request in self.effects]


class House:
    """One start of the product on a store; make another for the next start."""

    def __init__(
        self,
        store: Store,
        definitions: Sequence[ProcessDefinition],
        answers: Answers,
        clock: Clock | None = None,
        engine_store: Any = None,
        worker: str = "local",
        meter: ProcessMeter | None = None,
    ) -> None:
        self.store = store
        self.answers = answers
        self.clock = clock or SystemClock()
        self.engine = Engine(
            engine_store or store,
            answers,
            definitions,
            Desk(store, self.clock).add,
            self.clock,
            plant="NSP",
            zone=BERLIN,
            source="/acme/NSP/lineshaft/1",
            worker=worker,
            meter=meter,
        )
        self.noted: list[Action] = []
        self.actions = Actions(
            store,
            definitions,
            lambda connection, action: self.noted.append(action),
            self.clock,
            zone=BERLIN,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[House]:
        task = asyncio.create_task(self.engine.run())
        try:
            yield self
            if task.done():
                task.result()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def instance(self, number: int = 0) -> dict[str, Any]:
        found = sorted(await rows(self.store, processes), key=lambda row: str(row["business_key"]))
        return found[number]

    async def steps(self) -> list[dict[str, Any]]:
        found = await rows(self.store, process_steps)
        return sorted(found, key=lambda row: (str(row["process_id"]), in_order(row["step"])))

    async def in_state(self, state: str, count: int = 1) -> None:
        """Wait until so many instances are in the state."""

        async def reached() -> bool:
            return [row["state"] for row in await rows(self.store, processes)].count(state) >= count

        await until(reached)

    def pass_time(self, seconds: float) -> None:
        assert isinstance(self.clock, ManualClock)
        self.clock.advance(seconds)
        self.engine.look_by(float("-inf"))


def started_by(rule: str = "r1", **changes: Any) -> Event:
    event = THRESHOLD_EXCEEDED.make(
        breach(rule=rule),
        plant="NSP",
        source="/acme/NSP/telemetry/1",
        identity=(rule,),
        time=breach().detected_at,
    )
    import msgspec

    return msgspec.structs.replace(event, **changes)


def booked_event(reference: str, identity: str = "1", amount: int = 5) -> Event:
    """An event from outside, with no story of its own."""
    return BOOKED.make(
        Posting(reference=reference, amount=amount, id="X"),
        plant="NSP",
        source="/acme/NSP/books/1",
        identity=(reference, identity),
        time=breach().detected_at,
    )
