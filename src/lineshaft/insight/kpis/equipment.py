"""What each piece of equipment did, and when it was to work: from its states, its stops and its calendar."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import select

from lineshaft.contracts.events.equipment import (
    DOWNTIME_CLASSIFIED,
    DOWNTIME_ENDED,
    STATE_CHANGED,
)
from lineshaft.core.clock import rfc3339
from lineshaft.insight.kpis.facts import Segment, StateChange, Stop
from lineshaft.insight.kpis.oee import Course
from lineshaft.insight.kpis.question import Question
from lineshaft.insight.kpis.spans import Span, epoch, merged, without
from lineshaft.ledger.projections.folding import Row, Stamp, latest
from lineshaft.model.calendar import EntryType, EquipmentPeriod
from lineshaft.model.downtime import StopClass
from lineshaft.model.equipment_state import STOP_STATES, PackMLState, UnitMode
from lineshaft.store.schema import asset_events, asset_status

__all__ = ["OpenStop", "Unit", "courses", "open_stops"]

Unit = tuple[str, str]
"""(plant, equipment id)."""


class OpenStop(msgspec.Struct, frozen=True, kw_only=True):
    """upstream: what had stopped before it; reason: as the equipment tells it"""

    plant: str
    equipment_id: str
    start: datetime
    upstream: str = ""
    reason: str = ""
    job: str = ""


class _State(msgspec.Struct, frozen=True):
    start_time: datetime
    state: int | None = None
    mode: int | None = None


class _Registers(msgspec.Struct, frozen=True):
    state: dict[str, tuple[Stamp, _State]] = {}


class _Shown(msgspec.Struct, frozen=True):
    """Of a row of asset_status no more than its state: there is one for each asset of all plants."""

    registers: _Registers = _Registers()


_ROW, _SHOWN = msgspec.json.Decoder(Row), msgspec.json.Decoder(_Shown)
_BEFORE = msgspec.json.Decoder(_State)
_PLANNED = {StopClass.PLANNED, StopClass.NOT_SCHEDULED}
_Told = tuple[float, int, int | None]


def open_stops(question: Question) -> list[OpenStop]:
    """Downtime that has begun and is not over now, the longest first."""
    found = []
    for plant, equipment, row in question.once("asset status", _status):
        if b'"downtime:' not in row:
            continue
        for slot, item in _ROW.decode(row).items.items():
            if slot.startswith("downtime:"):
                stop = OpenStop(
                    plant=plant,
                    equipment_id=equipment,
                    start=datetime.fromisoformat(item["start_time"]).astimezone(UTC),
                    upstream=item.get("upstream") or "",
                    reason=item.get("reason_code") or "",
                    job=item.get("job_order_id") or "",
                )
                found.append(stop)
    return sorted(found, key=lambda stop: (stop.start, stop.plant, stop.equipment_id))


def courses(question: Question) -> dict[Unit, Course]:
    """Of all equipment that has told of a state or a stop."""
    states = _states(question)
    stops, segments = _stops(question), _segments(question)
    until = min(question.whole[1], question.now.timestamp())
    found = {}
    steady: dict[tuple[int, int | None], Course] = {}
    for unit in sorted(states.keys() | stops.keys() | segments.keys()):
        told = states.get(unit)
        if told and _is_steady(question, unit, told) and unit not in stops and unit not in segments:
            if told[0][1:] not in steady:
                steady[told[0][1:]] = _steady((question.whole[0], until), *told[0][1:])
            found[unit] = steady[told[0][1:]]
            continue
        own = segments.get(unit, [])
        classified = {(segment.rule, segment.stop_start_time) for segment in own}
        raw = [stop for stop in stops.get(unit, []) if (stop.rule, stop.start_time) not in classified]
        spans = _by_class(own)
        down = [*spans["down"], *(_span(stop, until) for stop in raw if not stop.upstream)]
        blocked = [*spans["blocked"], *(_span(stop, until) for stop in raw if stop.upstream)]
        kinds = _kinds(told, until) if told else None
        known = kinds["known"] if kinds else [(_known_from(question, unit), until)]
        found[unit] = Course(
            planned=without(_planned(question, unit, own, until), merged(spans["planned"])),
            known=known,
            executing=kinds["executing"] if kinds else None,
            stopped=[*spans["minor"], *(kinds["stopped"] if kinds else ())],
            down=down,
            blocked=blocked,
        )
    return found


def _is_steady(question: Question, unit: Unit, told: Sequence[_Told]) -> bool:
    """In one state all the time, and to work all the time."""
    return len(told) == 1 and told[0][0] <= question.whole[0] and not question.has_calendar(unit[0])


def _steady(whole: Span, state: int, mode: int | None) -> Course:
    kinds = _kinds([(whole[0], state, mode)], whole[1])
    return Course(planned=[whole], **kinds)


def _status(question: Question) -> Sequence[Any]:
    """(plant, asset, its row)"""
    columns = asset_status.c
    asked = select(columns.plant, columns.id, columns.doc).where(*question.here(columns.plant))
    return question.connection.execute(asked).all()


def _states(question: Question) -> dict[Unit, list[_Told]]:
    """(from when, state, mode) in order, from before the period where that is known."""
    found: dict[Unit, list[_Told]] = defaultdict(list)
    for plant, _, change in question.told(STATE_CHANGED.type, StateChange):
        told = found[plant, change.equipment_id]
        if not told and change.previous is not None and change.previous_start_time is not None:
            told.append((epoch(change.previous_start_time), change.previous, change.mode))
        told.append((epoch(change.start_time), change.state, change.mode))
    found = {unit: sorted(told) for unit, told in found.items()}
    for plant, equipment, row in question.once("asset status", _status):
        if b'"state"' not in row or (plant, equipment) in found:
            continue
        said = _SHOWN.decode(row).registers.state
        (shown,) = (value for _, value in said.values()) if len(said) == 1 else (_last(said),)
        if shown is None or shown.state is None:
            continue
        start = shown.start_time.timestamp()
        if start >= question.whole[1]:
            shown = _state_before(question, plant, equipment)
            start = shown.start_time.timestamp() if shown else start
        if shown and shown.state is not None:
            found[plant, equipment] = [(start, shown.state, shown.mode)]
    return found


def _last(said: Mapping[str, tuple[Stamp, _State]]) -> _State | None:
    last: _State | None = latest(Row(registers={"state": dict(said)}), "state")
    return last


def _state_before(question: Question, plant: str, equipment: str) -> _State | None:
    columns = asset_events.c
    asked = (
        select(columns.data)
        .where(columns.asset_id == equipment, columns.plant == plant, columns.type == STATE_CHANGED.type)
        .where(columns.at < rfc3339(question.end))
        .order_by(columns.at.desc())
        .limit(1)
    )
    data = question.connection.execute(asked).scalar()
    return _BEFORE.decode(data) if data else None


def _kinds(told: Sequence[_Told], until: float) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {"known": [], "executing": [], "stopped": []}
    for number, (start, state, mode) in enumerate(told):
        span = (start, told[number + 1][0] if number + 1 < len(told) else until)
        if state == PackMLState.UNDEFINED:
            continue
        found["known"].append(span)
        if mode not in (None, UnitMode.PRODUCTION):
            continue
        if state == PackMLState.EXECUTE:
            found["executing"].append(span)
        elif state in STOP_STATES:
            found["stopped"].append(span)
    return found


def _stops(question: Question) -> dict[Unit, list[Stop]]:
    """Those that are not over as well. One that lasted beyond the period ended after it."""
    found: dict[Unit, list[Stop]] = defaultdict(list)
    for plant, _, stop in question.told(DOWNTIME_ENDED.type, Stop, until=question.now):
        if stop.end_time is not None and stop.start_time < question.end:
            found[plant, stop.equipment_id].append(stop)
    for still in question.once("open stops", open_stops):
        if still.start < question.end:
            stop = Stop(still.equipment_id, "", still.start, None, still.upstream)
            found[still.plant, still.equipment_id].append(stop)
    return found


def _segments(question: Question) -> dict[Unit, list[Segment]]:
    """Of each segment the last revision. It is told when the stop is over, or days later."""
    newest: dict[tuple[Any, ...], Segment] = {}
    for plant, _, segment in question.told(DOWNTIME_CLASSIFIED.type, Segment, until=question.now):
        which = (plant, segment.equipment_id, segment.rule, segment.stop_start_time, segment.segment)
        if segment.start_time < question.end and (
            which not in newest or newest[which].revision <= segment.revision
        ):
            newest[which] = segment
    found: dict[Unit, list[Segment]] = defaultdict(list)
    for (plant, *_), segment in newest.items():
        found[plant, segment.equipment_id].append(segment)
    return found


def _by_class(segments: Iterable[Segment]) -> dict[str, list[Span]]:
    names = dict.fromkeys(_PLANNED, "planned") | {
        StopClass.MINOR_STOP: "minor",
        StopClass.BLOCKED_OR_STARVED: "blocked",
    }
    found: dict[str, list[Span]] = {"down": [], "planned": [], "minor": [], "blocked": []}
    for segment in segments:
        span = (epoch(segment.start_time), epoch(segment.end_time))
        found[names.get(segment.classification, "down")].append(span)
    return found


def _span(stop: Stop, until: float) -> Span:
    return epoch(stop.start_time), epoch(stop.end_time) if stop.end_time else until


def _known_from(question: Question, unit: Unit) -> float:
    """When it was first heard of, as far as its events are still kept."""
    columns = asset_events.c
    first = (
        select(columns.at)
        .where(columns.asset_id == unit[1], columns.plant == unit[0])
        .order_by(columns.at)
        .limit(1)
    )
    at = question.connection.execute(first).scalar()
    return epoch(at) if at else question.whole[0]


def _planned(question: Question, unit: Unit, segments: Sequence[Segment], until: float) -> list[Span]:
    """Shifts without breaks and planned downtime; where no calendar says, all of the time."""
    center = next((segment.work_center_id for segment in segments if segment.work_center_id), None)
    asked = EquipmentPeriod(
        equipment_id=unit[1], work_center_id=center, start_time=question.start, end_time=question.end
    )
    whole = [(question.whole[0], until)]
    entries = question.working(unit[0], asked)
    if entries is None:
        return whole
    spans: dict[EntryType, list[Span]] = defaultdict(list)
    for entry in entries:
        spans[entry.entry_type].append((epoch(entry.start_date_time), epoch(entry.finish_date_time)))
    away = [span for kind in (EntryType.BREAK, EntryType.PLANNED_DOWNTIME) for span in spans[kind]]
    return without(merged(spans[EntryType.SHIFT]), merged(away))
