"""The evaluation in columns equals the reference: facts, saved state, live values, whatever the batches."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.core.values import Value
from lineshaft.telemetry.evaluate.columnar import ColumnarEvaluation
from lineshaft.telemetry.evaluate.evaluation import Evaluation, Live, Results
from lineshaft.telemetry.evaluate.reference import ReferenceEvaluation
from lineshaft.telemetry.readings import BAD, GOOD, STALE, UNCERTAIN
from tests.examples import examples
from tests.telemetry.evaluating import START, Message, S, batch_of, rules_of

PRESS = {"version": 1, "applies_to": {"asset_class": "press"}}
LEVEL = {**PRESS, "unit": "BAR", "severity": 1}
WINDOW = {**PRESS, "kind": "window", "every_s": [10, 60], "grace_s": 2, "lateness_s": 45}
RULES: dict[str, Any] = {
    "derived": [
        {
            "id": "work",
            "property": "work",
            "applies_to": {"assets": ["A"]},
            "expression": "pressure * temperature / (pressure - 3)",
            "unit": "C62",
            "max_age_s": 20,
        }
    ],
    "rules": [
        {
            **LEVEL,
            "id": "high",
            "property": "pressure",
            "kind": "high",
            "limit": 5,
            "hysteresis": 2,
            "debounce_s": 5,
            "overrides": {"B": {"limit": 7, "debounce_s": 0}},
        },
        {**LEVEL, "id": "higher", "property": "pressure", "kind": "high", "limit": 7},
        {**LEVEL, "id": "low", "property": "pressure", "kind": "low", "limit": 2, "debounce_s": 3},
        {**LEVEL, "id": "rise", "property": "pressure", "kind": "rise", "limit": 1, "hysteresis": 0.5},
        {**LEVEL, "id": "fall", "property": "pressure", "kind": "fall", "limit": 0.5, "over_s": 4},
        {**WINDOW, "id": "windows", "property": "pressure", "overrides": {"B": {"lateness_s": 20}}},
        {**WINDOW, "id": "warm", "property": "temperature", "every_s": [10], "lateness_s": 10},
        {**WINDOW, "id": "states", "property": "state"},
        {
            **PRESS,
            "id": "state",
            "property": "state",
            "kind": "state",
            "minor_stop_s": 20,
            "states": {1: "Stopped", 2: "Execute", 3: "Held"},
            "upstream": {"B-EQ": ["A-EQ"]},
        },
        {**PRESS, "id": "silent", "property": "pressure", "kind": "missing", "after_s": 30, "severity": 5},
        {**PRESS, "id": "count", "property": "count", "kind": "counter", "max_rate_per_s": 3, "window_s": 10},
        {
            "id": "work-high",
            "version": 1,
            "tag": "A.work",
            "kind": "high",
            "limit": 20,
            "unit": "C62",
            "severity": 1,
        },
    ],
}


EVERYTHING = rules_of(RULES)


MOST = 16
cuts = st.sets(st.integers(0, MOST)) | st.just(set(range(2 * MOST)))


class Seen:
    """Everything that an evaluation said."""

    def __init__(self) -> None:
        self.facts: list[list[Value]] = [[]]
        self.faults: set[tuple[str, str]] = set()
        self.passed: list[bool] = []
        self.derived: list[tuple[float, ...]] = []

    def note(self, results: Results) -> None:
        self.facts[-1] += results.facts
        self.faults |= {(str(kind), cause) for _, kind, cause in results.faults}
        if results.passed is not None and results.derived is not None and results.derived_passed is not None:
            self.passed += results.passed.tolist()
            derived = results.derived
            self.derived += zip(
                derived.tag.tolist(), derived.time.tolist(), np.nan_to_num(derived.value, nan=-1).tolist(),
                results.derived_passed.tolist(), strict=True,
            )  # fmt: skip

    def tick(self, results: Results) -> None:
        self.facts += [list(results.facts), []]

    def said(self) -> tuple[object, ...]:
        return self.facts, self.faults, self.passed, self.derived


def held(live: Live) -> tuple[object, ...]:
    return (
        np.nan_to_num(live.value, nan=-1).tolist(),
        live.time.tolist(),
        live.received.tolist(),
        live.quality.tolist(),
    )


offsets = st.one_of(st.integers(0, 12), st.integers(-60, 70)) | st.sampled_from([0, 400])
values = st.sampled_from([-0.0, 0.0, 1.0, 1.5, 2.0, 3.0, 4.9, 5.5, 7.0, 7.2, 9.0, 1e300])
qualities = st.sampled_from([GOOD] * 12 + [UNCERTAIN, BAD, STALE])


@st.composite
def calm(draw: st.DrawFn) -> list[Message | int]:
    """Mostly plain: the time of each tag moves on."""
    found: list[Message | int] = []
    times, now = [START] * 6, START
    for _ in range(draw(st.integers(1, MOST))):
        tag, step = draw(st.integers(0, 5)), draw(st.sampled_from([1, 1, 3, 5, 31])) * S
        if draw(st.integers(0, 3)) == 0:  # history, of before or of until now
            time = times[tag] + draw(st.integers(-120, 2)) * S
            flood = [(tag, time + turn * step, draw(values), GOOD, True) for turn in range(8)]
            found.append(Message(now, flood))
            times[tag] = max(times[tag], flood[-1][1])
            continue
        readings = []
        for value in draw(st.lists(values, min_size=1, max_size=8)):
            times[tag] += step
            readings.append((tag, times[tag], value, draw(st.sampled_from([GOOD] * 6 + [BAD])), False))
        now = max(now, times[tag]) + draw(st.integers(0, 3)) * S
        found += [Message(now, readings)]
        if draw(st.integers(0, 9)) == 0:
            found.append(now)
    return found


@st.composite
def wild(draw: st.DrawFn) -> list[Message | int]:
    """Messages, and moments of ticks; time moves on, readings are near it."""
    now, found = START + draw(st.integers(0, 30)) * S, list[Message | int]()
    said: dict[int, tuple[int, int, float, int, bool]] = {}
    for _ in range(draw(st.integers(1, MOST))):
        now += draw(st.sampled_from([0, 0, 1, 1, 2, 7, 30, 61])) * S
        if draw(st.integers(0, 9)) == 0:
            found.append(now)
            continue
        tag, readings = draw(st.integers(0, 5)), []
        if said and draw(st.integers(0, 9)) == 0:  # devices are gone, and back with what they said last
            gone = [(tag, now, np.nan, STALE, False) for tag in said]
            found += [Message(now, gone), Message(now, [*said.values()])]
            continue
        time = now + draw(offsets) * S - draw(st.sampled_from([0, 0, 10])) * S
        for _ in range(draw(st.sampled_from([1, 1, 1, 3, 12]))):
            quality = draw(qualities)
            readings.append(
                (
                    tag,
                    time,
                    np.nan if quality == STALE else draw(values),
                    quality,
                    draw(st.integers(0, 15)) == 0,
                )
            )
            if quality != STALE and (tag not in said or time > said[tag][1]):
                said[tag] = readings[-1]
            time += draw(st.sampled_from([1, 1, 1, 1, 1, 4, 4, 0, -3, 20])) * S
            if draw(st.integers(0, 5)) == 0:
                tag = draw(st.integers(0, 5))
        found.append(Message(now, readings))
    return found


def run(evaluation: Evaluation, steps: Sequence[Message | int], seen: Seen, cut: set[int]) -> Evaluation:
    """cut: numbers of steps before which a batch ends; the evaluation goes on from its saved state"""
    waiting: list[Message] = []
    for number, step in enumerate([*steps, None]):
        if number in cut or not isinstance(step, Message):
            seen.note(evaluation.take(batch_of(waiting)))
            waiting = []
        if isinstance(step, int):
            seen.tick(evaluation.tick(step))
        elif step is not None:
            waiting.append(step)
    return evaluation


@settings(max_examples=examples(40))
@given(wild() | calm(), cuts)
def test_columns_equal_the_reference(steps: list[Message | int], cut: set[int]) -> None:
    reference, columnar = ReferenceEvaluation(EVERYTHING), ColumnarEvaluation(EVERYTHING)
    expected, found = Seen(), Seen()
    run(reference, steps, expected, cut=set(range(2 * MOST)))
    run(columnar, steps, found, cut)
    assert found.said() == expected.said()
    assert columnar.saved() == reference.saved()
    assert columnar.counters == reference.counters
    changed, live = reference.live(), columnar.live()
    assert held(live) == held(changed)
    assert live.changed.tolist() == changed.changed.tolist()


@settings(max_examples=examples(25))
@given(wild() | calm(), cuts, cuts)
def test_either_goes_on_from_what_the_other_saved(
    steps: list[Message | int], cut: set[int], restarts: set[int]
) -> None:
    reference = ReferenceEvaluation(EVERYTHING)
    expected, found = Seen(), Seen()
    run(reference, steps, expected, cut=set())
    evaluation: Evaluation = ColumnarEvaluation(EVERYTHING)
    borders = sorted(restarts | {0, len(steps)})
    for start, end in pairwise(borders):
        saved = evaluation.saved()
        kind = ReferenceEvaluation if isinstance(evaluation, ColumnarEvaluation) else ColumnarEvaluation
        evaluation = kind(EVERYTHING)
        evaluation.restore(saved)
        assert evaluation.saved() == saved
        run(evaluation, steps[start:end], found, {number - start for number in cut})
    assert found.said() == expected.said()
    assert evaluation.saved() == reference.saved()
    assert held(evaluation.live()) == held(reference.live())
