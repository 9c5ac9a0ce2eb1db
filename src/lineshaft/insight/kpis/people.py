"""What disturbances take of people's time."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import select

from lineshaft.insight.kpis.declare import Found, Row, column, quantile, said_count, said_time, table
from lineshaft.insight.kpis.facts import DECISION, Decision
from lineshaft.insight.kpis.question import Question
from lineshaft.insight.kpis.spans import epoch
from lineshaft.insight.kpis.told import DECISIONS
from lineshaft.store.schema import CLOSED, exceptions

__all__ = ["reconciliation_effort", "time_to_resolve"]


def time_to_resolve(question: Question) -> Found:
    columns = exceptions.c
    asked = select(columns.plant, columns.owner, columns.first_at, columns.closed_at).where(
        CLOSED, *question.within(columns.closed_at), *question.here(columns.plant)
    )
    by_owner: dict[tuple[str, str], list[float]] = defaultdict(list)
    buckets: list[list[float]] = [[] for _ in question.edges[1:]]
    for plant, owner, first, closed in question.connection.execute(asked).all():
        at = epoch(closed)
        took = max(0.0, at - epoch(first))
        by_owner[owner, plant].append(took)
        number = question.bucket(at)
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
    decisions = list(question.told(DECISION, Decision))
    if not decisions:
        return Found(
            value=0.0, says="nobody had to decide anything", series=[0.0] * (len(question.edges) - 1)
        )
    times: dict[str, list[float]] = defaultdict(list)
    kinds: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    people: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    series = [0.0] * (len(question.edges) - 1)
    for _, told, decision in decisions:
        at, action = told.timestamp(), decision.action
        before = times[decision.subject]
        spent = max(0.0, at - before[-1]) if before else 0.0
        before.append(at)
        for row in (kinds[DECISIONS[action], action.partition(".")[0]], people[decision.actor]):
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


def _most(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (-row[-2], row[0]))
