"""What a process function works with. Everything it does outside itself is a step, recorded once.

On replay a recorded step returns what was recorded and touches nothing. Between steps a process must be
deterministic: time comes from `ctx.now`, effects only from the methods here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from lineshaft.contracts.capability import Capability, Operation, client
from lineshaft.contracts.event import EventContract
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.errors import (
    BusinessFault,
    LineshaftError,
    PermanentFault,
    TransientFault,
)
from lineshaft.core.ports import CallPort
from lineshaft.core.values import Command, Event, Origin, Value
from lineshaft.processes.journal import Instance, Step, StepState

__all__ = ["Context", "Park", "Recorder", "Suspend", "Unrecorded", "WaitTimedOut"]

C = TypeVar("C", bound=Capability)
T = TypeVar("T", bound=Value)


class WaitTimedOut(LineshaftError):
    """An awaited event did not come in time."""

    default_code = "wait_timed_out"


class Suspend(BaseException):
    """The instance is rows only from here on. Not for process code to catch."""


class Park(BaseException):
    """A person has to decide. Not for process code to catch."""

    def __init__(self, fault: LineshaftError) -> None:
        super().__init__(str(fault))
        self.fault = fault


class Unrecorded(BaseException):
    """The journal cannot be written. Not for process code to catch: it is no fault of its step."""

    def __init__(self, fault: LineshaftError) -> None:
        super().__init__(str(fault))
        self.fault = fault


class Recorder(Protocol):
    """The engine's side of the context: each method is durable when it returns, or raises Unrecorded."""

    async def done(self, step: Step, event: Event | None = None) -> None: ...

    async def retry_later(self, step: Step, fault: TransientFault) -> None:
        """Leaves a row that wakes the instance after a backoff."""
        ...

    async def wait(self, step: Step, event_type: str, key: str, until: datetime) -> Step:
        """The step as recorded: done, when the awaited event is there already, else as it came."""
        ...


class Context:
    def __init__(
        self,
        instance: Instance,
        steps: Sequence[Step],
        recorder: Recorder,
        calls: CallPort,
        clock: Clock,
        *,
        actor: str,
        waits_on: Sequence[EventContract[Any]],
        zone: ZoneInfo,
        source: str,
    ) -> None:
        self.plant = instance.plant
        self.zone = zone
        self._actor = actor
        self._waits_on = waits_on
        self._instance = instance
        self._journal = {step.step: step for step in steps}
        self._recorder = recorder
        self._calls = calls
        self._clock = clock
        self._source = source
        self._next = 0
        self._under_way = False
        self._ended: BaseException | None = None
        self._now = datetime.fromisoformat(instance.started_at)

    @property
    def process_id(self) -> str:
        return self._instance.process_id

    @property
    def now(self) -> datetime:
        """When the last step ended; the same on every replay."""
        return self._now

    def system(self, capability: type[C]) -> C:
        """A typed client of a capability; each call of it is a step through the one door.

        The call returns when the effect is in the target system. It raises BusinessFault when the target
        refused; every technical fault is handled outside the function: later retries, or a person.
        """
        return client(capability, self._call)

    async def _call(self, operation: Operation, request: Value) -> Any:
        with self._one_step():
            return await self._call_once(operation, request)

    async def _call_once(self, operation: Operation, request: Value) -> Any:
        step, earlier = self._begin("call", operation.name, msgspec.json.encode(request).decode())
        if earlier is not None:
            if earlier.state is StepState.DONE:
                return operation.reply_schema.decode(earlier.output.encode())
            if earlier.state is StepState.REJECTED:
                raise _recorded_fault(earlier)
        origin = Origin(
            plant=self.plant,
            actor=self._actor,
            correlation_id=self._instance.correlation_id,
            causation_id=f"{self.process_id}/{step.step}",
            traceparent=self._instance.traceparent,
        )
        try:
            outcome = await self._calls.call(
                Command(operation=operation.name, request=request, origin=origin)
            )
        except TransientFault as fault:
            await self._recorder.retry_later(self._unfinished(step, StepState.RETRYING, fault), fault)
            raise Suspend from fault
        except BusinessFault as fault:
            rejected = self._unfinished(step, StepState.REJECTED, fault)
            await self._finish(rejected)
            raise _recorded_fault(rejected) from fault  # the same now as on replay
        except LineshaftError as fault:
            await self._finish(self._unfinished(step, StepState.FAILED, fault))
            raise Park(fault) from fault
        output = msgspec.json.encode(outcome.reply)
        await self._finish(msgspec.structs.replace(step, output=output.decode(), ref=outcome.call_id))
        return operation.reply_schema.decode(output)  # the same now as on replay

    async def publish(self, contract: EventContract[T], data: T) -> None:
        """Tell a fact: written with the journal, on the backbone soon after."""
        with self._one_step():
            await self._publish(contract, data)

    async def _publish(self, contract: EventContract[T], data: T) -> None:
        step, earlier = self._begin("publish", contract.type, msgspec.json.encode(data).decode())
        if earlier is not None and earlier.state is StepState.DONE:
            return
        identity = f"{self.process_id}/{step.step}"
        event = contract.make(
            data,
            plant=self.plant,
            source=self._source,
            identity=(identity,),
            time=self._clock.now(),
            correlation_id=self._instance.correlation_id,
            causation_id=identity,
            traceparent=self._instance.traceparent,
        )
        await self._finish(msgspec.structs.replace(step, ref=event.id), event)

    async def wait_for(self, contract: EventContract[T], key: str, timeout: timedelta) -> T:
        """The event of this type and key, whether it came before or comes after; costs a row meanwhile.

        raises  WaitTimedOut
        """
        with self._one_step():
            return await self._wait_for(contract, key, timeout)

    async def _wait_for(self, contract: EventContract[T], key: str, timeout: timedelta) -> T:
        if contract not in self._waits_on:
            raise Park(
                PermanentFault(
                    f"{self._instance.type} waits for {contract.type} without declaring it",
                    hint="name it in waits_on",
                )
            )
        asked = msgspec.json.encode(
            {"event": contract.type, "key": key, "timeout_s": timeout.total_seconds()}
        )
        step, earlier = self._begin("wait", contract.type, asked.decode())
        if earlier is not None and earlier.state is StepState.DONE:
            return contract.schema.decode(earlier.output.encode())
        late = WaitTimedOut(f"no {contract.type} for {key} within {timeout}")
        if earlier is not None and earlier.state is StepState.TIMED_OUT:
            raise late
        began = earlier or msgspec.structs.replace(step, state=StepState.WAITING)
        until, now = datetime.fromisoformat(began.started_at) + timeout, self._clock.now()
        if now >= until:
            began = msgspec.structs.replace(began, state=StepState.TIMED_OUT, finished_at=rfc3339(now))
        left = await self._recorder.wait(began, contract.type, key, until)
        if left.state is StepState.WAITING:
            raise Suspend
        self._now = datetime.fromisoformat(left.finished_at)
        if left.state is StepState.TIMED_OUT:
            raise late
        return contract.schema.decode(left.output.encode())

    async def sleep(self, duration: timedelta) -> None:
        """Costs a row; survives restarts."""
        with self._one_step():
            await self._sleep(duration)

    async def _sleep(self, duration: timedelta) -> None:
        asked = msgspec.json.encode({"seconds": duration.total_seconds()}).decode()
        step, earlier = self._begin("sleep", f"{duration.total_seconds():g} s", asked)
        if earlier is not None and earlier.state is StepState.DONE:
            return
        began = earlier or msgspec.structs.replace(step, state=StepState.WAITING)
        until = datetime.fromisoformat(began.started_at) + duration
        if self._clock.now() < until:
            await self._recorder.wait(began, "", "", until)
            raise Suspend
        await self._finish(msgspec.structs.replace(began, state=StepState.DONE))

    @contextmanager
    def _one_step(self) -> Iterator[None]:
        """Steps follow each other, and after the end (say, in a `finally`) there are none."""
        if self._ended is not None:
            raise self._ended
        if self._under_way:
            self._ended = Park(
                PermanentFault(
                    f"{self._instance.type} began a step while another was under way",
                    code="steps_at_once",
                    hint="await each step before the next: the journal is a sequence",
                )
            )
            raise self._ended
        self._under_way = True
        try:
            yield
        except (Suspend, Park, Unrecorded, asyncio.CancelledError) as ended:
            self._ended = ended
            raise
        finally:
            self._under_way = False

    def _begin(self, kind: str, name: str, asked: str) -> tuple[Step, Step | None]:
        """The step that is due, and what the journal has of it.

        A journal that recorded something else here means that the function is not the one that wrote it.
        """
        number, self._next = self._next, self._next + 1
        earlier = self._journal.get(number)
        if earlier is not None:
            if (earlier.kind, earlier.name, earlier.input) != (kind, name, asked):
                raise Park(
                    PermanentFault(
                        f"replay diverged at step {number}: recorded {earlier.kind} {earlier.name}"
                        f" {earlier.input}, asked {kind} {name} {asked}",
                        code="diverged",
                        hint="run the version of the process that wrote this journal",
                    )
                )
            if earlier.finished_at:
                self._now = datetime.fromisoformat(earlier.finished_at)
        started_at = earlier.started_at if earlier else rfc3339(self._clock.now())
        attempts = earlier.attempts + 1 if earlier else 1
        step = Step(
            step=number,
            kind=kind,
            name=name,
            state=StepState.DONE,
            input=asked,
            attempts=attempts,
            started_at=started_at,
        )
        return step, earlier

    async def _finish(self, step: Step, event: Event | None = None) -> None:
        finished = msgspec.structs.replace(step, finished_at=rfc3339(self._clock.now()))
        await self._recorder.done(finished, event)
        self._now = datetime.fromisoformat(finished.finished_at)

    @staticmethod
    def _unfinished(step: Step, state: StepState, fault: LineshaftError) -> Step:
        error = {
            "code": fault.code,
            "message": fault.message,
            "hint": fault.hint,
            "owner": getattr(fault, "owner", ""),
        }
        return msgspec.structs.replace(step, state=state, error=msgspec.json.encode(error).decode())


def _recorded_fault(step: Step) -> BusinessFault:
    error = msgspec.json.decode(step.error)
    return BusinessFault(
        error["message"], code=error["code"], hint=error.get("hint", ""), owner=error["owner"]
    )
