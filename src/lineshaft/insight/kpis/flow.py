"""Whether what happens arrives in time, and what waits: synchronisation, failed workflows, backlog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta

from sqlalchemy import func, select, text

from lineshaft.insight.kpis.declare import Found, Row, column, said_count, said_time, table
from lineshaft.insight.kpis.question import Question
from lineshaft.insight.kpis.spans import epoch
from lineshaft.insight.kpis.sums import Sum, added, sums
from lineshaft.insight.rollups_reads import percentile
from lineshaft.insight.service_levels import CALL, PROCESS
from lineshaft.store.schema import OPEN, UNSETTLED, calls, exceptions, processes

__all__ = ["OBJECTIVE", "backlog", "failed_workflows", "slo_burn", "synchronisation"]

OBJECTIVE = 0.99
"""Share of what has a service level that is to be done within it; the rest is the error budget."""

_FAILED = {"parked", "aborted", "terminated"}
_ENDED = {"completed", *_FAILED}
_KINDS = {PROCESS: "process", CALL: "posting"}
_Subjects = dict[tuple[str, str], list[Sum]]


def synchronisation(question: Question) -> Found:
    found = question.once("levelled", _levelled)
    rows: list[Row] = []
    buckets = [[0, 0] for _ in question.edges[1:]]
    for (kind, subject), some in found.items():
        count, late, took = added(some)
        rows.append(
            [
                subject,
                _KINDS[kind],
                float(count),
                percentile(took, 0.5),
                percentile(took, 0.95),
                _level_s(question, kind, subject),
                float(late),
                (count - late) / count,
            ]
        )
        for each in some:
            number = _bucket(question, each)
            buckets[number][0] += each.count
            buckets[number][1] += each.late
    total, late = (sum(bucket[which] for bucket in buckets) for which in (0, 1))
    if not total:
        return Found()
    says = f"{late} of {total} later than agreed" if late else f"all {total} within their service level"
    columns = [
        column("subject", "Process or posting"),
        column("kind", "Kind"),
        column("count", "Done", "count"),
        column("p50", "Half within", "s"),
        column("p95", "95 % within", "s"),
        column("level", "Service level", "s"),
        column("late", "Late", "count"),
        column("share", "In time", "share"),
    ]
    return Found(
        value=(total - late) / total,
        says=says,
        series=[(count - late) / count if count else None for count, late in buckets],
        tables=[table("subjects", "By process and posting", columns, sorted(rows, key=_worst_first))],
    )


def slo_burn(question: Question) -> Found:
    """A burn rate of 1 uses the whole error budget over the period; 2 in half of it."""
    found = question.once("levelled", _levelled)
    recent = {hours: _recent(question, hours) for hours in (1, 6)}
    budget, burned = 1 - OBJECTIVE, [[0, 0] for _ in question.edges[1:]]
    rows: list[Row] = []
    for (kind, subject), some in found.items():
        count, late, _ = added(some)
        rates = [_burn(recent[hours].get((kind, subject), ())) for hours in (1, 6)]
        rows.append([subject, _KINDS[kind], float(count), float(late), late / count / budget, *rates])
        for each in some:
            number = _bucket(question, each)
            burned[number][0] += each.count
            burned[number][1] += each.late
    if not rows:
        return Found()
    worst = max(rows, key=lambda row: row[4])
    value = worst[4]
    columns = [
        column("subject", "Process or posting"),
        column("kind", "Kind"),
        column("count", "Done", "count"),
        column("late", "Late", "count"),
        column("used", "Budget used", "share"),
        column("burn_1h", "Burn rate, 1 h", "ratio"),
        column("burn_6h", "Burn rate, 6 h", "ratio"),
    ]
    says = f"most of it by {worst[0]}" if value else "nothing of it"
    return Found(
        value=value,
        says=f"of the error budget used, {says}",
        series=[late / count / budget if count else None for count, late in burned],
        tables=[table("budgets", "Error budgets", columns, sorted(rows, key=lambda row: -row[4]))],
        notes=[f"Objective: {OBJECTIVE:.0%} of what is done, within its service level."],
    )


def failed_workflows(question: Question) -> Found:
    told = sums(question, PROCESS, question.levels.processes)
    ended = [each for each in told if each.outcome in _ENDED]
    by_type: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    buckets = [[0, 0] for _ in question.edges[1:]]
    for each in ended:
        by_type[each.subject][each.outcome] += each.count
        bucket = buckets[_bucket(question, each)]
        bucket[0] += each.count
        bucket[1] += each.count if each.outcome in _FAILED else 0
    rows: list[Row] = []
    for name, counts in by_type.items():
        total, bad = sum(counts.values()), sum(counts[state] for state in _FAILED)
        states = [float(counts[state]) for state in ("parked", "aborted", "terminated")]
        rows.append([name, float(total), *states, bad / total])
    total, bad = (sum(bucket[which] for bucket in buckets) for which in (0, 1))
    if not total:
        return Found()
    columns = [
        column("process", "Process"),
        column("ended", "Ended or parked", "count"),
        column("parked", "Parked for a person", "count"),
        column("aborted", "Aborted", "count"),
        column("terminated", "Terminated", "count"),
        column("share", "Failed", "share"),
    ]
    return Found(
        value=bad / total,
        says=f"{bad} of {said_count(total, 'workflow')}",
        series=[bad / count if count else None for count, bad in buckets],
        tables=[table("processes", "By process", columns, sorted(rows, key=lambda row: -row[-1]))],
    )


def backlog(question: Question) -> Found:
    """Of now, whatever the period is: the past of a backlog is not kept."""
    levels = question.levels
    counted: dict[tuple[str, str], Row] = defaultdict(lambda: [0.0, 0.0, 0.0, ""])
    for place, what, count, since in _waiting(question):
        kind, subject = what
        domain = levels.domain(kind, subject) if kind in (CALL, PROCESS) else subject
        row = counted[place, domain]
        row[(PROCESS, CALL, "exception").index(kind)] += count
        row[3] = min(filter(None, (row[3], since)), default="")
    total = int(sum(sum(row[:3]) for row in counted.values()))
    columns = [
        column("plant", "Plant"),
        column("domain", "Domain or desk"),
        column("parked", "Parked workflows", "count"),
        column("unsettled", "Unsettled postings", "count"),
        column("exceptions", "Open exceptions", "count"),
        column("since", "Oldest", "at"),
    ]
    rows = [[*place, *row] for place, row in counted.items()]
    oldest = min((row[3] for row in counted.values()), default="")
    age = said_time(question.now.timestamp() - epoch(oldest)) if oldest else ""
    return Found(
        value=float(total),
        says=f"waiting now, the oldest for {age}" if total else "nothing waits",
        tables=[
            table("backlog", "By plant and domain", columns, sorted(rows, key=lambda row: -sum(row[2:5])))
        ],
        notes=["Counted as it is now, whichever period is shown."],
    )


def _waiting(question: Question) -> Iterator[tuple[str, tuple[str, str], int, str]]:
    """(plant, (kind, operation, process or desk), how many, since when)"""
    for kind, table_, subject, since, condition in (
        (PROCESS, processes, processes.c.type, processes.c.updated_at, [OPEN, processes.c.state == "parked"]),
        (CALL, calls, calls.c.operation, calls.c.created_at, [UNSETTLED]),
        ("exception", exceptions, exceptions.c.owner, exceptions.c.first_at, [text("state = 'open'")]),
    ):
        asked = (
            select(table_.c.plant, subject, func.count(), func.min(since))
            .where(*condition, *question.here(table_.c.plant))
            .group_by(table_.c.plant, subject)
        )
        for plant, what, count, oldest in question.connection.execute(asked):
            yield plant, (kind, what), count, oldest


def _levelled(question: Question) -> _Subjects:
    """What has a service level, by what it is: those that came to an end in the period."""
    levels = question.levels
    found: _Subjects = defaultdict(list)
    for kind, names in ((PROCESS, levels.ends), (CALL, levels.calls)):
        for each in sums(question, kind, names):
            if each.outcome in ("completed", "posted", "rejected"):
                found[kind, each.subject].append(each)
    return dict(found)


def _recent(question: Question, hours: int) -> _Subjects:
    since = question.end - timedelta(hours=hours)
    levels = question.levels
    found: _Subjects = defaultdict(list)
    for kind, names in ((PROCESS, levels.ends), (CALL, levels.calls)):
        for each in sums(question, kind, names, since=since):
            found[kind, each.subject].append(each)
    return dict(found)


def _burn(some: Sequence[Sum]) -> float | None:
    count, late, _ = added(some) if some else (0, 0, [])
    return late / count / (1 - OBJECTIVE) if count else None


def _level_s(question: Question, kind: str, subject: str) -> float:
    return question.levels.ends[subject] if kind == PROCESS else question.levels.call_s(subject)


def _bucket(question: Question, each: Sum) -> int:
    """An hour belongs to the bucket in which it begins; that of the period's first minute to the first."""
    return question.bucket(max(float(each.at), question.edges[0])) or 0


def _worst_first(row: Row) -> tuple[float, str]:
    return row[7], row[0]
