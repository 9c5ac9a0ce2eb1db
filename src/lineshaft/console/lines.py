"""Ledger rows as the lines of the page: what is shown, in the order it is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from lineshaft.console.moments import Moment, PlantTime, duration_text, seconds_between
from lineshaft.console.tones import Tone, tone_of

__all__ = [
    "CallLine",
    "EventLine",
    "ExceptionLine",
    "Lines",
    "ProcessLine",
]

_MOST_PAYLOAD = 4096
_FRACTION = re.compile(r"(\d\d:\d\d:\d\d)\.\d+Z")
Row = dict[str, Any]


class ProcessLine(msgspec.Struct, frozen=True, kw_only=True):
    """short_key: the key with its times cut to seconds; the full one is needed only for asking.
    waiting: what has to happen next, or why it ended; running_since is set while there is no end."""

    process_id: str
    type: str
    business_key: str
    short_key: str
    state: str
    tone: Tone
    since: Moment | None
    duration: str
    running_since: str
    waiting: str
    wake: Moment | None


class CallLine(msgspec.Struct, frozen=True, kw_only=True):
    call_id: str
    operation: str
    system: str
    state: str
    tone: Tone
    document: str
    attempts: int
    latency: str
    error: str
    at: Moment | None


class EventLine(msgspec.Struct, frozen=True, kw_only=True):
    event_id: str
    type: str
    subject: str
    eventclass: str
    at: Moment | None


class ExceptionLine(msgspec.Struct, frozen=True, kw_only=True):
    """trace: key under which its story is found; empty when it has none (a reading nobody knows)."""

    exception_id: str
    kind: str
    source: str
    cause: str
    trace: str
    count: int
    payload: str
    first: Moment | None
    last: Moment | None


class Lines:
    def __init__(self, plant_time: PlantTime) -> None:
        self._time = plant_time

    def process(self, row: Row, now: datetime) -> ProcessLine:
        ended = bool(row.get("finished_at"))
        wake_at = row.get("wake_at")
        wake = datetime.fromtimestamp(wake_at, now.tzinfo) if wake_at and not ended else None
        since = self._time.moment(row.get("started_at"), now)
        return ProcessLine(
            process_id=_text(row, "process_id"),
            type=_text(row, "type"),
            business_key=_text(row, "business_key"),
            short_key=_FRACTION.sub(r"\1Z", _text(row, "business_key")),
            state=_text(row, "state"),
            tone=tone_of(_text(row, "state"), "process"),
            since=since,
            duration=duration_text(seconds_between(row.get("started_at"), row.get("finished_at"))),
            running_since=since.machine if since and not ended else "",
            waiting=_text(row, "cause") if ended else _text(row, "waiting_for") or _text(row, "cause"),
            wake=self._time.moment(wake, now),
        )

    def call(self, row: Row, now: datetime) -> CallLine:
        return CallLine(
            call_id=_text(row, "call_id"),
            operation=_text(row, "operation"),
            system=_text(row, "system"),
            state=_text(row, "state"),
            tone=tone_of(_text(row, "state"), "call"),
            document=_text(row, "document"),
            attempts=int(row.get("attempts") or 0),
            latency=duration_text(seconds_between(row.get("created_at"), row.get("finished_at"))),
            error=_text(row, "error"),
            at=self._time.moment(row.get("created_at"), now),
        )

    def event(self, row: Row, now: datetime) -> EventLine:
        return EventLine(
            event_id=_text(row, "event_id"),
            type=_text(row, "type"),
            subject=_text(row, "subject"),
            eventclass=_text(row, "eventclass"),
            at=self._time.moment(row.get("time"), now),
        )

    def exceptions(self, rows: Iterable[Row], now: datetime) -> dict[str, list[ExceptionLine]]:
        """By owner: the desk with the most to do first."""
        desks: dict[str, list[ExceptionLine]] = {}
        for row in rows:
            desks.setdefault(_text(row, "owner") or "without owner", []).append(self._exception(row, now))
        return dict(sorted(desks.items(), key=lambda desk: (-len(desk[1]), desk[0])))

    def _exception(self, row: Row, now: datetime) -> ExceptionLine:
        return ExceptionLine(
            exception_id=_text(row, "exception_id"),
            kind=_text(row, "kind").replace("_", " "),
            source=_text(row, "source"),
            cause=_text(row, "cause"),
            trace=_text(row, "ref") or _text(row, "correlation_id"),
            count=int(row.get("count") or 1),
            payload=_payload(row.get("payload") or b""),
            first=self._time.moment(row.get("first_at"), now),
            last=self._time.moment(row.get("last_at"), now),
        )


def _text(row: Row, name: str) -> str:
    return str(row.get(name) or "")


def _payload(raw: bytes) -> str:
    """JSON set out in lines, other text as it is, bytes that are no text as hex; cut at 4 KiB."""
    cut = raw[:_MOST_PAYLOAD]
    try:
        text = json.dumps(json.loads(raw), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = cut.hex(" ") if b"\x00" in cut else cut.decode("utf-8", "replace")
    return text if len(text) <= _MOST_PAYLOAD else f"{text[:_MOST_PAYLOAD]}…"
