"""Event ⇄ NATS message: CloudEvents 1.0, binary mode, one `ce-` header per attribute.

source  CloudEvents NATS protocol binding 1.0.2 §3.1: header values are percent-encoded UTF-8
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple
from urllib.parse import quote, unquote

from lineshaft.core.clock import rfc3339
from lineshaft.core.errors import ContractViolation
from lineshaft.core.ids import fingerprint
from lineshaft.core.values import Event, EventClass

__all__ = [
    "TYPE_PREFIX",
    "NatsMessage",
    "decode_token",
    "encode_token",
    "event_subject",
    "from_message",
    "message_id",
    "to_message",
]

TYPE_PREFIX = "lineshaft."

_REQUIRED = ("specversion", "id", "type", "source", "subject", "time", "plant", "eventclass")
_OPTIONAL = (
    "partitionkey",
    "correlationid",
    "causationid",
    "traceparent",
    "dataschema",
    "idempotencykey",
    "sequence",
)
_PLAIN_TOKEN = re.compile(r"(?!_x-)[A-Za-z0-9_-]+")
_ESCAPED = "_x-"
_SAFE_IN_HEADER = "!#$&'()*+,/:;<=>?@[\\]^`{|}"
_PLAIN_VALUE = re.compile(r"[!#$&-~]*")
_TYPE_PARTS = 4
_OPTIONAL_HEADERS = tuple(f"ce-{name}" for name in _OPTIONAL)
_optional: Callable[[Event], tuple[str, ...]] = attrgetter(*_OPTIONAL)


class NatsMessage(NamedTuple):
    subject: str
    headers: dict[str, str]
    data: bytes


@lru_cache(maxsize=4096)
def encode_token(text: str) -> str:
    """One subject token of `[A-Za-z0-9_-]`; other text becomes `_x-` with `_hh` per odd byte, reversibly."""
    if _PLAIN_TOKEN.fullmatch(text):
        return text
    return _ESCAPED + "".join(
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or byte == 0x2D) else f"_{byte:02x}"
        for byte in text.encode()
    )


def decode_token(token: str) -> str:
    if not token.startswith(_ESCAPED):
        return token
    return unquote(token[len(_ESCAPED) :].replace("_", "%"))


def event_subject(eventclass: EventClass, plant: str, event_type: str) -> str:
    """`ls.<class>.<plant>.<domain>.<entity>.<verb>.v1`

    raises  ContractViolation for a type that is not `<domain>.<entity>.<verb>.v<major>`
    """
    parts = event_type.split(".")
    if len(parts) != _TYPE_PARTS or not all(parts):
        raise ContractViolation(
            f"event type {event_type!r} has no subject",
            findings=[f"type: <domain>.<entity>.<past-verb>.v<major> ({event_type!r})"],
        )
    return _subject(str(eventclass), plant, event_type)


def message_id(event: Event) -> str:
    """`Nats-Msg-Id`: a hash of source and id, the identity of a CloudEvent."""
    return fingerprint(f"{len(event.source)}:{event.source}{event.id}".encode("utf-8", "surrogatepass"))


def to_message(event: Event) -> NatsMessage:
    """raises  ContractViolation for a malformed type or a time without a zone"""
    values = _optional(event)
    header = _as_it_is if _PLAIN_VALUE.fullmatch("".join([event.id, event.subject, *values])) else _header
    headers = {
        "Nats-Msg-Id": message_id(event),
        "ce-specversion": "1.0",
        "ce-id": header(event.id),
        "ce-type": _recurring(TYPE_PREFIX + event.type),
        "ce-source": _recurring(event.source),
        "ce-subject": header(event.subject),
        "ce-time": _time_header("time", event.time),
        "ce-plant": _recurring(event.plant),
        "ce-eventclass": event.eventclass.value,
        "content-type": "application/json",
    }
    for name, value in zip(_OPTIONAL_HEADERS, values, strict=True):
        if value:
            headers[name] = header(value)
    if event.recordedtime is not None:
        headers["ce-recordedtime"] = _time_header("recordedtime", event.recordedtime)
    return NatsMessage(event_subject(event.eventclass, event.plant, event.type), headers, event.data)


def from_message(headers: Mapping[str, str], data: bytes) -> Event:
    """The event in a message of ours or of any writer that follows the binding.

    raises  ContractViolation naming every header that is missing or malformed
    """
    given = {
        name[3:]: unquote(value) if "%" in value else value
        for name, value in headers.items()
        if name.startswith("ce-")
    }
    findings = [f"ce-{name}: required (missing)" for name in _REQUIRED if name not in given]
    if findings:
        raise _no_event(findings)
    if given["specversion"] != "1.0":
        findings.append(f"ce-specversion: 1.0 ({given['specversion']!r})")
    if not given["type"].startswith(TYPE_PREFIX):
        findings.append(f"ce-type: starts with {TYPE_PREFIX} ({given['type']!r})")
    if given["eventclass"] not in _CLASSES:
        findings.append(f"ce-eventclass: one of {', '.join(_CLASSES)} ({given['eventclass']!r})")
    time = _moment("time", given["time"], findings)
    recorded = given.get("recordedtime", "")
    recordedtime = _moment("recordedtime", recorded, findings) if recorded else None
    if findings or time is None:
        raise _no_event(findings)
    return Event(
        id=given["id"],
        type=given["type"][len(TYPE_PREFIX) :],
        source=given["source"],
        subject=given["subject"],
        time=time,
        plant=given["plant"],
        eventclass=_CLASSES[given["eventclass"]],
        data=data,
        recordedtime=recordedtime,
        **{name: given[name] for name in _OPTIONAL if name in given},
    )


_CLASSES = {each.value: each for each in EventClass}


@lru_cache(maxsize=4096)
def _subject(eventclass: str, plant: str, event_type: str) -> str:
    return ".".join(["ls", eventclass, *(encode_token(part) for part in (plant, *event_type.split(".")))])


def _as_it_is(value: str) -> str:
    return value


def _header(value: str) -> str:
    """Printable ASCII stays; `%`, `"`, blanks, controls and the rest of Unicode are percent-encoded."""
    return value if _PLAIN_VALUE.fullmatch(value) else quote(value, safe=_SAFE_IN_HEADER)


_recurring = lru_cache(maxsize=4096)(_header)


def _time_header(attribute: str, moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ContractViolation(
            f"{attribute} {moment.isoformat()} has no time zone", findings=[f"{attribute}: aware, in UTC"]
        )
    return rfc3339(moment)


def _moment(attribute: str, text: str, findings: list[str]) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        findings.append(f"ce-{attribute}: RFC 3339 with a zone ({text!r})")
        return None
    return parsed


def _no_event(findings: list[str]) -> ContractViolation:
    return ContractViolation("this message is no CloudEvent of ours", findings=findings)
