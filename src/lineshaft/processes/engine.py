"""The durable engine: starts instances from events, replays them, suspends them to rows and wakes them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec
import structlog
from sqlalchemy import Connection

from lineshaft.contracts.schema import business_keys as keys_of
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.errors import (
    BusinessFault,
    ContractViolation,
    LineshaftError,
    OutcomeUnknown,
    PermanentFault,
    TransientFault,
)
from lineshaft.core.ids import business_key
from lineshaft.core.ports import CallPort
from lineshaft.core.tracing import span
from lineshaft.core.values import Event, ExceptionKind, ExceptionRecord
from lineshaft.processes import journal
from lineshaft.processes.context import Context, Park, Suspend, Unrecorded
from lineshaft.processes.definition import ProcessDefinition
from lineshaft.processes.journal import Instance, ProcessState, Step
from lineshaft.store import Outbox, Store, Unit

__all__ = ["Engine"]

T = TypeVar("T")
_LOG = structlog.get_logger(__name__)
_WORKERS = 64
_RETRY_MAX_S = 30.0
_RETRY_FOR_S = 3 * 24 * 3600.0


class Engine:
    """report: adds an exception record inside a unit of work (the ledger's desk)."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        calls: CallPort,
        definitions: Sequence[ProcessDefinition],
        report: Callable[[Connection, ExceptionRecord], None],
        clock: Clock,
        *,
        plant: str,
        zone: ZoneInfo,
        source: str,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._calls = calls
        self._definitions: Mapping[tuple[str, int], ProcessDefinition] = {
            (definition.name, definition.version): definition for definition in definitions
        }
        # older versions only finish what they began
        self._newest: Mapping[str, ProcessDefinition] = {
            definition.name: definition for definition in sorted(definitions, key=lambda each: each.version)
        }
        self._report = report
        self._clock = clock
        self._plant = plant
        self._zone = zone
        self._source = source
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._active: set[str] = set()
        self._again: set[str] = set()
        self._started: dict[str, Instance] = {}  # written a moment ago, so that it need not be read
        self._next_wake = float("inf")
        self._timer_changed = asyncio.Event()

    @property
    def event_types(self) -> frozenset[str]:
        """The types that start an instance or that one may wait for."""
        return frozenset(
            contract.type
            for definition in self._definitions.values()
            for contract in (definition.starts_on, *definition.waits_on)
        )

    async def handle(self, event: Event) -> None:
        """Take one event in; durable when it returns. The same event again changes nothing.

        raises  ContractViolation when the payload of an awaited type breaks its contract
        """
        if event.plant != self._plant:
            return
        for definition in self._newest.values():
            if event.type == definition.starts_on.type:
                await self._start(definition, event)
        awaited = {
            contract.type: contract
            for definition in self._definitions.values()
            for contract in definition.waits_on
        }
        if event.type in awaited:
            awaited[event.type].decode(event)
            at = rfc3339(self._clock.now())
            woken = await self._store.write(
                lambda connection: journal.deliver(
                    connection, event.id, event.type, event.subject, event.data.decode(), at
                )
            )
            for process_id in woken:
                self._wake(process_id)

    async def _start(self, definition: ProcessDefinition, event: Event) -> None:
        value = definition.starts_on.decode(event)
        key = definition.key(value)
        with span(f"process {definition.name}", event.traceparent) as traceparent:
            instance = Instance(
                process_id=business_key("process", definition.name, key),
                type=definition.name,
                version=definition.version,
                business_key=key,
                state=ProcessState.RUNNING,
                plant=event.plant,
                input=event.data.decode(),
                correlation_id=event.correlationid or event.id,
                causation_id=event.id,
                traceparent=traceparent,
                started_at=rfc3339(self._clock.now()),
            )
        keys = [("business_key", key), *keys_of(value)]
        if await self._store.write(lambda connection: journal.start(connection, instance, keys)):
            self._started[instance.process_id] = instance
            _LOG.info("process.started", process=definition.name, key=key)
        self._wake(instance.process_id)

    async def run(self) -> None:
        """Take up what was running, then run what is ready, until cancelled."""
        for process_id in await self._store.read(journal.interrupted):
            self._wake(process_id)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._timer())
            for _ in range(_WORKERS):
                tasks.create_task(self._work())

    def _wake(self, process_id: str) -> None:
        if process_id in self._active:
            self._again.add(process_id)
        else:
            self._active.add(process_id)
            self._ready.put_nowait(process_id)

    async def _work(self) -> None:
        while True:
            process_id = await self._ready.get()
            try:
                await self._advance(process_id)
            except TransientFault as fault:  # the store is away: the rows stand, look again when it is back
                _LOG.warning("process.store_away", process_id=process_id, reason=str(fault))
                self._again.add(process_id)
                await asyncio.sleep(1.0)
            except Exception:  # not even parking it worked: the others run on, a restart looks again
                _LOG.exception("process.stuck", process_id=process_id)
            finally:
                self._active.discard(process_id)
                if process_id in self._again:
                    self._again.discard(process_id)
                    self._wake(process_id)

    async def _timer(self) -> None:
        """Wakes instances whose time has come; sleeps exactly until the next one's."""
        while True:
            # forgotten before the rows are read: who changes one from here on wakes us again
            self._timer_changed.clear()
            self._next_wake = float("inf")
            now = self._clock.now().timestamp()
            try:
                for process_id in await self._store.read(partial(journal.due, now=now)):
                    self._wake(process_id)
                later = await self._store.read(journal.next_wake)
            except TransientFault:
                later = now + 1.0
            if later is not None:  # one that is due was just woken and is at work on its row
                self._next_wake = max(later, now + 0.2)
            rest_s = self._next_wake - self._clock.now().timestamp()
            try:
                async with asyncio.timeout(None if later is None else max(rest_s, 0.0)):
                    await self._timer_changed.wait()
            except TimeoutError:
                continue

    def wake_by(self, moment: float) -> None:
        if moment < self._next_wake:
            self._timer_changed.set()

    async def _advance(self, process_id: str) -> None:
        started = self._started.pop(process_id, None)
        instance, steps = (
            (started, [])
            if started is not None
            else await self._store.read(partial(journal.load, process_id=process_id))
        )
        if instance.state in (ProcessState.COMPLETED, ProcessState.PARKED):
            return
        if (
            instance.state is ProcessState.RETRYING
            and (instance.wake_at or 0) > self._clock.now().timestamp()
        ):
            return  # woken before its time, say by its event told again: it keeps its pause
        definition = self._definitions.get((instance.type, instance.version))
        if definition is None:
            known = ", ".join(f"{name} v{version}" for name, version in self._definitions)
            fault = PermanentFault(
                f"no process {instance.type} v{instance.version} is loaded", hint=f"loaded: {known}"
            )
            return await self._park(instance, fault, "integration")
        context = Context(
            instance,
            steps,
            _StoreRecorder(self, instance),
            self._calls,
            self._clock,
            actor=definition.actor,
            waits_on=definition.waits_on,
            zone=self._zone,
            source=f"{self._source}/{instance.type}",
        )
        try:
            value = definition.starts_on.schema.decode(instance.input.encode())
            result = await definition.run(context, value)
            encoded = msgspec.json.encode(result).decode()
        except Suspend:
            return None
        except Unrecorded as stopped:
            if isinstance(stopped.fault, TransientFault):
                raise stopped.fault from None
            why, owner = stopped.fault, "integration"
        except Park as parked:
            why, owner = parked.fault, definition.owner
        except LineshaftError as fault:
            why, owner = fault, getattr(fault, "owner", "") or definition.owner
        except (Exception, BaseExceptionGroup) as error:
            _LOG.exception("process.bug", process=instance.type, key=instance.business_key)
            why, owner = PermanentFault(f"the process failed: {error!r}"), "integration"
        else:
            return await self._complete(instance, encoded)
        await self._park(instance, why, owner)

    async def _complete(self, instance: Instance, encoded: str) -> None:
        at = rfc3339(self._clock.now())
        await self._store.write(
            lambda connection: journal.set_state(
                connection,
                instance.process_id,
                ProcessState.COMPLETED,
                at,
                result=encoded,
                finished_at=at,
                cause="",
            )
        )
        _LOG.info("process.completed", process=instance.type, key=instance.business_key)

    async def _park(self, instance: Instance, fault: LineshaftError, owner: str) -> None:
        record = ExceptionRecord(
            kind=_kind(fault),
            plant=instance.plant,
            source=f"process {instance.type} {instance.business_key}",
            owner=owner,
            cause=str(fault),
            payload=instance.input.encode(),
            ref=instance.process_id,
            correlation_id=instance.correlation_id,
        )
        at = rfc3339(self._clock.now())

        def unit(connection: Connection) -> None:
            journal.set_state(
                connection, instance.process_id, ProcessState.PARKED, at, cause=str(fault), owner=owner
            )
            self._report(connection, record)

        await self._store.write(unit)
        _LOG.warning("process.parked", process=instance.type, key=instance.business_key, cause=str(fault))


def _kind(fault: LineshaftError) -> ExceptionKind:
    if isinstance(fault, BusinessFault):
        return ExceptionKind.BUSINESS_FAULT
    if isinstance(fault, OutcomeUnknown):
        return ExceptionKind.OUTCOME_UNKNOWN
    if isinstance(fault, ContractViolation):
        return ExceptionKind.CONTRACT_VIOLATION
    return ExceptionKind.TECHNICAL_FAULT


class _StoreRecorder:
    """Implements context.Recorder for one instance."""

    def __init__(self, engine: Engine, instance: Instance) -> None:
        self._engine = engine
        self._instance = instance

    async def done(self, step: Step, event: Event | None = None) -> None:
        outbox = self._engine._outbox

        def unit(connection: Connection) -> None:
            journal.record(connection, self._instance.process_id, step)
            if self._instance.state is not ProcessState.RUNNING:  # it was woken by the time, and runs on
                state = ProcessState.RUNNING
                journal.set_state(connection, self._instance.process_id, state, step.finished_at, cause="")
            if event is not None:
                outbox.add(connection, event)

        await self._write(unit)
        if event is not None:
            outbox.wake()

    async def retry_later(self, step: Step, fault: TransientFault) -> None:
        now = self._engine._clock.now()
        process_id = self._instance.process_id
        if (now - datetime.fromisoformat(step.started_at)).total_seconds() > _RETRY_FOR_S:
            raise Park(fault)
        wait_s = min(_RETRY_MAX_S, 2.0 ** min(step.attempts, 6)) * random.uniform(0.5, 1.0)  # noqa: S311
        wake_at = now.timestamp() + max(wait_s, fault.retry_after_s or 0.0)

        def unit(connection: Connection) -> None:
            journal.record(connection, process_id, step)
            journal.set_state(
                connection,
                process_id,
                ProcessState.RETRYING,
                rfc3339(now),
                wake_at=wake_at,
                cause=str(fault),
            )

        await self._write(unit)
        self._engine.wake_by(wake_at)

    async def wait(self, step: Step, event_type: str, key: str, until: datetime) -> Step:
        process_id, wake_at = self._instance.process_id, until.timestamp()
        at = rfc3339(self._engine._clock.now())
        left = await self._write(
            lambda connection: journal.wait(connection, process_id, step, event_type, key, wake_at, at)
        )
        self._engine.wake_by(wake_at)
        return left

    async def _write(self, unit: Unit[T]) -> T:
        try:
            return await self._engine._store.write(unit)
        except LineshaftError as fault:
            raise Unrecorded(fault) from fault
