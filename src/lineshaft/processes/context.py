"""What a process function works with. Everything it does outside itself is a step, recorded once.

On replay a recorded step returns what was recorded and touches nothing. Between steps a process must be
deterministic: time, chance and identifiers come from the context, effects only from the methods here.

A step's outcome is durable before the next command is sent, and before the instance is left or ends. Until
then it can be lost: then the step is asked again, and the one door knows what came of it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextvars import copy_context
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from lineshaft.contracts.capability import Capability, Operation, client
from lineshaft.contracts.event import EventContract
from lineshaft.contracts.schema import PayloadSchema
from lineshaft.contracts.schema import business_keys as keys_of
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.errors import BusinessFault, LineshaftError, PermanentFault, TransientFault
from lineshaft.core.ids import business_key
from lineshaft.core.ports import CallPort
from lineshaft.core.tracing import span
from lineshaft.core.values import Command, Event, Origin, Value
from lineshaft.processes.branch import CURRENT, Branch
from lineshaft.processes.definition import ProcessDefinition
from lineshaft.processes.history import History
from lineshaft.processes.records import (
    ENDED,
    Instance,
    Pending,
    ProcessState,
    Start,
    Step,
    StepState,
    in_order,
)
from lineshaft.processes.stops import Park, Stopped, Suspend, Unwind

__all__ = ["APPROVAL", "Approval", "Context", "Journal", "WaitTimedOut"]

C = TypeVar("C", bound=Capability)
T = TypeVar("T", bound=Value)
R = TypeVar("R")
F = TypeVar("F", bound=LineshaftError)

APPROVAL = "lineshaft.approval.given"
"""Type of the signal that tells a person's decision; its key is `<process id>/<step>`."""


class WaitTimedOut(LineshaftError):
    """An awaited event, or a person's decision, did not come in time."""

    default_code = "wait_timed_out"


class Approval(Value, frozen=True, kw_only=True):
    """What a person decided. by: who; role: for whom."""

    approved: bool
    by: str
    role: str
    reason: str


_APPROVAL = PayloadSchema("approval", Approval, {})


class Journal(Protocol):
    """The engine's side of the context. Durable when it returns; raises Unrecorded."""

    async def save(self, steps: Sequence[Step], events: Sequence[Event]) -> str:
        """Returns what a person wants of it meanwhile: `abort`, `cancel`, `terminate`, or nothing."""
        ...

    async def expire(self, step: Step, event_type: str, key: str) -> Step:
        """The step as it is now: done, when the awaited event came after all, else timed out."""
        ...

    def retry_at(self, step: Step, fault: TransientFault) -> float:
        """When to try it again, epoch seconds. raises Park when it was tried for long enough"""
        ...


class Context:
    def __init__(
        self,
        instance: Instance,
        steps: Sequence[Step],
        definition: ProcessDefinition,
        journal: Journal,
        calls: CallPort,
        clock: Clock,
        *,
        zone: ZoneInfo,
        source: str,
    ) -> None:
        self.plant = instance.plant
        self.zone = zone
        self._instance = instance
        self._definition = definition
        self._history = History(steps)
        self._journal = journal
        self._calls = calls
        self._clock = clock
        self._source = source
        # a copy has the chance and the identifiers of its original: its calls are about the same facts
        self._root = Branch("", instance.started_at, instance.forked_from or instance.process_id)
        self.wanted = instance.wanted  # by a person, as far as it is known
        self._unwinding = False
        self._raised: list[tuple[LineshaftError, str]] = []
        self._undos: list[tuple[str, Callable[[], Awaitable[Any]]]] = []

    @property
    def process_id(self) -> str:
        return self._instance.process_id

    @property
    def _branch(self) -> Branch:
        return CURRENT.get(self._root)

    @property
    def now(self) -> datetime:
        """When the last step ended; the same on every replay."""
        return self._branch.now

    @property
    def random(self) -> random.Random:
        """Chance that is the same on every replay."""
        return self._branch.random

    def new_id(self) -> str:
        """An identifier that is the same on every replay, and no other instance's."""
        return self._branch.new_id()

    def system(self, capability: type[C]) -> C:
        """A typed client of a capability; each call of it is a step through the one door.

        The call returns when the effect is in the target system. It raises BusinessFault when the target
        refused; every technical fault is handled outside the function: later retries, or a person.
        """
        return client(capability, self._call)

    async def _call(self, operation: Operation, request: Value) -> Any:
        with self._one_step() as branch:
            asked = msgspec.json.encode(request).decode()
            path, earlier = self._begin(branch, "call", operation.name, asked)
            if earlier is not None:
                if earlier.state is StepState.DONE:
                    return operation.reply_schema.decode(earlier.output.encode())
                if earlier.state is StepState.REJECTED:
                    raise self._rejection(earlier)
                self._pause(branch, earlier)
            if operation.is_command:
                await self._save(branch)
            return await self._send(branch, operation, request, asked, path, earlier)

    async def _send(
        self,
        branch: Branch,
        operation: Operation,
        request: Value,
        asked: str,
        path: str,
        earlier: Step | None,
    ) -> Any:
        reopen, corrected = "", earlier.corrected if earlier else ""
        if earlier is not None:
            reopen = earlier.ref if earlier.state is StepState.REOPENED else ""
            if corrected:
                request = operation.request_schema.decode(corrected.encode())
        instance = self._instance
        began = self._step(path, "call", operation.name, asked, earlier)
        try:
            with span(f"step {path}", instance.traceparent, operation=operation.name) as traceparent:
                origin = Origin(
                    plant=instance.plant,
                    actor=self._definition.actor,
                    correlation_id=instance.correlation_id,
                    causation_id=f"{instance.process_id}/{path}",
                    traceparent=traceparent,
                )
                outcome = await self._calls.call(
                    Command(operation=operation.name, request=request, origin=origin, reopen=reopen)
                )
        except TransientFault as fault:
            state = StepState.REOPENED if reopen else StepState.RETRYING
            retry_at = self._journal.retry_at(began, fault)
            step = msgspec.structs.replace(_with_fault(began, state, fault, retry_at), ref=reopen)
            branch.pending.append(Pending(step=step, wake_at=retry_at))
            raise Suspend(str(fault)) from fault
        except BusinessFault as fault:
            rejected = self._done(branch, _with_fault(began, StepState.REJECTED, fault))
            raise self._rejection(rejected) from fault  # the same now as on replay
        except LineshaftError as fault:
            self._done(branch, _with_fault(began, StepState.FAILED, fault))
            raise Park(fault, path) from fault
        output = msgspec.json.encode(outcome.reply)
        self._done(branch, began, output.decode(), outcome.call_id)
        return operation.reply_schema.decode(output)  # the same now as on replay

    def _pause(self, branch: Branch, step: Step) -> None:
        """What woke the instance was something else: this one rests until its own time."""
        error = msgspec.json.decode(step.error or "{}")
        retry_at = error.get("retry_at", 0.0)
        if self._clock.now().timestamp() < retry_at:
            branch.pending.append(Pending(step=step, wake_at=retry_at))
            raise Suspend(error["message"])

    async def publish(self, contract: EventContract[T], data: T, identity: tuple[str, ...] = ()) -> None:
        """Tell a fact: written with the journal, on the backbone soon after.

        identity   what makes it one fact, whoever tells it; empty: this step of this instance
        """
        with self._one_step() as branch:
            asked = msgspec.json.encode(data).decode()
            path, earlier = self._begin(branch, "publish", contract.type, asked)
            if earlier is not None and earlier.state is StepState.DONE:
                return
            step = f"{self.process_id}/{path}"
            event = contract.make(
                data,
                plant=self.plant,
                source=self._source,
                identity=identity or (step,),
                time=self._clock.now(),
                correlation_id=self._instance.correlation_id,
                causation_id=step,
                traceparent=self._instance.traceparent,
            )
            branch.events.append(event)
            self._done(branch, self._step(path, "publish", contract.type, asked, earlier), ref=event.id)

    async def wait_for(self, contract: EventContract[T], key: str, timeout: timedelta) -> T:
        """The event of this type and key, whether it came before or comes after; costs a row meanwhile.

        raises  WaitTimedOut
        """
        with self._one_step() as branch:
            if contract not in self._definition.waits_on:
                raise Park(
                    PermanentFault(
                        f"{self._instance.type} waits for {contract.type} without declaring it",
                        hint="name it in waits_on",
                    )
                )
            asked = _asked({"event": contract.type, "key": key}, timeout)
            late = f"no {contract.type} for {key} within {timeout}"
            data = await self._await(branch, "wait", contract.type, asked, contract.type, key, timeout, late)
            return contract.schema.decode(data)

    async def approve(self, role: str, timeout: timedelta, *, question: str = "") -> Approval:
        """A person's decision, asked of a role; costs a row meanwhile. `approved` tells what it was.

        raises  WaitTimedOut
        """
        with self._one_step() as branch:
            asked = _asked({"role": role, "question": question}, timeout)
            key = f"{self.process_id}/{branch.prefix}{branch.next_number}"
            late = f"nobody decided as {role} within {timeout}"
            data = await self._await(branch, "approval", role, asked, APPROVAL, key, timeout, late)
            return _APPROVAL.decode(data)

    async def _await(
        self,
        branch: Branch,
        kind: str,
        name: str,
        asked: str,
        event_type: str,
        key: str,
        timeout: timedelta,
        late: str,
    ) -> bytes:
        path, earlier = self._begin(branch, kind, name, asked)
        if earlier is not None and earlier.state is StepState.DONE:
            return earlier.output.encode()
        if earlier is not None and earlier.state is StepState.TIMED_OUT:
            raise self._fault(WaitTimedOut(late), path)
        step = earlier or self._step(path, kind, name, asked, None, StepState.WAITING)
        until = datetime.fromisoformat(step.started_at) + timeout
        if self._clock.now() < until:
            branch.pending.append(
                Pending(step=step, wake_at=until.timestamp(), event_type=event_type, key=key)
            )
            raise Suspend
        await self._save(branch)
        left = await self._journal.expire(step, event_type, key)
        branch.now_text = left.finished_at
        if left.state is StepState.TIMED_OUT:
            raise self._fault(WaitTimedOut(late), path)
        return left.output.encode()

    async def sleep(self, duration: timedelta) -> None:
        """Costs a row; survives restarts."""
        with self._one_step() as branch:
            name = f"{duration.total_seconds():g} s"
            asked = msgspec.json.encode({"seconds": duration.total_seconds()}).decode()
            path, earlier = self._begin(branch, "sleep", name, asked)
            if earlier is not None and earlier.state is StepState.DONE:
                return
            step = earlier or self._step(path, "sleep", name, asked, None, StepState.WAITING)
            until = datetime.fromisoformat(step.started_at) + duration
            if self._clock.now() < until:
                branch.pending.append(Pending(step=step, wake_at=until.timestamp()))
                raise Suspend
            self._done(branch, msgspec.structs.replace(step, state=StepState.DONE))

    async def child(self, definition: ProcessDefinition, value: Value) -> Any:
        """The result of another process, started here; costs a row meanwhile.

        An instance of the same business key that runs or has ended is joined, not repeated.

        raises  BusinessFault (child_aborted, child_cancelled, child_terminated) when it did not complete
        """
        with self._one_step() as branch:
            if definition not in self._definition.children:
                raise Park(
                    PermanentFault(
                        f"{self._instance.type} starts {definition} without declaring it",
                        hint="name it in children",
                    )
                )
            asked = msgspec.json.encode(value).decode()
            path, earlier = self._begin(branch, "child", definition.name, asked)
            key = definition.key(value)
            process_id = business_key("process", definition.name, key)
            if earlier is None or earlier.state is not StepState.DONE:
                step = earlier or self._step(path, "child", definition.name, asked, None, StepState.WAITING)
                instance = Instance(
                    process_id=process_id,
                    type=definition.name,
                    version=definition.version,
                    business_key=key,
                    state=ProcessState.RETRYING,
                    parent_id=self.process_id,
                    plant=self.plant,
                    input=asked,
                    correlation_id=self._instance.correlation_id,
                    causation_id=f"{self.process_id}/{path}",
                    traceparent=self._instance.traceparent,
                    started_at=step.started_at,
                )
                branch.pending.append(
                    Pending(
                        step=step,
                        wake_at=_NEVER,
                        event_type=ENDED,
                        key=process_id,
                        child=Start(instance, [("business_key", key), *keys_of(value)]),
                    )
                )
                raise Suspend
            end = msgspec.json.decode(earlier.output)
            if end["state"] != ProcessState.COMPLETED:
                fault = BusinessFault(
                    f"{definition.name} {key} was {end['state']}: {end['cause']}",
                    code=f"child_{end['state']}",
                    owner=definition.owner,
                )
                raise self._fault(fault, path)
            return definition.result_schema.decode(end["result"].encode())

    async def gather(self, *branches: Coroutine[Any, Any, R]) -> list[R]:
        """Run lines of steps beside each other; their results in order, when all have ended.

        raises  what the first of them in order raised, when all have ended
        """
        parent = self._branch
        with self._one_step():
            try:
                self._history.gather(parent.prefix, parent.next_number)
                path = parent.take()
                await self._save(parent)  # before the first command of a branch, as before any other
            except BaseException:
                for work in branches:
                    work.close()
                raise
            under = [
                Branch(f"{path}.{number}.", parent.now_text, parent.seed) for number, _ in enumerate(branches)
            ]
            tasks = []
            for branch, work in zip(under, branches, strict=True):
                context = copy_context()
                context.run(CURRENT.set, branch)
                tasks.append(asyncio.create_task(_held(work), context=context))
            try:
                ends = await asyncio.gather(*tasks)
            finally:
                for branch in under:
                    parent.absorb(branch)
            faults = [end for end in ends if isinstance(end, BaseException)]
            if faults:
                raise min(faults, key=_urgency)
        return [end for end in ends if not isinstance(end, BaseException)]

    async def undoable(self, work: Awaitable[R], undo: Callable[[R], Awaitable[Any]]) -> R:
        """Do a step, and name what undoes it should the process be aborted later.

        undo    given the step's result; its own steps are as durable as any. Undos run in reverse order.
        """
        branch = self._branch
        first = branch.next_number
        result = await work
        path = f"{branch.prefix}{first}u"
        while any(path == other for other, _ in self._undos):  # the same step has another undo
            path += "u"
        self._undos.append((path, lambda: undo(result)))
        return result

    def abort(self, reason: str) -> None:
        """End this process and run the undos that its steps name. Does not return."""
        branch = self._branch
        branch.ended = Unwind("abort", reason)
        raise branch.ended

    async def unwind(self) -> None:
        """Run the undos, the last one first. For the engine."""
        self._unwinding = True
        self._root.pending.clear()  # what lines of a gather were waiting for
        await self._save(self._root)
        for path, undo in sorted(self._undos, key=lambda each: in_order(each[0]), reverse=True):
            branch = Branch(f"{path}.", self._root.now_text, self._root.seed)
            token = CURRENT.set(branch)
            try:
                await undo()
            finally:
                CURRENT.reset(token)
                self._root.absorb(branch)

    def leftovers(self) -> Branch:
        """What is not in the journal yet. For the engine."""
        return self._root

    def step_of(self, fault: BaseException) -> str:
        """The path of the step that was refused with this fault; empty for a fault of the function's own."""
        path = next((path for raised, path in self._raised if raised is fault), "")
        return path if path and self._history.was_last(path) else ""

    def unasked(self) -> Step | None:
        """The first recorded step that the function did not ask for. For the proof that a history fits it."""
        return self._history.unasked()

    def _one_step(self) -> Branch:
        """Entered for one step: the steps of a branch follow each other."""
        branch = CURRENT.get(self._root)
        if branch.ended is not None:
            raise branch.ended
        if branch.under_way:
            branch.ended = Park(
                PermanentFault(
                    f"{self._instance.type} began a step while another was under way",
                    code="steps_at_once",
                    hint="await each step before the next, or give them to ctx.gather",
                )
            )
            raise branch.ended
        return branch

    def _begin(self, branch: Branch, kind: str, name: str, asked: str) -> tuple[str, Step | None]:
        """The step that is due, and what the journal has of it."""
        earlier = self._history.find(branch.prefix, branch.next_number, kind, name, asked)
        path = branch.take()
        if earlier is not None and earlier.state.is_settled:
            branch.now_text = earlier.finished_at
        else:
            self._heed()
        return path, earlier

    def _step(
        self,
        path: str,
        kind: str,
        name: str,
        asked: str,
        earlier: Step | None,
        state: StepState = StepState.DONE,
    ) -> Step:
        return Step(
            step=path,
            kind=kind,
            name=name,
            state=state,
            input=asked,
            corrected=earlier.corrected if earlier else "",
            attempts=earlier.attempts + 1 if earlier else 1,
            started_at=earlier.started_at if earlier else rfc3339(self._clock.now()),
        )

    def _done(self, branch: Branch, step: Step, output: str = "", ref: str = "") -> Step:
        branch.now_text = rfc3339(self._clock.now())
        step = msgspec.structs.replace(
            step, output=output or step.output, ref=ref or step.ref, finished_at=branch.now_text
        )
        branch.steps.append(step)
        return step

    async def _save(self, branch: Branch) -> None:
        """What this branch has done is durable when it returns."""
        if not branch.steps:
            return
        steps, events = branch.steps, branch.events
        branch.steps, branch.events = [], []
        self.wanted = await self._journal.save(steps, events)
        self._heed()

    def _heed(self) -> None:
        if self.wanted and not (self._unwinding and self.wanted == "abort"):
            raise Unwind(self.wanted)

    def _rejection(self, step: Step) -> BusinessFault:
        error = msgspec.json.decode(step.error)
        fault = BusinessFault(
            error["message"], code=error["code"], hint=error.get("hint", ""), owner=error["owner"]
        )
        return self._fault(fault, step.step)

    def _fault(self, fault: F, path: str) -> F:
        self._raised.append((fault, path))
        return fault


_NEVER = 4102444800.0  # 2100-01-01: only its event brings it back


async def _held(work: Coroutine[Any, Any, R]) -> R | BaseException:
    """A task that raised would take its siblings' results with it."""
    try:
        return await work
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return error  # of something that it awaited: a fault as any other
    except BaseException as error:
        return error


def _urgency(error: BaseException) -> int:
    """What a gather raises of several: what stops the run, before what leaves it, before the first fault."""
    if isinstance(error, Suspend):
        return 1
    return 0 if isinstance(error, Stopped) else 2


def _asked(facts: Mapping[str, str], timeout: timedelta) -> str:
    return msgspec.json.encode({**facts, "timeout_s": timeout.total_seconds()}).decode()


def _with_fault(step: Step, state: StepState, fault: LineshaftError, retry_at: float = 0.0) -> Step:
    error = {
        "code": fault.code,
        "message": fault.message,
        "hint": fault.hint,
        "owner": getattr(fault, "owner", ""),
    }
    if retry_at:
        error["retry_at"] = retry_at
    return msgspec.structs.replace(step, state=state, error=msgspec.json.encode(error).decode())
