"""The durable engine: starts instances from events, replays them, suspends them to rows and wakes them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
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
    ConfigError,
    ContractViolation,
    LineshaftError,
    OutcomeUnknown,
    PermanentFault,
    TransientFault,
)
from lineshaft.core.ports import CallPort, ProcessMeter
from lineshaft.core.tracing import SpanKind, span, tell_span
from lineshaft.core.values import Event, ExceptionKind, ExceptionRecord, Value
from lineshaft.processes import journal, waits
from lineshaft.processes.context import Context
from lineshaft.processes.definition import ProcessDefinition, starters, with_children
from lineshaft.processes.history import diverged
from lineshaft.processes.journal import Finish, Save
from lineshaft.processes.records import Instance, ProcessState, Start, Step
from lineshaft.processes.refusals import NoSuchProcess
from lineshaft.processes.stops import Park, Suspend, Unrecorded, Unwind
from lineshaft.store import Fenced, Store
from lineshaft.store.workers import living_workers

__all__ = ["Engine"]

T = TypeVar("T")
_LOG = structlog.get_logger(__name__)
_AT_WORK = 512
_MOST_READY = 2_000
_LOOK_AGAIN_S = 0.5
_OTHERS_S = 0.05  # somebody else has a hold of what is due
_FORGOTTEN_S = 60.0  # due for so long, an instance has no worker that can run it
_RETRY_MAX_S = 30.0
_SPREAD_S = 5.0  # a peer that names a time does not get everybody at that time
_RETRY_FOR_S = 3 * 24 * 3600.0


class Engine:
    """report: adds an exception record inside a unit of work (the ledger's desk).

    worker    name of this worker on its database
    on_events called when events were put into the outbox
    meter     told of starts and ends, as soon as they are durable
    """

    def __init__(
        self,
        store: Store,
        calls: CallPort,
        definitions: Sequence[ProcessDefinition],
        report: Callable[[Connection, ExceptionRecord], None],
        clock: Clock,
        *,
        plant: str,
        zone: ZoneInfo,
        source: str,
        worker: str = "local",
        on_events: Callable[[], None] = lambda: None,
        meter: ProcessMeter | None = None,
    ) -> None:
        self._store = store
        self._calls = calls
        every = list(with_children(definitions))
        self._definitions: Mapping[tuple[str, int], ProcessDefinition] = {
            (definition.name, definition.version): definition for definition in every
        }
        self._started_by = starters(definitions)
        self._awaited = {contract.type: contract for definition in every for contract in definition.waits_on}
        self._report = report
        self._clock = clock
        self._plant = plant
        self._zone = zone
        self._source = source
        self._worker = worker
        self._on_events = on_events
        self._meter = meter
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._active: set[str] = set()
        self._again: set[str] = set()
        self._room = asyncio.Event()
        self._room.set()
        self._starting: set[str] = set()  # nobody has seen their rows and woken them yet
        self._started: dict[str, Instance] = {}  # written a moment ago, so that it need not be read
        self._next_look = float("inf")
        self._look_earlier = asyncio.Event()
        self._unsure = True  # whether all that is running here was woken

    @property
    def event_types(self) -> frozenset[str]:
        """The types that start an instance or that one may wait for."""
        return frozenset([*self._started_by, *self._awaited])

    async def handle(self, event: Event) -> None:
        """Take one event in; durable when it returns. The same event again changes nothing.

        Waits while as much is at work as there is room for: who hands events over has to wait as well.

        raises  ContractViolation when the payload of an awaited type breaks its contract
        """
        if event.plant != self._plant:
            return
        await self._room.wait()
        with span(f"event {event.type}", event.traceparent, kind=SpanKind.CONSUMER, event=event.id):
            for definition in self._started_by.get(event.type, ()):
                await self._start(definition, event)
            if event.type in self._awaited:
                await self._deliver(event)

    async def _deliver(self, event: Event) -> None:
        self._awaited[event.type].decode(event)
        at = rfc3339(self._clock.now())
        self.wake(
            await self._store.write(
                lambda connection: waits.deliver(
                    connection,
                    event.id,
                    event.type,
                    event.subject,
                    event.data.decode(),
                    at,
                    worker=self._worker,
                )
            )
        )

    async def _start(self, definition: ProcessDefinition, event: Event) -> None:
        value = definition.input_schema.decode(event.data)
        key = definition.key(value)
        with span(f"start {definition.name}", key=key) as traceparent:
            instance = Instance(
                process_id=definition.instance_id(key),
                type=definition.name,
                version=definition.version,
                business_key=key,
                state=ProcessState.RUNNING,
                worker=self._worker,
                plant=event.plant,
                input=event.data.decode(),
                correlation_id=event.correlationid or event.id,
                causation_id=event.id,
                traceparent=traceparent,
                started_at=rfc3339(self._clock.now()),
            )
        start = Start(instance, [("business_key", key), *keys_of(value)])
        self._starting.add(instance.process_id)
        try:
            begins = await self._store.write_together(journal.start_together, start)
            if begins and instance.process_id in self._starting:
                self._started[instance.process_id] = instance
        finally:
            self._starting.discard(instance.process_id)
        if begins:
            _LOG.debug("process.started", process=definition.name, key=key)
            if self._meter is not None:
                self._meter.started(definition.name)
        self.wake([instance.process_id])

    async def check_versions(self) -> None:
        """raises  ConfigError that lists the unfinished instances of versions that are not loaded"""
        findings = [
            f"{name} v{version}: {count} unfinished, the oldest since {since}"
            for name, version, count, since in await self._store.read(journal.open_versions)
            if (name, version) not in self._definitions
        ]
        if findings:
            raise ConfigError(
                "instances are under versions of processes that are gone",
                findings=findings,
                hint="load these versions beside the new ones, or move them: `lineshaft processes migrate`",
            )

    async def run(self) -> None:
        """Take up what was running, and run what is ready, until cancelled.

        raises  Fenced when this worker was taken for dead
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._timer())
            for _ in range(_AT_WORK):
                tasks.create_task(self._work())

    def wake(self, process_ids: Sequence[str]) -> None:
        """These instances are this worker's and have something to do."""
        for process_id in process_ids:
            self._starting.discard(process_id)
            if process_id in self._active:
                self._again.add(process_id)
            else:
                self._active.add(process_id)
                self._ready.put_nowait(process_id)
        if len(self._active) >= _MOST_READY:
            self._room.clear()

    async def _work(self) -> None:
        while True:
            process_id = await self._ready.get()
            try:
                await self._advance(process_id)
            except Fenced:
                raise
            except NoSuchProcess:  # it is archived, and what had started it came once more
                _LOG.debug("process.archived", process_id=process_id)
            except TransientFault as fault:  # the store is away: the rows stand, look again when it is back
                _LOG.warning("process.store_away", process_id=process_id, reason=str(fault))
                self._again.add(process_id)
                self._unsure = True  # it may have been written all the same, and have woken others
                await asyncio.sleep(1.0)
            except Exception as error:  # not even parking it worked: the others run on
                _raise_if_cancelled(error)
                _LOG.exception("process.stuck", process_id=process_id)
            finally:
                self._active.discard(process_id)
                if len(self._active) < _MOST_READY:
                    self._room.set()
                if process_id in self._again:
                    self._again.discard(process_id)
                    self.wake([process_id])

    async def _timer(self) -> None:
        """Takes instances whose time has come, at that time; and looks for what others left or asked for."""
        while True:
            # forgotten before the rows are read: who changes one from here on has us look again
            self._look_earlier.clear()
            self._next_look = float("inf")
            now = self._clock.now()
            try:
                if self._unsure:
                    self._unsure = False
                    self.wake(await self._store.read(partial(journal.running, worker=self._worker)))
                next_wake = await self._store.read(waits.next_wake)
                while next_wake is not None and next_wake <= now.timestamp():
                    if not (claimed := await self._claim_due(now)):
                        next_wake = now.timestamp() + _OTHERS_S
                        break
                    self.wake(claimed)
                    await self._room.wait()
                    next_wake = await self._store.read(waits.next_wake)
            except TransientFault:
                self._unsure, next_wake = True, None
            rest_s = min((next_wake or float("inf")) - self._clock.now().timestamp(), _LOOK_AGAIN_S)
            self._next_look = self._clock.now().timestamp() + rest_s
            try:
                async with asyncio.timeout(max(rest_s, 0.0)):
                    await self._look_earlier.wait()
            except TimeoutError:
                continue

    async def _others(self) -> bool:
        """Other workers live, and one of them may have what this one has not."""
        living = await self._store.read(living_workers)
        return any(name != self._worker for name, _ in living)

    async def _claim_due(self, now: datetime) -> list[str]:
        claimed: dict[str, None] = {}

        def unit(connection: Connection) -> list[str]:
            loaded = self._definitions.keys()
            found = waits.claim_due(connection, now.timestamp(), self._worker, loaded, _FORGOTTEN_S)
            claimed.update(dict.fromkeys(found))  # a commit whose answer was lost has claimed some before
            return list(claimed)

        return await self._store.write(unit)

    def look_by(self, moment: float) -> None:
        """Look for what is due not later than at this time, epoch seconds."""
        if moment < self._next_look:
            self._look_earlier.set()

    async def _advance(self, process_id: str) -> None:
        begun = self._started.pop(process_id, None)
        instance, steps = (
            (begun, [])
            if begun is not None
            else await self._store.read(partial(journal.load, process_id=process_id))
        )
        if instance.state is not ProcessState.RUNNING or instance.worker != self._worker:
            return
        if instance.wanted == "cancel":
            save, why = Save(process_id, (), ()), await self._why(instance, "cancel")
            return await self._finish(instance, save, ProcessState.CANCELLED, wanted="cancel", cause=why)
        definition = self._definitions.get((instance.type, instance.version))
        if definition is None:
            now = self._clock.now()
            since_s = (now - datetime.fromisoformat(instance.updated_at)).total_seconds()
            if since_s < _FORGOTTEN_S and await self._others():
                return await self._store.write(
                    partial(
                        waits.give_back,
                        process_id=process_id,
                        worker=self._worker,
                        now=now.timestamp(),
                        at=rfc3339(now),
                    )
                )
            known = ", ".join(map(str, self._definitions.values()))
            fault = PermanentFault(
                f"no process {instance.type} v{instance.version} is loaded", hint=f"loaded: {known}"
            )
            return await self._park(instance, Save(process_id, (), ()), _Parked(fault), instance.wanted)
        if self._meter is not None and instance.parent_id and not steps:
            self._meter.started(instance.type)
        context = Context(
            instance,
            steps,
            definition,
            _StoreJournal(self, instance),
            self._calls,
            self._clock,
            zone=self._zone,
            source=f"{self._source}/{instance.type}",
        )
        end = await self._run(instance, definition, context)
        try:
            await self._leave(instance, context, end)
        except Fenced:
            raise
        except PermanentFault as fault:  # the database will not have what it has done or waits for
            await self._park(instance, Save(process_id, (), ()), _Parked(fault), context.wanted)

    async def _run(self, instance: Instance, definition: ProcessDefinition, context: Context) -> _End:
        try:
            value = definition.input_schema.decode(instance.input.encode())
        except ContractViolation as violation:
            return _Parked(violation, definition.owner)
        end = await self._outcome(definition.run(context, value), ProcessState.COMPLETED, definition, context)
        if isinstance(end, _Ended) and (left := context.unasked()):
            return _Parked(diverged(left.step, "nothing more", left).fault, definition.owner, left.step)
        failed = isinstance(end, _Parked) and end.fault.code != "diverged"
        if (failed or isinstance(end, _Ended)) and context.wanted == "abort":
            end = Unwind("abort")  # asked for while it did its last step, or while a fault kept it parked
        if isinstance(end, Unwind) and end.wanted == "abort":
            _LOG.info("process.unwinding", process=instance.type, key=instance.business_key)
            undone = await self._outcome(context.unwind(), ProcessState.ABORTED, definition, context)
            if isinstance(undone, _Ended):
                cause = end.reason or await self._why(instance, "abort")
                return msgspec.structs.replace(undone, cause=cause)
            return undone
        return end

    async def _why(self, instance: Instance, wanted: str) -> str:
        asked = partial(journal.reason, process_id=instance.process_id, wanted=wanted)
        of_parent = f"with process {instance.parent_id}, whose step it is" if instance.parent_id else ""
        return await self._store.read(asked) or of_parent

    async def _outcome(
        self,
        work: Awaitable[Value | None],
        state: ProcessState,
        definition: ProcessDefinition,
        context: Context,
    ) -> _End:
        try:
            result = await work
            encoded = "" if result is None else msgspec.json.encode(result).decode()
        except (Suspend, Unwind) as stopped:
            return stopped
        except Unrecorded as stopped:
            if isinstance(stopped.fault, TransientFault | Fenced):
                raise stopped.fault from None
            return _Parked(stopped.fault)
        except Park as parked:
            return _Parked(parked.fault, definition.owner, parked.step)
        except LineshaftError as fault:
            _raise_if_cancelled(fault)
            owner = getattr(fault, "owner", "") or definition.owner
            return _Parked(fault, owner, context.step_of(fault))
        except (Exception, BaseExceptionGroup, asyncio.CancelledError) as error:
            _raise_if_cancelled(error)
            _LOG.exception("process.bug", process=str(definition), process_id=context.process_id)
            return _Parked(PermanentFault(f"the process failed: {error!r}"))
        return _Ended(state=state, result=encoded)

    async def _leave(self, instance: Instance, context: Context, end: _End) -> None:
        left = context.leftovers()
        save = Save(instance.process_id, left.steps, left.events)
        if isinstance(end, Suspend):
            await self._suspend(instance, context, save, str(end))
        elif isinstance(end, _Parked):
            await self._park(instance, save, end, context.wanted)
        elif isinstance(end, _Ended):
            await self._finish(
                instance, save, end.state, wanted=context.wanted, result=end.result, cause=end.cause
            )
        else:
            why = await self._why(instance, end.wanted)
            await self._finish(instance, save, ProcessState.CANCELLED, wanted=context.wanted, cause=why)
        if save.events:
            self._on_events()

    async def _suspend(self, instance: Instance, context: Context, save: Save, cause: str) -> None:
        pending = context.leftovers().pending
        at = rfc3339(self._clock.now())
        suspended = await self._store.write(
            lambda connection: journal.suspend(
                connection, save, pending, _text(cause), at, worker=self._worker, wanted=context.wanted
            )
        )
        if not suspended:
            self._again.add(instance.process_id)
        elif any(each.child is not None for each in pending):
            self.look_by(0.0)
        else:
            self.look_by(min(each.wake_at for each in pending))

    async def _finish(
        self,
        instance: Instance,
        save: Save,
        state: ProcessState,
        *,
        wanted: str,
        result: str = "",
        cause: str = "",
        parked: _Parked | None = None,
    ) -> None:
        finish = Finish(
            save=save,
            state=state,
            worker=self._worker,
            at=rfc3339(self._clock.now()),
            wanted=wanted,
            result=result,
            cause=_text(cause),
            owner=parked.owner if parked else "",
            at_step=parked.step if parked else "",
            more=partial(self._tell_desk, instance, parked) if parked else None,
        )
        self.wake(await self._store.write_together(journal.finish_together, finish))
        _LOG.debug("process.ended", process=instance.type, key=instance.business_key, state=state)
        self._tell_end(instance, state, parked.fault.code if parked else "")

    def _tell_end(self, instance: Instance, state: ProcessState, error: str) -> None:
        began_s = datetime.fromisoformat(instance.started_at).timestamp()
        ended_s = self._clock.now().timestamp()
        if self._meter is not None:
            self._meter.ended(instance.type, state, ended_s - began_s)
        tell_span(
            f"process {instance.type}",
            instance.traceparent,
            begin_s=began_s,
            end_s=ended_s,
            error=error,
            state=state,
            key=instance.business_key,
            process=instance.process_id,
        )

    async def _park(self, instance: Instance, save: Save, parked: _Parked, wanted: str) -> None:
        cause = str(parked.fault)
        await self._finish(instance, save, ProcessState.PARKED, wanted=wanted, cause=cause, parked=parked)
        _LOG.warning("process.parked", process=instance.type, key=instance.business_key, cause=cause)

    def _tell_desk(self, instance: Instance, parked: _Parked, connection: Connection) -> None:
        record = ExceptionRecord(
            kind=_kind(parked.fault),
            plant=instance.plant,
            source=f"process {instance.type} {instance.business_key}",
            owner=parked.owner,
            cause=_text(str(parked.fault)),
            payload=instance.input.encode(),
            ref=instance.process_id,
            correlation_id=instance.correlation_id,
        )
        self._report(connection, record)


class _Parked(msgspec.Struct, frozen=True):
    fault: LineshaftError
    owner: str = "integration"
    step: str = ""


class _Ended(msgspec.Struct, frozen=True, kw_only=True):
    state: ProcessState
    result: str
    cause: str = ""


_End = _Parked | _Ended | Suspend | Unwind


def _raise_if_cancelled(error: BaseException) -> None:
    """What comes of ending a task parks nothing; that something in it was cancelled is a bug of that.

    A task group in a process cancels its task too: an error of its own counts as one.
    """
    task = asyncio.current_task()
    ended = (error, None if isinstance(error, BaseExceptionGroup) else error.__context__)
    if (
        task is not None
        and task.cancelling()
        and any(isinstance(each, asyncio.CancelledError) for each in ended)
    ):
        raise asyncio.CancelledError from error


def _text(cause: str) -> str:
    """PostgreSQL has no text with NUL characters, which a peer may well put into a message."""
    return cause.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _kind(fault: LineshaftError) -> ExceptionKind:
    if isinstance(fault, BusinessFault):
        return ExceptionKind.BUSINESS_FAULT
    if isinstance(fault, OutcomeUnknown):
        return ExceptionKind.OUTCOME_UNKNOWN
    if isinstance(fault, ContractViolation):
        return ExceptionKind.CONTRACT_VIOLATION
    return ExceptionKind.TECHNICAL_FAULT


class _StoreJournal:
    """Implements context.Journal for one instance."""

    def __init__(self, engine: Engine, instance: Instance) -> None:
        self._engine = engine
        self._process_id = instance.process_id

    async def save(self, steps: Sequence[Step], events: Sequence[Event]) -> str:
        save = Save(self._process_id, steps, events)
        wanted = await _recorded(self._engine._store.write_together(journal.save_together, save))
        if events:
            self._engine._on_events()
        return wanted

    async def expire(self, step: Step, event_type: str, key: str) -> Step:
        at = rfc3339(self._engine._clock.now())
        return await _recorded(
            self._engine._store.write(
                lambda connection: waits.expire(connection, self._process_id, step, event_type, key, at)
            )
        )

    def retry_at(self, step: Step, fault: TransientFault) -> float:
        """A growing pause with jitter, and not before the peer wants it."""
        now = self._engine._clock.now()
        if (now - datetime.fromisoformat(step.started_at)).total_seconds() > _RETRY_FOR_S:
            raise Park(fault, step.step)
        chance = random.random()  # noqa: S311
        pause_s = min(_RETRY_MAX_S, 2.0 ** min(step.attempts, 6)) * (0.5 + chance / 2)
        asked_s = fault.retry_after_s or 0.0
        return now.timestamp() + max(pause_s, asked_s + chance * min(asked_s / 10, _SPREAD_S))


async def _recorded(writing: Awaitable[T]) -> T:
    try:
        return await writing
    except LineshaftError as fault:
        raise Unrecorded(fault) from fault
