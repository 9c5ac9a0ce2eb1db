"""What the rollups hold of some operations, processes or event types over a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import BigInteger, BindParameter, bindparam, func, select

from lineshaft.insight.kpis.question import Question
from lineshaft.insight.rollups import HOUR, MINUTE
from lineshaft.insight.rollups_reads import LATENCIES, of_plants
from lineshaft.store.schema import activity

__all__ = ["Sum", "added", "sums"]


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """at: epoch seconds, begin of its hour; took: how many by latency, see LATENCY_BOUNDS_S"""

    subject: str
    outcome: str
    at: int
    count: int
    late: int
    took: tuple[int, ...]


def sums(
    question: Question,
    kind: str,
    subjects: Iterable[str],
    since: datetime | None = None,
) -> list[Sum]:
    """By hour, over the plants of the question; since: until its end. The first and the last hour are whole
    only where they lie within it: minutes are there for two days."""
    names = sorted(subjects)
    domains = sorted({question.levels.domain(kind, name) for name in names})
    start = int((since or question.start).timestamp())
    hour = (activity.c.at - activity.c.at % HOUR).label("hour")
    asked = (
        select(
            activity.c.subject,
            activity.c.outcome,
            hour,
            func.sum(activity.c["count"]),
            func.sum(activity.c.late),
            *LATENCIES,
        )
        .where(activity.c.span.in_((MINUTE, HOUR)), of_plants(question.plants))
        .where(activity.c.domain.in_(domains), activity.c.subject.in_(names))
        .where(activity.c.at >= _told(start), activity.c.at < _told(int(question.end.timestamp())))
        .where(activity.c.kind == kind)
        .group_by(activity.c.subject, activity.c.outcome, hour)
    )
    if not names:
        return []
    return [
        Sum(
            subject=row[0],
            outcome=row[1],
            at=row[2],
            count=int(row[3]),
            late=int(row[4]),
            took=tuple(map(int, row[5:])),
        )
        for row in question.connection.execute(asked)
    ]


def _told(at: int) -> BindParameter[int]:
    """Written into the statement: once it has been asked a few times with times as parameters, PostgreSQL
    plans for any time, which is to go through all that happened in it."""
    return bindparam(None, at, BigInteger, literal_execute=True)


def added(some: Sequence[Sum]) -> tuple[int, int, list[int]]:
    """(how many, how many of them late, how many by latency)"""
    took = [sum(column) for column in zip(*(each.took for each in some), strict=True)]
    return sum(each.count for each in some), sum(each.late for each in some), took
