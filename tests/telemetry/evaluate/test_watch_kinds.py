"""Rules that keep their state themselves, and derived values, through both evaluations: the same facts
whatever the borders of the batches and wherever state was saved and restored."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.core.values import RawBatch
from lineshaft.model.aggregates import CountAggregate
from lineshaft.model.condition import SignalLoss, ThresholdExceeded
from lineshaft.model.equipment_state import Downtime, StateChange
from lineshaft.telemetry.evaluate.columnar import ColumnarEvaluation
from lineshaft.telemetry.evaluate.evaluation import Evaluation
from lineshaft.telemetry.evaluate.reference import ReferenceEvaluation
from lineshaft.telemetry.readings import GOOD, STALE, Readings
from lineshaft.telemetry.rules.rule_set import RuleSet, read_rules
from tests.telemetry.taken import at, line, us

Message = tuple[int, dict[str, float] | None]
"""Seconds since the one before, and its values by tag; None: the devices are gone; none: they are back, and
say what they said last with the times that it had."""

DOCUMENT = {
    "rules": [
        {
            "id": "line-state",
            "version": "1",
            "property": "state",
            "applies_to": {"tags": ["FIL.STATE", "CAP.STATE"]},
            "kind": "state",
            "packml": True,
            "minor_stop_s": 60,
            "upstream": {"CAP-01": ["FIL-01"]},
        },
        {
            "id": "good",
            "version": "1",
            "tag": "FIL.GOOD",
            "kind": "counter",
            "max_rate_per_s": 9,
            "window_s": 60,
        },
        {"id": "silent", "version": "1", "tag": "FIL.FLOW", "kind": "missing", "after_s": 30, "severity": 1},
        {
            "id": "power-high",
            "version": "1",
            "tag": "FILLER-7.power",
            "kind": "high",
            "limit": 1.5,
            "unit": "KWT",
            "severity": 1,
        },
    ],
    "derived": [
        {
            "id": "power",
            "property": "power",
            "applies_to": {"asset_class": "filler"},
            "expression": "pressure * flow / 600",
            "unit": "KWT",
        }
    ],
}


def rules() -> RuleSet:
    return read_rules(DOCUMENT, line(), file="r.yaml")


Timed = tuple[int, dict[str, tuple[int, float]] | None]
"""Seconds, and by tag (seconds, value)"""


def timed(messages: Sequence[Message]) -> list[Timed]:
    at, found, said = 0, list[Timed](), dict[str, tuple[int, float]]()
    for later, values in messages:
        at += later
        now = None if values is None else {name: (at, value) for name, value in values.items()}
        said |= now or {}
        found.append((at, dict(said) if now == {} else now))
    return found


def readings(messages: Sequence[Timed], first: int) -> Readings:
    """first: sequence of the first message"""
    names = line().names
    rows = [
        (names.index(name), us(time), value, STALE if values is None else GOOD, message)
        for message, (seconds, values) in enumerate(messages)
        for name, (time, value) in (
            dict.fromkeys(names, (seconds, float("nan"))) if values is None else values
        ).items()
    ]
    tag, time, value, quality, message = zip(*rows, strict=True) if rows else [()] * 5
    batch = RawBatch(
        stream="RAW",
        topics=["l1"] * len(messages),
        payloads=[b""] * len(messages),
        stored_us=[us(seconds) for seconds, _ in messages],
        sequences=list(range(first, first + len(messages))),
    )
    return Readings(
        batch=batch,
        tag=np.array(tag, np.int32),
        time=np.array(time, np.int64),
        value=np.array(value, np.float64),
        quality=np.array(quality, np.uint8),
        historical=np.zeros(len(rows), np.bool_),
        message=np.array(message, np.int32),
    )


def told(
    make: Callable[[RuleSet], Evaluation], messages: Sequence[Message], borders: set[int], *, saving: bool
) -> tuple[list[object], dict[str, bytes]]:
    """The facts, those of a tick in the end included, and the state that is saved after it."""
    all_of_them, facts = timed(messages), list[object]()
    evaluation, start = make(rules()), 0
    for border in sorted({border for border in borders if 0 < border < len(messages)} | {len(messages)}):
        facts += evaluation.take(readings(all_of_them[start:border], start + 1)).facts
        if saving:
            saved, evaluation = evaluation.saved(), make(rules())
            evaluation.restore(saved)
        start = border
    facts += evaluation.tick(us(all_of_them[-1][0] + 100)).facts
    return facts, evaluation.saved()


@pytest.mark.parametrize("make", [ReferenceEvaluation, ColumnarEvaluation])
def test_each_kind_tells_its_facts(make: Callable[[RuleSet], Evaluation]) -> None:
    messages: list[Message] = [
        (0, {"FIL.STATE": 6, "CAP.STATE": 6, "FIL.GOOD": 100, "FIL.PRESSURE": 3, "FIL.FLOW": 200}),
        (5, {"FIL.STATE": 11, "FIL.GOOD": 120}),
        (5, {"CAP.STATE": 5, "FIL.PRESSURE": 6}),
    ]
    facts, _ = told(make, messages, set(), saving=False)
    assert [type(fact) for fact in facts] == [
        StateChange,
        StateChange,
        StateChange,
        StateChange,
        ThresholdExceeded,
        Downtime,
        Downtime,
        CountAggregate,
        SignalLoss,
    ]
    assert [fact.upstream for fact in facts if isinstance(fact, Downtime)] == ["", "FIL-01"]
    assert [fact.value for fact in facts if isinstance(fact, ThresholdExceeded)] == [2.0]


@pytest.mark.parametrize("make", [ReferenceEvaluation, ColumnarEvaluation])
def test_a_stop_goes_on_when_the_device_is_back_with_the_state_that_it_said_before(
    make: Callable[[RuleSet], Evaluation],
) -> None:
    messages: list[Message] = [
        (0, {"FIL.STATE": 6, "CAP.STATE": 6}),
        (5, {"FIL.STATE": 11}),
        (30, None),
        (5, {}),
    ]
    facts, _ = told(make, messages, set(), saving=True)
    (downtime,) = [fact for fact in facts if isinstance(fact, Downtime)]
    assert (downtime.equipment_id, downtime.start_time, downtime.end_time) == ("FIL-01", at(5), None)
    later = [*messages, (200, {"FIL.STATE": 6}), (60, {"FIL.STATE": 6})]
    facts, _ = told(make, later, set(), saving=True)
    ends = [fact.end_time for fact in facts if isinstance(fact, Downtime)]
    assert ends == [None, at(240)]


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "FIL.STATE": st.sampled_from([2.0, 6.0, 7.0, 99.0]),
        "CAP.STATE": st.sampled_from([5.0, 6.0]),
        "FIL.GOOD": st.integers(0, 40).map(float),
        "FIL.PRESSURE": st.sampled_from([3.0, 6.0]),
        "FIL.FLOW": st.sampled_from([100.0, 200.0]),
    },
)
MESSAGES = st.lists(
    st.tuples(st.sampled_from([0, 1, 5, 40, 90]), st.one_of(VALUES, VALUES, VALUES, st.none(), st.just({}))),
    min_size=1,
    max_size=20,
)


@given(MESSAGES, st.sets(st.integers(1, 19)), st.booleans())
def test_the_same_whatever_the_batches(messages: list[Message], borders: set[int], saving: bool) -> None:
    plain, saved = told(ReferenceEvaluation, messages, set(), saving=False)
    for make in (ReferenceEvaluation, ColumnarEvaluation):
        facts, after = told(make, messages, borders, saving=saving)
        assert msgspec.json.encode(facts) == msgspec.json.encode(plain)
        assert after == saved
