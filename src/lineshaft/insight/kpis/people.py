"""What disturbances take of people's time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import select

from lineshaft.insight.kpis.declare import Found, Row, column, quantile, said_count, said_time, table
from lineshaft.insight.kpis.question import Question
from lineshaft.insight.kpis.spans import epoch
from lineshaft.store.schema import CLOSED, audit, calls, exceptions, processes
from lineshaft.store.statements import rows_at

__all__ = ["reconciliation_effort", "time_to_resolve"]

_DECISIONS = {
    "exception.assigned": "assigned",
    "exception.fixed": "corrected",
    "exception.redriven": "redriven",
    "exception.discarded": "discarded",
    "process.retried": "retried",
    "process.corrected": "corrected",
    "process.skipped": "skipped",
    "process.aborted": "aborted",
    "process.cancelled": "cancelled",
    "process.terminated": "terminated",
    "process.approved": "approved",
    "process.refused": "refused",
    "call.reopened": "tried again",
}


def time_to_resolve(question: Question) -> Found:
    columns = exceptions.c
    asked = select(columns.plant, columns.owner, columns.first_at, columns.closed_at).where(
        CLOSED, *question.within(columns.closed_at), *question.here(columns.plant)
    )
    by_owner: dict[tuple[str, str], list[float]] = defaultdict(list)
    buckets: list[list[float]] = [[] for _ in question.edges[1:]]
    for plant, owner, first, closed in question.connection.execute(asked):
        took = max(0.0, epoch(closed) - epoch(first))
        by_owner[owner, plant].append(took)
        number = question.bucket(closed)
        if number is not None:
            buckets[number].append(took)
    every = [took for times in by_owner.values() for took in times]
    if not every:
        return Found()
    rows: list[Row] = [
        [*who, float(len(times)), quantile(times, 0.5), quantile(times, 0.9), max(times)]
        for who, times in sorted(by_owner.items(), key=lambda entry: -len(entry[1]))
    ]
    shown = [
        column("owner", "Desk"),
        column("plant", "Plant"),
        column("closed", "Closed", "count"),
        column("median", "Half within", "s"),
        column("p90", "90 % within", "s"),
        column("longest", "Longest", "s"),
    ]
    says = (
        f"half of {said_count(len(every), 'exception')}; 90 % within {said_time(quantile(every, 0.9) or 0)}"
    )
    return Found(
        value=quantile(every, 0.5),
        says=says,
        series=[quantile(times, 0.5) for times in buckets],
        tables=[table("owners", "By desk", shown, rows)],
    )


def reconciliation_effort(question: Question) -> Found:
    """Decisions of people, and the time between the first and the last on the same thing."""
    decisions = _decisions(question)
    if not decisions:
        return Found(
            value=0.0, says="nobody had to decide anything", series=[0.0] * (len(question.edges) - 1)
        )
    times: dict[str, list[float]] = defaultdict(list)
    kinds: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    people: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    series = [0.0] * (len(question.edges) - 1)
    for action, subject, actor, at in decisions:
        before = times[subject]
        spent = max(0.0, at - before[-1]) if before else 0.0
        before.append(at)
        for row in (kinds[_DECISIONS[action], action.partition(".")[0]], people[actor]):
            row[0] += 1
            row[1] += spent
        number = question.bucket(at)
        if number is not None:
            series[number] += 1
    spent = sum(seen[-1] - seen[0] for seen in times.values())
    minutes = f", {said_time(spent)} from first to last decision" if spent else ""
    numbers = [column("decisions", "Decisions", "count"), column("spent", "Since the one before", "s")]
    return Found(
        value=float(len(decisions)),
        says=f"decisions on {said_count(len(times), 'thing')}{minutes}",
        series=series,
        tables=[
            table(
                "kinds",
                "By decision",
                [column("decision", "Decision"), column("on", "On"), *numbers],
                _most([[*kind, *row] for kind, row in kinds.items()]),
            ),
            table(
                "people",
                "By person",
                [column("person", "Person"), *numbers],
                _most([[person, *row] for person, row in people.items()]),
            ),
        ],
        notes=["Time that a person spends before the first decision is not seen."],
    )


def _decisions(question: Question) -> list[tuple[str, str, str, float]]:
    """(action, subject, actor, at) in order; a subject that is gone belongs to no plant."""
    asked = (
        select(audit.c.action, audit.c.subject, audit.c.actor, audit.c.at)
        .where(audit.c.action.in_(sorted(_DECISIONS)), *question.within(audit.c.at))
        .order_by(audit.c.at)
    )
    found = [
        (row.action, row.subject, row.actor, epoch(row.at)) for row in question.connection.execute(asked)
    ]
    if question.plants is None:
        return found
    here = _subjects_here(question, sorted({subject for _, subject, _, _ in found}))
    return [decision for decision in found if decision[1] in here]


def _subjects_here(question: Question, subjects: Sequence[str]) -> set[str]:
    here: set[str] = set()
    for rows, key in ((exceptions, "exception_id"), (processes, "process_id"), (calls, "call_id")):
        keys = [{key: subject} for subject in subjects]
        for row in rows_at(question.connection, rows, keys, columns=(key, "plant")):
            if question.plants is not None and row.plant in question.plants:
                here.add(getattr(row, key))
    return here


def _most(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (-row[-2], row[0]))
