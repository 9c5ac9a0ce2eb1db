"""What has not ended yet, what of it is late, and what waits for a person: by plant, from partial indexes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, literal, or_, select

from lineshaft.core.standing import Desk, Late, LateRow, Work
from lineshaft.insight.rollups_count import text_of
from lineshaft.insight.service_levels import CALL, EVENT, PROCESS, ServiceLevels, domain_of_owner
from lineshaft.store.schema import OPEN, UNSETTLED, activity, calls, events, exceptions, processes

__all__ = ["STUCK", "desks", "late_calls", "late_events", "open_calls", "open_processes", "overdue_events"]

STUCK = ("running", "retrying", "parked")
"""States of a process in which it waits neither for an event nor for a person nor for a time to come."""

_FORGOTTEN_S = 30 * 86_400
_MOST_ROWS = 100
Plants = Collection[str] | None
Found = tuple[list[Work], list[Late]]


def open_processes(connection: Connection, levels: ServiceLevels, plants: Plants, now: float) -> Found:
    table = processes.c
    by = (table.plant, table.type, table.state)
    cutoff = _cutoff(table.type, levels.processes, levels.process_s(""), now)
    late = and_(table.state.in_(STUCK), table.updated_at < cutoff)
    question = (
        select(*by, func.count(), func.min(table.updated_at), _how_many(late))
        .where(OPEN, *_in(table.plant, plants))
        .group_by(*by)
    )
    return _found(PROCESS, connection.execute(question), levels.process_s, levels)


def open_calls(connection: Connection, levels: ServiceLevels, plants: Plants, now: float) -> Found:
    """Being sent, or to be tried or looked up again: while its process goes on or a person has to see to
    it. Not those of over thirty days ago.
    """
    table = calls.c
    by = (table.plant, table.operation, table.state)
    cutoff = _cutoff(table.operation, levels.calls, levels.call_s(""), now)
    question = (
        select(*by, func.count(), func.min(table.created_at), _how_many(table.created_at < cutoff))
        .where(*_unsettled(now), *_in(table.plant, plants))
        .group_by(*by)
    )
    return _found(CALL, connection.execute(question), levels.call_s, levels)


def overdue_events(connection: Connection, levels: ServiceLevels, plants: Plants, since: int) -> list[Late]:
    """Recorded since then, too long after the fact; from the rollups."""
    table = activity.c
    question = (
        select(table.plant, table.subject, func.sum(table.late))
        .where(
            table.span == 60,
            table.at >= since,
            table.late > literal(0, literal_execute=True),
            table.kind == EVENT,
            table.subject != "",
            table.plant != "",
            *_in(table.plant, plants),
        )
        .group_by(table.plant, table.subject)
    )
    return [
        Late(
            kind=EVENT,
            subject=subject,
            plant=plant,
            domain=levels.domain(EVENT, subject),
            count=int(count),
            oldest="",
            level_s=levels.events.get(subject, 0.0),
        )
        for plant, subject, count in connection.execute(question)
    ]


def desks(connection: Connection, plants: Plants) -> list[Desk]:
    table = exceptions.c
    question = (
        select(table.plant, table.owner, func.count(), func.min(table.first_at))
        .where(table.state == literal("open", literal_execute=True), *_in(table.plant, plants))
        .group_by(table.plant, table.owner)
    )
    return [
        Desk(owner=owner, plant=plant, domain=domain_of_owner(owner), count=count, oldest=oldest)
        for plant, owner, count, oldest in connection.execute(question)
    ]


def late_calls(
    connection: Connection, levels: ServiceLevels, plants: Plants, now: float, operation: str
) -> list[LateRow]:
    """Those of one operation, the oldest first; at most a hundred."""
    table = calls.c
    question = (
        select(table.call_id, table.system, table.state, table.created_at, table.error)
        .where(
            *_unsettled(now),
            table.operation == operation,
            table.created_at < text_of(now - levels.call_s(operation)),
            *_in(table.plant, plants),
        )
        .order_by(table.created_at)
        .limit(_MOST_ROWS)
    )
    return [
        LateRow(key=key, name=name, state=state, begins=begins, ends="", cause=cause)
        for key, name, state, begins, cause in connection.execute(question)
    ]


def late_events(
    connection: Connection, levels: ServiceLevels, plants: Plants, since: int, kind: str
) -> list[LateRow]:
    """Those of one type, the newest first, at most a hundred; of minutes that had late ones."""
    table, found = activity.c, []
    minutes = (
        select(table.at)
        .where(
            table.span == 60,
            table.at >= since,
            table.late > literal(0, literal_execute=True),
            table.kind == EVENT,
            table.subject == kind,
            table.plant != "",
            *_in(table.plant, plants),
        )
        .order_by(table.at.desc())
        .distinct()
    )
    event = events.c
    for at in connection.execute(minutes).scalars().all():
        question = (
            select(event.event_id, event.subject, event.time, event.recorded_at)
            .where(
                event.recorded_at >= text_of(at),
                event.recorded_at < text_of(at + 60),
                event.type == kind,
                *_in(event.plant, plants),
            )
            .order_by(event.recorded_at.desc())
        )
        found += [
            LateRow(
                key=row.event_id,
                name=row.subject,
                state="recorded",
                begins=row.time,
                ends=row.recorded_at,
                cause="",
            )
            for row in connection.execute(question)
            if _between(row.time, row.recorded_at) > levels.events.get(kind, 0.0)
        ]
        if len(found) >= _MOST_ROWS:
            break
    return found[:_MOST_ROWS]


def _unsettled(now: float) -> list[Any]:
    call, process, wrong = calls.c, processes.c, exceptions.c
    goes_on = exists().where(
        process.correlation_id == call.correlation_id,
        process.finished_at == literal("", literal_execute=True),
    )
    is_seen_to = exists().where(
        wrong.correlation_id == call.correlation_id, wrong.correlation_id != "", wrong.state == "open"
    )
    return [
        UNSETTLED,
        call.created_at >= text_of(now - _FORGOTTEN_S),
        or_(call.state == "sending", goes_on, is_seen_to),
    ]


def _in(column: ColumnElement[str], plants: Plants) -> list[ColumnElement[bool]]:
    return [] if plants is None else [column.in_(plants)]


def _how_many(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _cutoff(
    subject: ColumnElement[str], levels: Mapping[str, float], usual_s: float, now: float
) -> ColumnElement[str]:
    """What is older than this is late."""
    by_level: dict[float, list[str]] = defaultdict(list)
    for name, level in levels.items():
        by_level[level].append(name)
    usual = literal(text_of(now - usual_s) if math.isfinite(usual_s) else "")
    whens = [(subject.in_(names), literal(text_of(now - level))) for level, names in by_level.items()]
    return case(*whens, else_=usual) if whens else usual


def _found(kind: str, rows: Iterable[Any], level_s: Callable[[str], float], levels: ServiceLevels) -> Found:
    work, late = [], []
    overdue: dict[tuple[str, str], tuple[int, str]] = {}
    for plant, subject, state, count, oldest, over in rows:
        domain = levels.domain(kind, subject)
        work.append(
            Work(
                kind=kind,
                subject=subject,
                plant=plant,
                domain=domain,
                state=state,
                count=count,
                oldest=oldest,
            )
        )
        if over:
            before, since = overdue.get((plant, subject), (0, oldest))
            overdue[plant, subject] = (before + int(over), min(since, oldest))
    for (plant, subject), (count, oldest) in overdue.items():
        late.append(
            Late(
                kind=kind,
                subject=subject,
                plant=plant,
                domain=levels.domain(kind, subject),
                count=count,
                oldest=oldest,
                level_s=level_s(subject),
            )
        )
    return work, late


def _between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
