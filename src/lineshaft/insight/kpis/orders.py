"""What of production has reached ERP: confirmations in time, and receipts of goods."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from heapq import nsmallest

from lineshaft.contracts.events.production import (
    CONFIRMATION_POSTED,
    CONFIRMATION_RECORDED,
    CONFIRMATION_REJECTED,
)
from lineshaft.core.clock import rfc3339
from lineshaft.insight.kpis.declare import Found, Row, column, said_count, said_time, table
from lineshaft.insight.kpis.facts import Answered
from lineshaft.insight.kpis.output import recorded as confirmations
from lineshaft.insight.kpis.question import Question
from lineshaft.insight.kpis.sums import sums
from lineshaft.insight.rollups_reads import FAILED
from lineshaft.insight.service_levels import CALL

__all__ = ["RECEIPTS", "delayed_confirmations", "failed_receipts"]

RECEIPTS = ("goods.receive_count", "goods.receive_handling_unit")
_MOST_SHOWN = 100


_Which = tuple[str, str, int]


def delayed_confirmations(question: Question) -> Found:
    """In time is what ERP has answered within the service level of a confirmation, posted or refused."""
    recorded: dict[_Which, tuple[str, datetime]] = {}
    for plant, recorded_at, said in question.once("confirmations", confirmations):
        if recorded_at >= question.end:
            break
        which = (plant, said.id, said.revision)
        recorded.setdefault(which, (said.operations_request_id, recorded_at))
    if not recorded:
        return Found()
    answered: dict[_Which, float] = {}
    for kind in (CONFIRMATION_POSTED, CONFIRMATION_REJECTED):
        for plant, told, answer in question.told(kind.type, Answered, until=question.now):
            answered.setdefault((plant, answer.id, answer.revision), told.timestamp())
    now, level = question.now.timestamp(), CONFIRMATION_RECORDED.sla_s
    by_plant: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0, 0.0])
    late: list[tuple[bool, float, _Which, str, datetime]] = []
    series = [0.0] * (len(question.edges) - 1)
    for which, (order, told) in recorded.items():
        at = told.timestamp()
        took = answered.get(which, now) - at
        row = by_plant[which[0]]
        row[0] += 1
        if took <= level:
            continue
        is_open = which not in answered
        row[1 + is_open] += 1
        row[3] = max(row[3], took if is_open else 0.0)
        series[question.bucket(at) or 0] += 1
        late.append((not is_open, -took, which, order, told))
    open_ones = sum(row[2] for row in by_plant.values())
    oldest = max(row[3] for row in by_plant.values())
    waiting = f"; {open_ones:.0f} still waiting, the longest for {said_time(oldest)}" if open_ones else ""
    plants = [
        column("plant", "Plant"),
        column("recorded", "Recorded", "count"),
        column("late", "Answered late", "count"),
        column("waiting", "Still waiting", "count"),
        column("longest", "Longest wait", "s"),
    ]
    shown = [
        column("plant", "Plant"),
        column("order", "Order", "key"),
        column("confirmation", "Confirmation", "key"),
        column("recorded", "Recorded", "at"),
        column("took", "Late for", "s"),
        column("state", "State"),
    ]
    rows: list[Row] = [
        [which[0], order, which[1], rfc3339(told), -less, "answered late" if is_answered else "waiting"]
        for is_answered, less, which, order, told in nsmallest(_MOST_SHOWN, late)
    ]
    return Found(
        value=float(len(late)),
        says=f"of {said_count(len(recorded), 'confirmation')}{waiting}",
        series=series,
        tables=[
            table("plants", "By plant", plants, [[plant, *row] for plant, row in sorted(by_plant.items())]),
            table("late", "Late ones", shown, rows),
        ],
        notes=[f"In time: answered by ERP within {said_time(level)}, the service level of a confirmation."],
    )


def failed_receipts(question: Question) -> Found:
    """Attempts whose last outcome is not posted: refused by ERP, failed, or unknown."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    series = [0.0] * (len(question.edges) - 1)
    for each in sums(question, CALL, RECEIPTS):
        counts[each.subject][each.outcome] += each.count
        if each.outcome in FAILED:
            series[question.bucket(max(float(each.at), question.edges[0])) or 0] += each.count
    total = sum(sum(row.values()) for row in counts.values())
    if not total:
        return Found()
    bad = int(sum(series))
    states = ("posted", "rejected", "failed", "unknown")
    columns = [column("operation", "Posting"), *(column(state, state.title(), "count") for state in states)]
    rows: list[Row] = [
        [name, *(float(row[state]) for state in states)] for name, row in sorted(counts.items())
    ]
    return Found(
        value=float(bad),
        says=f"of {said_count(total, 'goods receipt')}",
        series=series,
        tables=[table("operations", "By posting", columns, rows)],
    )
