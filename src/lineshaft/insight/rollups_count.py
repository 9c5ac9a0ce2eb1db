"""What happened in some minutes, counted by the database from the rows themselves, and summed up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    ColumnElement,
    Connection,
    Float,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    select,
    text,
)

from lineshaft.core.clock import rfc3339
from lineshaft.insight.service_levels import CALL, EVENT, PROCESS, ServiceLevels
from lineshaft.store.schema import (
    ENDED,
    LATENCY_BOUNDS_S,
    LATENCY_COLUMNS,
    OPEN,
    calls,
    events,
    processes,
)

__all__ = ["PARKED", "RECORDED", "counted", "first_time", "text_of"]

RECORDED, PARKED = "recorded", "parked"
_MINUTE_LENGTH = len("2026-03-09T14:02")
Row = dict[str, Any]


def counted(connection: Connection, levels: ServiceLevels, begins: int, ends: int, span: int) -> list[Row]:
    """Rows of `activity` for [begins, ends), epoch seconds, with all their sums; span: 60 or 3600.

    What failed and is being tried again counts by what came of it last.
    """
    during = (text_of(begins), text_of(ends))
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * (2 + len(LATENCY_COLUMNS)))
    for kind, question in (
        (EVENT, _events(connection, levels, during)),
        (CALL, _calls(connection, levels, during)),
        (PROCESS, _processes(connection, levels, during)),
        (PROCESS, _parked(during)),
    ):
        for minute, plant, subject, outcome, bucket, count, late in connection.execute(question):
            domain = levels.domain(kind, subject)
            seconds = _seconds_of(minute)
            at = seconds - seconds % span
            places = {(plant, domain, subject), (plant, domain, ""), (plant, "", "")}
            for place in places | {("", domain, subject), ("", "", "")}:
                numbers = sums[(*place, at, kind, outcome)]
                numbers[0] += count
                numbers[1] += late
                if bucket is not None:
                    numbers[2 + bucket] += count
    return list(_rows(sums, span))


def first_time(connection: Connection, before: int) -> int | None:
    """The newest time before `before` at which anything happened, epoch seconds; None: nothing did."""
    end = text_of(before)
    found = [
        connection.execute(select(func.max(column)).where(column < end, *condition)).scalar()
        for column, condition in (
            (events.c.recorded_at, ()),
            (calls.c.finished_at, (ENDED,)),
            (processes.c.finished_at, (ENDED,)),
        )
    ]
    newest = max((each for each in found if each), default=None)
    return _seconds_of(newest[:_MINUTE_LENGTH]) if newest else None


def text_of(seconds: float) -> str:
    return rfc3339(datetime.fromtimestamp(seconds, UTC))


def _events(connection: Connection, levels: ServiceLevels, during: tuple[str, str]) -> Select[Any]:
    took = _seconds(connection, events.c.time, events.c.recorded_at)
    columns = (events.c.recorded_at, events.c.plant, events.c.type, literal(RECORDED))
    return _grouped(columns, took, levels.events, None, during, [])


def _calls(connection: Connection, levels: ServiceLevels, during: tuple[str, str]) -> Select[Any]:
    took = _seconds(connection, calls.c.created_at, calls.c.finished_at)
    columns = (calls.c.finished_at, calls.c.plant, calls.c.operation, calls.c.state)
    conditions = [ENDED, calls.c.state != "sending"]  # one that is tried again has its earlier end
    return _grouped(columns, took, levels.calls, levels.call_s(""), during, conditions)


def _processes(connection: Connection, levels: ServiceLevels, during: tuple[str, str]) -> Select[Any]:
    took = _seconds(connection, processes.c.started_at, processes.c.finished_at)
    columns = (processes.c.finished_at, processes.c.plant, processes.c.type, processes.c.state)
    return _grouped(columns, took, levels.ends, None, during, [ENDED])


def _parked(during: tuple[str, str]) -> Select[Any]:
    """Those that parked then and still are; they have not ended, so they have no latency."""
    table = processes.c
    minute = func.substr(table.updated_at, 1, _MINUTE_LENGTH)
    return (
        select(minute, table.plant, table.type, literal(PARKED), null(), func.count(), literal(0))
        .where(OPEN, table.state == PARKED, table.updated_at >= during[0], table.updated_at < during[1])
        .group_by(minute, table.plant, table.type)
    )


def _grouped(
    columns: tuple[Any, ...],
    took: ColumnElement[float],
    levels: Mapping[str, float],
    usual_s: float | None,
    during: tuple[str, str],
    conditions: list[Any],
) -> Select[Any]:
    """By minute, plant, subject, outcome and number of the latency column: how many, and how many late."""
    at, plant, subject, outcome = columns
    rows = (
        select(
            func.substr(at, 1, _MINUTE_LENGTH).label("minute"),
            plant.label("plant"),
            subject.label("subject"),
            outcome.label("outcome"),
            took.label("took"),
            _by_level(subject, levels, usual_s).label("level"),
        )
        .where(at >= during[0], at < during[1], *conditions)
        .cte("happened")
        .prefix_with("MATERIALIZED")  # or the latency is computed anew for each bound
    )
    bounds = [(rows.c.took <= bound, number) for number, bound in enumerate(LATENCY_BOUNDS_S)]
    bucket = case((rows.c.took.is_(None), None), *bounds, else_=len(LATENCY_BOUNDS_S)).label("bucket")
    late = func.sum(case((and_(rows.c.level.is_not(None), rows.c.took > rows.c.level), 1), else_=0))
    by = (rows.c.minute, rows.c.plant, rows.c.subject, rows.c.outcome, text("bucket"))
    return select(*by[:4], bucket, func.count(), late).group_by(*by)


def _by_level(
    subject: ColumnElement[str], levels: Mapping[str, float], usual_s: float | None
) -> ColumnElement[Any]:
    by_level: dict[float, list[str]] = defaultdict(list)
    for name, level in levels.items():
        by_level[level].append(name)
    whens = [(subject.in_(names), literal(level)) for level, names in by_level.items()]
    usual = literal(usual_s) if usual_s is not None else null()
    return case(*whens, else_=usual) if whens else cast(usual, Float)


def _seconds(
    connection: Connection, start: ColumnElement[str], end: ColumnElement[str]
) -> ColumnElement[Any]:
    """To the millisecond; NULL where a time is missing."""
    if connection.dialect.name == "postgresql":
        moments = [cast(func.nullif(each, ""), TIMESTAMP(timezone=True)) for each in (end, start)]
        return func.round(func.extract("epoch", moments[0] - moments[1]), 3)
    return func.round((func.julianday(end) - func.julianday(start)) * 86_400.0, 3)


def _seconds_of(minute: str) -> int:
    return int(datetime.fromisoformat(f"{minute}:00+00:00").timestamp())


def _rows(sums: Mapping[tuple[Any, ...], Iterable[int]], span: int) -> Iterator[Row]:
    names = ("plant", "domain", "subject", "at", "kind", "outcome", "count", "late", *LATENCY_COLUMNS)
    for key, numbers in sums.items():
        yield {"span": span} | dict(zip(names, (*key, *numbers), strict=True))
