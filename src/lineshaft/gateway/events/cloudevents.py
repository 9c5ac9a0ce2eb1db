"""CloudEvents 1.0 over HTTP: structured, batch and binary mode, each to the same values.

source  CloudEvents 1.0.2, HTTP protocol binding §3, JSON event format §2 to §4
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

import msgspec

from lineshaft.core.errors import ContractViolation
from lineshaft.core.values import Moment

__all__ = ["BATCH", "BINARY", "MEDIA", "STRUCTURED", "NoCloudEvent", "ToldEvent", "read_events"]

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
BINARY = "application/json"
MEDIA = (STRUCTURED, BATCH, BINARY)

MOST_EVENTS = 1000
_LONGEST = 200  # of an id and of a key, as the ledger keeps them
_TEXTS = (
    "specversion",
    "id",
    "type",
    "source",
    "subject",
    "datacontenttype",
    "dataschema",
    "plant",
    "partitionkey",
    "sequence",
    "correlationid",
    "causationid",
    "traceparent",
    "idempotencykey",
)
_REQUIRED = ("specversion", "id", "type", "source")
_JSON = re.compile(r"(application|text)/([a-z0-9.+-]+\+)?json(;.*)?", re.IGNORECASE)
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?(?!utf-8\"?\s*(;|$))", re.IGNORECASE)
_ESCAPED = re.compile(r"\\(.)")
_SOURCE = re.compile(r"[!-~]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_EARLIEST = 1970
_AHEAD = timedelta(minutes=5)


class NoCloudEvent(ContractViolation):
    """What was sent is no CloudEvent."""

    default_code = "no_cloudevent"


class ToldEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as its sender told it; extensions that we do not know are left out.

    data         JSON, or empty where there is none
    data_base64  the same as base64, in structured mode
    """

    specversion: str
    id: str
    type: str
    source: str
    subject: str | None = None
    time: Moment | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    plant: str | None = None
    partitionkey: str | None = None
    sequence: str | int | None = None
    correlationid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None
    idempotencykey: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")
    data_base64: str | None = None

    def payload(self) -> bytes:
        """raises  ValueError for what is no base64"""
        if self.data_base64 is not None:
            return base64.b64decode(self.data_base64, validate=True)
        return bytes(self.data)

    def findings(self, now: datetime) -> list[str]:
        """What CloudEvents and we ask of attributes, beyond their types."""
        found = []
        if self.specversion != "1.0":
            found.append(f"specversion: 1.0 ({self.specversion!r})")
        texts = [value for value in msgspec.structs.astuple(self) if type(value) is str]
        is_plain = self.id and self.type and self.source and max(map(len, texts)) <= _LONGEST
        if not (is_plain and "".join(texts).isprintable()):
            found += self._of_texts()
        if self.source and not _SOURCE.fullmatch(self.source):
            found.append(f"source: a URI reference ({self.source!r})")
        if self.time is not None and self.time.year < _EARLIEST:
            found.append(f"time: not before {_EARLIEST} ({self.time.isoformat()})")
        if self.time is not None and self.time > now + _AHEAD:
            found.append(f"time: at most 5 minutes ahead of our clock ({self.time.isoformat()})")
        if self.datacontenttype and not _JSON.fullmatch(self.datacontenttype):
            found.append(f"datacontenttype: JSON ({self.datacontenttype!r})")
        if self.data_base64 is not None and self.data:
            found.append("data_base64: not beside data")
        return found

    def _of_texts(self) -> list[str]:
        found = []
        for name in ("id", "type", "source"):
            value = getattr(self, name)
            if not value or len(value) > _LONGEST:
                found.append(f"{name}: 1 to {_LONGEST} characters ({value[:_LONGEST]!r})")
        for name in ("correlationid", "causationid", "partitionkey", "idempotencykey", "sequence"):
            value = getattr(self, name)
            if value is not None and len(str(value)) > _LONGEST:
                found.append(f"{name}: at most {_LONGEST} characters")
        return found + [
            f"{name}: without control characters"
            for name in _TEXTS
            if isinstance(value := getattr(self, name), str) and _CONTROL.search(value)
        ]


_ONE = msgspec.json.Decoder(ToldEvent)
_MANY = msgspec.json.Decoder(list[ToldEvent])


def read_events(headers: Mapping[str, str], body: bytes) -> list[ToldEvent]:
    """headers: names in lower case; their Content-Type tells the mode.

    raises  NoCloudEvent with every finding; those of a batch begin with `events/<number>`
    """
    content_type = headers.get("content-type", "")
    media, _, parameters = content_type.partition(";")
    media = media.strip().lower()
    if parameters and _CHARSET.search(content_type):
        raise _none([f"Content-Type: charset=utf-8 ({content_type!r})"])
    if media == BATCH:
        return _batch(body)
    return [_structured(body) if media == STRUCTURED else _binary(headers, body, content_type)]


def _structured(body: bytes) -> ToldEvent:
    try:
        return _ONE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _none(_explained(body, str(error))) from error


def _batch(body: bytes) -> list[ToldEvent]:
    try:
        told = _MANY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _none(_explained(body, str(error), of_batch=True)) from error
    if len(told) > MOST_EVENTS:
        raise _none([f"(root): at most {MOST_EVENTS} events ({len(told)})"])
    return told


def _binary(headers: Mapping[str, str], body: bytes, content_type: str) -> ToldEvent:
    attributes: dict[str, Any] = {}
    findings = []
    for name, value in headers.items():
        if name.startswith("ce-"):
            try:
                attributes[name[3:]] = _header(value)
            except UnicodeDecodeError:
                findings.append(f"{name}: percent-encoded UTF-8 ({value!r})")
    if not attributes and not findings:
        raise _none(
            ["specversion: required (missing)"],
            f"send the attributes as ce- headers, or the whole event as {STRUCTURED}",
        )
    attributes["datacontenttype"] = content_type or BINARY
    document = {name: value for name, value in attributes.items() if name not in ("data", "data_base64")}
    findings = [f"ce-{each}" for each in _attribute_findings(document)] + findings
    if findings:
        raise _none(findings)
    return msgspec.structs.replace(msgspec.convert(document, ToldEvent), data=msgspec.Raw(body))


def _header(value: str) -> str:
    """A quoted string loses its quotes, then percent-encoding is decoded; HTTP binding §3.1.3.2."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = _ESCAPED.sub(r"\1", value[1:-1])
    return unquote(value, errors="strict") if "%" in value else value


def _explained(body: bytes, said: str, *, of_batch: bool = False) -> list[str]:
    """Every finding, where the decoder tells only the first."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return [f"(root): {error}"]
    if not of_batch:
        return _attribute_findings(document) or [f"(root): {said}"]
    if not isinstance(document, list):
        return [f"(root): a list of events ({type(document).__name__})"]
    found = [
        f"events/{number}/{finding}"
        for number, each in enumerate(document)
        for finding in _attribute_findings(each)
    ]
    return found or [f"(root): {said}"]


def _attribute_findings(document: Any) -> list[str]:
    if not isinstance(document, dict):
        return [f"(root): an event as an object ({type(document).__name__})"]
    findings = [f"{name}: required (missing)" for name in _REQUIRED if document.get(name) is None]
    for name in (*_TEXTS, "data_base64"):
        value = document.get(name)
        if (
            value is not None
            and not isinstance(value, str)
            and not (name == "sequence" and type(value) is int)
        ):
            findings.append(f"{name}: a text ({value!r:.100})")
    time = document.get("time")
    if time is not None:
        try:
            msgspec.convert(time, Moment)
        except msgspec.ValidationError:
            findings.append(f"time: RFC 3339 with an offset ({time!r:.100})")
    return findings


def _none(findings: list[str], hint: str = "") -> NoCloudEvent:
    return NoCloudEvent("this is no CloudEvent 1.0", findings=findings, hint=hint)
