"""Each operation of S2 under each fault, once and for longer: one effect, and the ledger knows it.

A fault that lasts outlives every attempt of a call; the call is left, as the door leaves it to a process, and
asked for again when the fault is over.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from sqlalchemy import select

from estate.chaos.proxy import FaultProxy
from estate.chaos.schedule import FAULTS, REFUSED
from estate.systems.faults import FaultKind
from lineshaft.calls import CallPolicy, Door, System
from lineshaft.contracts.catalogue import CAPABILITIES, operation
from lineshaft.core.errors import TechnicalFault
from lineshaft.core.ports import CallContext, Connector
from lineshaft.core.values import Command, Origin, Outcome, Value
from lineshaft.ledger import Audit, Claims
from lineshaft.store import Outbox, Store
from lineshaft.store.schema import calls, outbox
from tests.clocks import ManualClock
from tests.faults.conftest import Targets
from tests.faults.operations import EFFECTS, OPERATIONS, SYSTEM_OF, held_under

pytestmark = pytest.mark.asyncio(loop_scope="session")

BEFORE_SEND = "before_send"
LASTING_CALLS = 2
PATIENCE_S = 90.0
ACTOR = "process:matrix"
SLOW = {FaultKind.TIMEOUT_BEFORE_COMMIT, FaultKind.TIMEOUT_AFTER_COMMIT, FaultKind.SLOW_DRIP}


def policy(name: str, kind: str) -> CallPolicy:
    """A deadline is short only where the fault runs into it: elsewhere a busy machine would."""
    deadline_s = (1.0 if name == "erp" else 0.3) if kind in SLOW else 10.0
    return CallPolicy(
        rate_per_s=10_000,
        deadline_s=deadline_s,
        attempts=2,
        backoff_s=0.001,
        backoff_max_s=0.002,
        settle_s=0.01,
    )


class Stopped:
    """A connector to whose commands the product does not come: it ends after the claim, before the send."""

    def __init__(self, connector: Connector) -> None:
        self.reached = asyncio.Event()
        self.manifest = connector.manifest
        self._connector = connector

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name) if name.startswith("find_") else self._send

    async def _send(self, call: CallContext, request: Value) -> Value:
        self.reached.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody ends this wait but the one who cancels it")


class Case:
    """One operation, on a door of its own before a proxy of its own."""

    def __init__(self, name: str, kind: str, store: Store, targets: Targets) -> None:
        self.operation, self.kind, self.clock = operation(name), kind, ManualClock()
        self.system_name = SYSTEM_OF[name.split(".", 1)[0]]
        self.request = targets.requests.make(name)
        self.proxy: FaultProxy = targets.proxies[name]
        self._connector = targets.connectors[name]
        self._store = store

    def door(self, connector: Connector | None = None) -> Door:
        """As a start of the product makes it."""
        rules = policy(self.system_name, self.kind)
        system = System(self.system_name, connector or self._connector, CAPABILITIES, rules, self.clock)
        return Door(
            Claims(self._store, Outbox(self._store), Audit("node", self.clock), self.clock),
            [system],
            {ACTOR: frozenset(system.operations)},
            plant="leipzig",
            source="/northspring/leipzig/lineshaft",
            clock=self.clock,
        )

    async def run(self, lasting: bool) -> Outcome:
        """The outcome, once the fault is over."""
        if self.kind == BEFORE_SEND:
            for _ in range(1 + LASTING_CALLS * lasting):
                await self._stopped_before_send()
            return await self._asked_until_posted(self.door())
        door = self.door()
        if self.kind == REFUSED:
            await self.proxy.refuse()
        else:
            seconds = 1.0 if self.kind in {FaultKind.HTTP_503, FaultKind.HTTP_429} else None
            self.proxy.faults.add(self.kind, times=None if lasting else 1, seconds=seconds)
        if lasting or self.kind == REFUSED:
            for _ in range(LASTING_CALLS if lasting else 1):
                with pytest.raises(TechnicalFault):
                    await self.asked(door)
                self.clock.advance(60)  # the breaker lets a probe through
            self.proxy.faults.clear()
            await self.proxy.admit()
        return await self._asked_until_posted(door)

    async def _stopped_before_send(self) -> None:
        stopped = Stopped(self._connector)
        call = asyncio.create_task(self.asked(self.door(stopped)))
        await stopped.reached.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    async def _asked_until_posted(self, door: Door) -> Outcome:
        """As a process does: a busy machine can run into a short deadline without any fault."""
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await self.asked(door)
            except TechnicalFault:
                if time.monotonic() > give_up_at:
                    raise
                self.clock.advance(60)

    async def asked(self, door: Door) -> Outcome:
        origin = Origin(plant="leipzig", actor=ACTOR, correlation_id="matrix")
        return await door.call(Command(operation=self.operation.name, request=self.request, origin=origin))

    @property
    def key(self) -> str:
        return self.operation.idempotency_key(self.request, self.system_name)


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("kind", [BEFORE_SEND, *FAULTS])
async def test_one_effect_whatever_happens(kind: str, lasting: bool, store: Store, targets: Targets) -> None:
    cases = {name: Case(name, kind, store, targets) for name in OPERATIONS}
    hits_before = {name: case.proxy.hits.total() for name, case in cases.items()}
    ended = await asyncio.gather(*(case.run(lasting) for case in cases.values()), return_exceptions=True)
    outcomes = dict(zip(cases, ended, strict=True))
    assert {name: end for name, end in outcomes.items() if not isinstance(end, Outcome)} == {}
    if kind in set(FaultKind):
        spared = [name for name, case in cases.items() if case.proxy.hits.total() == hits_before[name]]
        assert spared == []

    commands = {name: case for name, case in cases.items() if case.operation.is_command}
    held = {name: await count_effects(name, case.key, targets) for name, case in commands.items()}
    assert held == dict.fromkeys(commands, 1)
    ledger, told = await noted(store)
    assert ledger == {case.key: "posted" for case in commands.values()}
    assert told == sum(case.operation.emits is not None for case in commands.values())


async def count_effects(name: str, key: str, targets: Targets) -> int:
    """In the target system, not in the ledger."""
    table = EFFECTS[name]
    if name.startswith("erp."):
        return held_under(key, await getattr(targets.books, table)())
    system = targets.requests.system(SYSTEM_OF[name.split(".", 1)[0]])
    return held_under(key, system.effect_rows()[table])


async def noted(store: Store) -> tuple[dict[str, str], int]:
    """State by idempotency key, and how many outcome events wait to leave."""

    def question(connection: Any) -> tuple[dict[str, str], int]:
        states = connection.execute(select(calls.c.idempotency_key, calls.c.state)).all()
        events = connection.execute(select(outbox.c.event_id)).all()
        return {key: str(state) for key, state in states}, len(events)

    return await store.read(question)
