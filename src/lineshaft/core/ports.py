"""The Protocols by which rooms touch. `app` hands the parts over at start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from lineshaft.core.values import Command, Event, ExceptionRecord, Outcome, RawBatch, Value

__all__ = [
    "CallContext",
    "CallPort",
    "Connector",
    "DeviceSource",
    "EventPublisher",
    "ExceptionDesk",
    "Health",
    "HealthState",
    "Manifest",
    "ProcessActions",
    "ProcessMeter",
    "RawDestination",
    "RawSink",
    "RawSource",
    "ReadModel",
    "SaysAsSent",
    "StreamPosition",
    "Webhook",
    "WireMessage",
]


class HealthState(StrEnum):
    STARTING = "starting"
    ACTIVE = "active"
    DEGRADED = "degraded"
    STOPPED = "stopped"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    state: HealthState
    detail: str = ""
    latency_ms: float = 0.0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a connector says of itself.

    capabilities    names of the capabilities whose operations it implements, e.g. ["maintenance"]
    reads_back      commands whose outcome it can look up by idempotency key; all others, when their
                    outcome is unknown, go to a person
    """

    name: str
    title: str
    capabilities: list[str]
    reads_back: list[str]


class CallContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the door hands to a connector with each request.

    idempotency_key   goes into the target's own reference field
    deadline_s        seconds this attempt may take
    headers           W3C trace context, to be sent along over HTTP
    """

    call_id: str
    operation: str
    idempotency_key: str
    deadline_s: float
    headers: Mapping[str, str]


class WireMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A request in the words of a system. address: path and query; body: None where it has none."""

    method: str
    address: str
    body: Any = None


class SaysAsSent(Protocol):
    """What a connector has, too, whose requests follow from a mapping."""

    def as_sent(self, operation: str, request: Value, key: str) -> WireMessage:
        """How it would send the request now; nothing is sent.

        raises  BusinessFault, code mapping_error; PermanentFault for an operation that is not mapped
        """
        ...


class Connector(Protocol):
    """One connected system. For each operation of its capabilities it has a method

        async def <operation>(self, call: CallContext, request: <Request>) -> <Reply>

    and for each command in manifest.reads_back

        async def find_<operation>(self, call: CallContext, request: <Request>) -> <Reply> | None

    Both raise from the tree in `core.errors` and nothing else. `contracts.capability.bind` checks the
    methods at start.
    """

    @property
    def manifest(self) -> Manifest: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def health(self) -> Health: ...


class Webhook(Protocol):
    """A connector that can be called by its system."""

    def translate(self, hook: str, headers: Mapping[str, str], body: bytes) -> Sequence[Event]:
        """Check the signature, map the body to events.

        hook    last part of the path `/webhooks/<system>/<hook>`
        raises  PermanentFault for a wrong signature or unknown hook, ContractViolation for a wrong body
        """
        ...

    def reread(self, hook: str, body: bytes) -> Sequence[Event]:
        """As translate, for a body that a person corrected: it has no signature any more.

        raises  PermanentFault for an unknown hook, ContractViolation for a wrong body
        """
        ...

    def owner(self, hook: str) -> str:
        """The desk for bodies that break the hook's contract."""
        ...


class CallPort(Protocol):
    """The one door, as processes and routes see it."""

    async def call(self, command: Command) -> Outcome:
        """The outcome, when the effect is in the target system (or was, under the same key).

        raises  ContractViolation, BusinessFault, TransientFault (nothing took effect, try later),
                PermanentFault, OutcomeUnknown (a person has to look)
        """
        ...


class EventPublisher(Protocol):
    async def publish(self, events: Sequence[Event]) -> None:
        """Returns when the backbone has every event on disk. Same id, same effect: repeats are safe.

        raises  TransientFault when the backbone does not take them in time
        """
        ...


class StreamPosition(msgspec.Struct, frozen=True):
    """The place of a message. created: when the stream was made, as the server tells; a stream that is made
    anew counts from 1 again. stored_us: when the message was stored, as RawBatch has it, 0 where that is not
    known; a server that lost its newest messages gives their numbers to others: `created` differs from then.
    """

    sequence: int
    created: str = ""
    stored_us: int = 0


class RawSource(Protocol):
    """Where raw device messages come from: one or several streams, each in its own order."""

    @property
    def caught_up(self) -> bool:
        """Whether all that the streams had at the last delivery was handed over: silence means something."""
        ...

    async def run(
        self, handle: Callable[[RawBatch], Awaitable[None]], after: Mapping[str, StreamPosition]
    ) -> None:
        """Hand over every message after these positions once, in batches, until cancelled.

        after    by stream; a stream that is not named, or was made anew since, begins with its first message
        handle   never called twice at the same time; what it raises ends the run
        """
        ...

    async def done(self, upto: Mapping[str, StreamPosition]) -> None:
        """What was handed over up to these positions will not be asked for again: it may be forgotten, soon
        and beside other work, so this never waits."""
        ...


class RawSink(Protocol):
    """Where a source of device values puts its messages, to be taken in by telemetry."""

    async def put(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """(topic, payload) of each, in order. Returns when the backbone has stored all of them.

        raises  TransientFault when it does not take them: some may be stored, and all are to be put again
        """
        ...


class DeviceSource(Protocol):
    """A client of a device, gateway or broker that asks for values itself."""

    async def run(self, sink: RawSink) -> None:
        """Until cancelled: connects, connects again, and puts what it gets; a fault of the other side is
        told by `health` and never ends the run.

        raises  ConfigError or PermanentFault when going on cannot help
        """
        ...

    def health(self) -> Health: ...


class RawDestination(Protocol):
    """Where a device message is put again, as if its device had sent it now."""

    async def publish(self, topic: str, payload: bytes) -> str:
        """Its position, as RawReading has it, when it is stored.

        raises  TransientFault when the backbone does not take it, ConfigError for an impossible topic
        """
        ...

    async def is_taken_in(self, position: str) -> bool:
        """Whether telemetry is done with it.

        raises  TransientFault when the backbone does not answer
        """
        ...


class ProcessActions(Protocol):
    """What a person may do to a parked process.

    All raise ConfigError where there is no such process, or it is not parked.
    """

    async def retry(self, process_id: str, *, by: str, reason: str) -> None: ...

    async def correct(
        self, process_id: str, payload: bytes, *, by: str, reason: str, dry_run: bool
    ) -> list[str]:
        """Go on with another request of the step at which it parked, or another input where there is none.

        returns  why the payload cannot be taken: then, and in a dry run, nothing is changed
        """
        ...


class ProcessMeter(Protocol):
    """Counts what a process engine does; told in its event loop, so it must be quick."""

    def started(self, process: str) -> None: ...

    def ended(self, process: str, state: str, took_s: float) -> None:
        """state: as processes.ProcessState, `parked` as well: it has left the engine for a person's desk."""
        ...


class ExceptionDesk(Protocol):
    async def report(self, records: Sequence[ExceptionRecord]) -> None: ...


class ReadModel(Protocol):
    async def trace(self, key: str, plants: Collection[str] | None = None) -> dict[str, Any]:
        """plants: whose rows are told; None: those of every plant."""
        ...
