"""What `activity` tells: courses over time, sums, percentiles."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import add

from sqlalchemy import ColumnElement, Connection, case, func, select, text

from lineshaft.core.standing import Flow
from lineshaft.insight.rollups import HOUR, MINUTE
from lineshaft.store.schema import LATENCY_BOUNDS_S, LATENCY_COLUMNS, activity

__all__ = ["FAILED", "LATENCIES", "flows", "known_plants", "of_plants", "percentile"]

FAILED = ("failed", "rejected", "unknown", "parked", "aborted", "terminated")
"""Outcomes of calls and processes that a person has, or had, to see to. Cancelled is what a person wanted."""

LATENCIES = [func.sum(activity.c[name]).label(name) for name in LATENCY_COLUMNS]


def flows(
    connection: Connection, plants: Collection[str] | None, begins: int, ends: int, step_s: int
) -> tuple[list[Flow], list[Flow]]:
    """Events, calls and processes of stretches of step_s, those in which there were any, in order of time;
    and of all the time as one.

    plants  whose; None: all of them
    step_s  whole minutes, or whole hours where it begins over two days ago
    """
    table = activity.c
    question = (
        select(
            (table.at - table.at % step_s).label("stretch"),
            table.kind,
            func.sum(table.count),
            func.sum(case((table.outcome.in_(FAILED), table.count), else_=0)),
            func.sum(table.late),
            *LATENCIES,
        )
        .where(
            table.span.in_([MINUTE, HOUR]),
            of_plants(plants),
            table.domain == "",
            table.subject == "",
            table.at >= begins,
            table.at < ends,
        )
        .group_by(text("stretch"), table.kind)
        .order_by(text("stretch"), table.kind)
    )
    courses: list[Flow] = []
    sums: dict[str, list[int]] = {}
    for at, kind, *found in connection.execute(question):
        numbers = [int(number) for number in found]
        courses.append(_flow(int(at), kind, numbers))
        before = sums.get(kind)
        sums[kind] = numbers if before is None else list(map(add, before, numbers))
    return courses, [_flow(begins, kind, numbers) for kind, numbers in sums.items()]


def of_plants(plants: Collection[str] | None) -> ColumnElement[bool]:
    """None: the sums of all plants."""
    return activity.c.plant == "" if plants is None else activity.c.plant.in_([p for p in plants if p])


def known_plants(connection: Connection) -> list[str]:
    """Those that the rollups know: one look into the index for each."""
    found: list[str] = []
    for span in (MINUTE, HOUR):
        begins = select(func.min(activity.c.plant)).where(activity.c.span == span, activity.c.plant > "")
        each = select(begins.scalar_subquery().label("plant")).cte("each_plant", recursive=True)
        following = (
            select(func.min(activity.c.plant))
            .where(activity.c.span == span, activity.c.plant > each.c.plant)
            .scalar_subquery()
        )
        each = each.union_all(select(following).where(each.c.plant.is_not(None)))
        found += [name for name in connection.execute(select(each.c.plant)).scalars() if name]
    return found


def percentile(counts: Sequence[int], share: float) -> float | None:
    """Seconds, of how many are in each latency column; between two bounds by proportion. None: of nothing.

    What is over the last bound counts as that bound.
    """
    total = sum(counts)
    if not total:
        return None
    wanted, passed = share * total, 0
    for number, count in enumerate(counts[:-1]):
        if count and passed + count >= wanted:
            low = LATENCY_BOUNDS_S[number - 1] if number else 0.0
            return low + (LATENCY_BOUNDS_S[number] - low) * max(0.0, wanted - passed) / count
        passed += count
    return LATENCY_BOUNDS_S[-1]


def _flow(at: int, kind: str, numbers: Sequence[int]) -> Flow:
    count, failed, late, *took = numbers
    p50_s, p95_s = percentile(took, 0.5), percentile(took, 0.95)
    return Flow(at=at, kind=kind, count=count, failed=failed, late=late, p50_s=p50_s, p95_s=p95_s)
