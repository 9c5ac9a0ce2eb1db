"""A recording taken through rules in plant time: what they would have told."""

from __future__ import annotations

from collections import Counter

import msgspec

from lineshaft.core.values import ExceptionKind, Value
from lineshaft.model.aggregates import CountAggregate, ReadingsAggregate
from lineshaft.telemetry.evaluate.columnar import ColumnarEvaluation
from lineshaft.telemetry.evaluate.evaluation import Counters
from lineshaft.telemetry.recording import Recording
from lineshaft.telemetry.rules.rule_set import RuleSet

__all__ = ["Rehearsal", "rehearse"]

_SECOND_US = 1_000_000
_AFTER_US = (86_400 + 3600 + 60) * _SECOND_US
"""The longest window, what it may wait for, and some more."""


class Rehearsal(msgspec.Struct):
    """facts: in the order in which they were told; faults: how often each cause came up"""

    facts: list[Value]
    faults: Counter[tuple[ExceptionKind, str]]
    counters: Counters


def rehearse(rules: RuleSet, recording: Recording) -> Rehearsal:
    """Time passes in ticks of a second from receipt to receipt. After the last one only windows and counts
    are told, which then close: nobody knows whether equipment stood still or was silent from then on."""
    evaluation, rows = ColumnarEvaluation(rules), recording.rows
    facts: list[Value] = []
    faults: Counter[tuple[ExceptionKind, str]] = Counter()
    start = 0
    while start < len(rows):
        now = (rows[start].received // _SECOND_US + 1) * _SECOND_US
        stop = start
        while stop < len(rows) and rows[stop].received < now:
            stop += 1
        results = evaluation.take(recording.part(start, stop))
        facts += results.facts
        faults.update((kind, cause) for _, kind, cause in results.faults)
        following = rows[stop].received if stop < len(rows) else now
        for second in range(now, following + 1, _SECOND_US):
            facts += evaluation.tick(second).facts
        start = stop
    if rows:
        told = evaluation.tick(rows[-1].received + _AFTER_US).facts
        facts += [fact for fact in told if isinstance(fact, ReadingsAggregate | CountAggregate)]
    return Rehearsal(facts, faults, evaluation.counters)
