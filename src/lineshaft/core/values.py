"""The values that travel through the house and change name as they change meaning.

RawReading → Reading → Event → Command → Outcome. None is ever sent back up the stream.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from lineshaft.core.access import Caller

__all__ = [
    "Command",
    "Event",
    "EventClass",
    "ExceptionKind",
    "ExceptionRecord",
    "Key",
    "Moment",
    "Origin",
    "Outcome",
    "OutcomeState",
    "Quality",
    "RawBatch",
    "RawReading",
    "Reading",
    "Value",
    "moment_of",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=200, extra_json_schema={"x-key": True})]
"""A business key: any field of this type can be asked for in `lineshaft trace`."""


Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its offset; a naive one breaks the contract."""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every canonical payload: immutable, named fields. Readers ignore fields they do not know."""


class EventClass(StrEnum):
    TELEMETRY = "telemetry"
    OPERATIONAL = "operational"
    TRANSACTIONAL = "transactional"
    ANALYTICAL = "analytical"


class Quality(StrEnum):
    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"
    STALE = "stale"


class RawReading(msgspec.Struct, frozen=True, kw_only=True):
    """One device message as it came in.

    topic        MQTT topic, `/` separated
    payload      bytes as sent by the device
    received_at  UTC, when the backbone stored it
    position     stream name and sequence, e.g. `RAW:4711`: where to find it again
    """

    topic: str
    payload: bytes
    received_at: datetime
    position: str = ""


class RawBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Device messages of one stream, in the order in which it holds them: columns of equal length.

    topics      MQTT topics, `/` separated
    stored_us   µs since 1970 UTC: when the backbone stored each
    sequences   ascending, not without gaps
    created     when the stream was made, as the server tells: one that is made anew counts from 1 again
    waiting     how many more the stream had for us when the last of these was delivered; 0: caught up
    """

    stream: str
    topics: list[str]
    payloads: list[bytes]
    stored_us: list[int]
    sequences: list[int]
    created: str = ""
    waiting: int = 0

    def __len__(self) -> int:
        return len(self.sequences)

    def part(self, start: int, stop: int) -> RawBatch:
        """The messages [start, stop) as a batch of their own."""
        here = slice(start, stop)
        return RawBatch(
            stream=self.stream,
            topics=self.topics[here],
            payloads=self.payloads[here],
            stored_us=self.stored_us[here],
            sequences=self.sequences[here],
            created=self.created,
            waiting=self.waiting + len(self) - stop,
        )

    def position(self, index: int) -> str:
        return f"{self.stream}:{self.sequences[index]}"

    def reading(self, index: int) -> RawReading:
        return RawReading(
            topic=self.topics[index],
            payload=self.payloads[index],
            received_at=moment_of(self.stored_us[index]),
            position=self.position(index),
        )


def moment_of(microseconds: int) -> datetime:
    """UTC; of µs since 1970. raises OverflowError beyond year 9999"""
    return _EPOCH + timedelta(microseconds=microseconds)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One value of one tag, bound to its asset, in the tag's declared unit (UNECE Rec 20 code)."""

    tag: str
    equipment_id: str
    physical_asset_id: str
    property: str
    value: float
    unit: str
    quality: Quality
    time: datetime
    received_at: datetime
    position: str = ""
    historical: bool = False


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvents 1.0 event (binary mode on NATS); `data` is its JSON payload.

    type            `<domain>.<entity>.<past-verb>.v<major>`, without the owner's prefix
    source          `/<enterprise>/<site>/<system>/<instance>`
    subject         the entity's key
    correlationid   one story: everything that came of one first fact carries the same
    causationid     id of the event, call or process step that this came of
    """

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    plant: str
    eventclass: EventClass
    data: bytes
    partitionkey: str = ""
    correlationid: str = ""
    causationid: str = ""
    traceparent: str = ""
    recordedtime: datetime | None = None
    dataschema: str = ""
    idempotencykey: str = ""
    sequence: str = ""

    @property
    def payload(self) -> dict[str, Any]:
        decoded: dict[str, Any] = msgspec.json.decode(self.data)
        return decoded


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a command comes from: who asks, and in which story."""

    plant: str
    actor: str
    correlation_id: str
    causation_id: str = ""
    traceparent: str = ""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A request to one operation of one system, on its way to the one door.

    operation   `<capability>.<operation>`, e.g. `maintenance.create_request`
    request     the operation's declared request value
    reopen      id of a person's decision to try again what did not post; it counts once
    caller      who asks over HTTP; None: a process, which its actor names
    """

    operation: str
    request: Value
    origin: Origin
    reopen: str = ""
    caller: Caller | None = None


class OutcomeState(StrEnum):
    SENDING = "sending"
    POSTED = "posted"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command that took effect. `reply` is the operation's declared reply value."""

    call_id: str
    reply: Any
    document: str = ""
    replayed: bool = False


class ExceptionKind(StrEnum):
    MALFORMED_READING = "malformed_reading"
    UNKNOWN_TAG = "unknown_tag"
    UNPOSTABLE_READING = "unpostable_reading"
    CONTRACT_VIOLATION = "contract_violation"
    BUSINESS_FAULT = "business_fault"
    OUTCOME_UNKNOWN = "outcome_unknown"
    TECHNICAL_FAULT = "technical_fault"
    DEAD_LETTER = "dead_letter"
    DEVICE_VIOLATION = "device_violation"
    FLOOD = "flood"


class ExceptionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person has to look at. Same kind, plant, source and cause: one row that counts, with the
    newest payload, where devices repeat themselves; anything else has a row for each `ref`.

    source    topic, webhook, event type, operation or process that it came from
    owner     the desk that decides, e.g. `maintenance`, `plant-engineering`
    payload   the offending bytes
    ref       id of the event, call or process, or position of the device message, where there is one
    event     the event that the payload came in, so that a corrected one can follow it
    topic     the MQTT topic that the payload came in on, for the same end
    """

    kind: ExceptionKind
    plant: str
    source: str
    owner: str
    cause: str
    payload: bytes = b""
    ref: str = ""
    correlation_id: str = ""
    event: Event | None = None
    topic: str = ""
