"""What evaluation does with readings, each case on the reference and in columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lineshaft.core.errors import PermanentFault
from lineshaft.core.values import ExceptionKind, Value, moment_of
from lineshaft.model.aggregates import ReadingsAggregate
from lineshaft.model.condition import ThresholdExceeded
from lineshaft.model.equipment_state import StateChange
from lineshaft.telemetry.evaluate.columnar import ColumnarEvaluation
from lineshaft.telemetry.evaluate.evaluation import NO_TIME, Evaluation, Results
from lineshaft.telemetry.evaluate.reference import ReferenceEvaluation
from lineshaft.telemetry.readings import BAD, QUALITIES, STALE
from lineshaft.telemetry.rules.rule_set import RuleSet
from tests.telemetry.evaluating import START, Message, S, at, batch_of, rules_of

AP, AT, BP, AS, BS, AC = range(6)
ON_A = {"version": 1, "tag": "A.P"}
HIGH = {**ON_A, "id": "high", "kind": "high", "limit": 5, "hysteresis": 1, "unit": "BAR", "severity": 7}
WINDOW = {**ON_A, "id": "w", "kind": "window", "every_s": 60, "lateness_s": 120}
STATE = {
    "id": "state",
    "version": 1,
    "tag": "A.S",
    "kind": "state",
    "states": {1: "Stopped", 2: "Execute"},
}

Make = Callable[[RuleSet], Evaluation]


@pytest.fixture(params=[ReferenceEvaluation, ColumnarEvaluation])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param  # type: ignore[no-any-return]


def ruled(*rules: dict[str, Any], derived: list[dict[str, Any]] | None = None) -> RuleSet:
    return rules_of({"rules": list(rules), "derived": derived or []})


def take(evaluation: Evaluation, *messages: Message) -> Results:
    return evaluation.take(batch_of(messages))


def windows(results: Results) -> list[tuple[float, int, int, float, float, float, float]]:
    """(start in s, revision, count, min, max, mean, last)"""
    told = [fact for fact in results.facts if isinstance(fact, ReadingsAggregate)]
    return [
        (
            (one.start_time - moment_of(START)).total_seconds(),
            one.revision,
            one.count,
            one.min,
            one.max,
            one.mean,
            one.last,
        )
        for one in told
    ]


def test_a_window_is_told_when_the_tag_has_passed_its_end_and_grace(make: Make) -> None:
    evaluation = make(ruled(WINDOW))
    assert windows(take(evaluation, at(AP, (1, 4), (20, 1), (59.9, 7)))) == []
    assert windows(take(evaluation, at(AP, (60, 9), (61.9, 9)))) == []
    assert windows(take(evaluation, at(AP, (62, 9)))) == [(0, 0, 3, 1, 7, 4, 7)]
    assert windows(take(evaluation, at(AP, (500, 3)))) == [(60, 0, 3, 9, 9, 9, 9)]  # none without readings


def test_late_readings_revise_a_window_and_repeats_do_not(make: Make) -> None:
    evaluation = make(ruled(WINDOW))
    take(evaluation, at(AP, (10, 4), (70, 5)))
    late = at(AP, (30, 8), stored=71)
    results = take(evaluation, late, late)
    assert results.facts == []
    assert results.passed is not None
    assert results.passed.tolist() == [True, False]
    assert windows(evaluation.tick(START + 72 * S)) == [(0, 1, 2, 4, 8, 6, 8)]
    assert windows(take(evaluation, late)) == windows(evaluation.tick(START + 73 * S)) == []
    assert evaluation.counters.late == 1
    assert evaluation.counters.duplicates == 2
    live = evaluation.live()
    assert (live.value[AP], live.time[AP]) == (5, START + 70 * S)


def test_a_revision_is_told_at_the_latest_when_the_window_is_forgotten(make: Make) -> None:
    evaluation = make(ruled(WINDOW))
    take(evaluation, at(AP, (10, 4), (70, 5)), at(AP, (30, 8), stored=71))
    assert windows(take(evaluation, at(AP, (179, 1)))) == [(60, 0, 1, 5, 5, 5, 5)]
    assert windows(take(evaluation, at(AP, (180, 1)))) == [(0, 1, 2, 4, 8, 6, 8)]


def test_what_comes_after_the_lateness_is_a_fault_once_a_window_and_goes_to_the_lake(make: Make) -> None:
    evaluation = make(ruled(WINDOW))
    take(evaluation, at(AP, (10, 4), (300, 5)))
    results = take(evaluation, at(AP, (20, 8), stored=301), at(AP, (21, 8), stored=301))
    ((message, kind, cause),) = results.faults
    assert (message, kind) == (0, ExceptionKind.UNPOSTABLE_READING)
    assert "'A.P'" in cause
    assert "rule 'w'" in cause
    assert results.passed is not None
    assert results.passed.all()
    assert take(evaluation, at(AP, (22, 8), stored=301)).faults == []
    assert evaluation.counters.too_late == 3
    assert windows(evaluation.tick(START + 10_000 * S)) == [(300, 0, 1, 5, 5, 5, 5)]


@pytest.mark.parametrize("lag", [0, 40])
def test_a_silent_tag_is_told_by_the_clock_with_time_for_what_its_readings_take(make: Make, lag: int) -> None:
    evaluation = make(ruled(WINDOW))
    take(evaluation, at(AP, (10, 4), stored=10 + lag))
    assert windows(evaluation.tick(START + (72 + lag) * S - 1)) == []
    assert windows(evaluation.tick(START + (72 + lag) * S)) == [(0, 0, 1, 4, 4, 4, 4)]
    assert windows(evaluation.tick(START + 200 * S)) == []


def test_historical_readings_are_for_windows_only(make: Make) -> None:
    evaluation = make(ruled(HIGH, WINDOW))
    take(evaluation, at(AP, (5, 1)))
    results = take(evaluation, at(AP, (10, 9), (70, 9), stored=100, historical=True))
    assert windows(results) == [(0, 0, 2, 1, 9, 5, 9)]
    assert len(results.facts) == 1
    assert evaluation.live().value[AP] == 1
    take(evaluation, at(AP, (70, 2), stored=101))  # the same time, live now: no second count
    assert evaluation.live().value[AP] == 2
    assert windows(take(evaluation, at(AP, (122, 3)))) == [(60, 0, 1, 9, 9, 9, 9)]


def test_readings_of_bad_quality_are_live_values_that_move_time(make: Make) -> None:
    evaluation = make(ruled(HIGH, WINDOW))
    results = take(evaluation, at(AP, (10, 4)), at(AP, (65, 9), quality=BAD))
    assert windows(results) == [(0, 0, 1, 4, 4, 4, 4)]
    assert len(results.facts) == 1
    live = evaluation.live()
    assert (live.value[AP], live.quality[AP], live.changed.tolist()) == (9, BAD, [AP])


def test_a_reading_ahead_of_its_receipt_is_put_in_quarantine(make: Make) -> None:
    evaluation = make(ruled(WINDOW))
    results = take(evaluation, at(AP, (300, 4), stored=0), at(AP, (300.1, 4), (290, 5), stored=0))
    assert [(message, kind) for message, kind, _ in results.faults] == [(1, ExceptionKind.UNPOSTABLE_READING)]
    assert "set the device's clock" in results.faults[0][2]
    assert results.passed is not None
    assert results.passed.tolist() == [True, False, True]
    assert evaluation.live().time[AP] == START + 300 * S
    assert evaluation.live().changed.tolist() == []
    assert (evaluation.counters.quarantined, evaluation.counters.late) == (1, 1)


def test_a_stale_tag_is_valid_again_by_the_same_reading_which_decides_nothing(make: Make) -> None:
    evaluation = make(ruled(HIGH))
    assert evaluation.live().time[AP] == NO_TIME
    take(evaluation, at(AP, (1, 4)), at(AP, (2, np.nan), quality=STALE))
    live = evaluation.live()
    assert QUALITIES[live.quality[AP]] == "stale"
    assert live.value[AP] == 4
    assert take(evaluation, at(AP, (1, 9), stored=3)).facts == []
    live = evaluation.live()
    assert (QUALITIES[live.quality[AP]], live.value[AP]) == ("good", 4)
    (fact,) = take(evaluation, at(AP, (4, 9))).facts
    assert isinstance(fact, ThresholdExceeded)


def test_the_deadband_thins_the_lake_and_hides_nothing_from_rules(make: Make) -> None:
    slow = {**HIGH, "tag": "B.P", "debounce_s": 10}  # B.P has a deadband of 2
    evaluation = make(ruled(slow))
    results = take(evaluation, at(BP, (0, 6), (5, 7), (10, 8), (11, 8.1), (12, 6)))
    (fact,) = results.facts
    assert isinstance(fact, ThresholdExceeded)
    assert fact.evidence.time == moment_of(START + 10 * S)
    assert results.passed is not None
    assert results.passed.tolist() == [True, False, False, True, True]


def test_rise_is_measured_between_readings_that_are_far_enough_apart(make: Make) -> None:
    rise = {**ON_A, "id": "r", "kind": "rise", "limit": 1, "unit": "BAR", "over_s": 10, "severity": 3}
    evaluation = make(ruled(rise))
    assert take(evaluation, at(AP, (0, 0), (1, 5), (9.9, 5), (10, 10))).facts == []  # at the limit is within
    (fact,) = take(evaluation, at(AP, (15, 50), (20, 25), (30, 20))).facts
    assert isinstance(fact, ThresholdExceeded)
    assert (fact.value, fact.limit, fact.evidence.value) == (1.5, 1, 25)


def test_fall_is_told_with_how_fast_it_falls(make: Make) -> None:
    fall = {**ON_A, "id": "f", "kind": "fall", "limit": 2, "unit": "BAR", "severity": 3}
    (fact,) = take(make(ruled(fall)), at(AP, (0, 9), (0.5, 9), (1, 7.5), (2, 7))).facts
    assert isinstance(fact, ThresholdExceeded)
    assert (fact.value, fact.episode_start) == (3, moment_of(START + S))


def test_time_in_state_adds_up_to_the_window_and_goes_on_without_readings(make: Make) -> None:
    evaluation = make(ruled(STATE, {**WINDOW, "tag": "A.S"}))
    results = take(evaluation, at(AS, (10, 1), (25, 2)), at(AS, (250, 1)))
    told = [fact for fact in results.facts if isinstance(fact, ReadingsAggregate)]
    assert [(one.count, one.last, one.time_in_state) for one in told] == [
        (2, 2, {"Stopped": 15, "Execute": 35}),
        (0, 2, {"Execute": 60}),
        (0, 2, {"Execute": 60}),
        (0, 2, {"Execute": 60}),
    ]
    take(evaluation, at(AS, (265, np.nan), quality=STALE))  # gone: the state is unknown from here on
    (last,) = evaluation.tick(START + 10_000 * S).facts
    assert isinstance(last, ReadingsAggregate)
    assert last.time_in_state == {"Execute": 10, "Stopped": 15}


def test_time_in_state_goes_on_when_the_device_is_back_with_the_same_state(make: Make) -> None:
    evaluation = make(ruled(STATE, {**WINDOW, "tag": "A.S"}))
    take(evaluation, at(AS, (10, 1)), at(AS, (25, np.nan), quality=STALE), at(AS, (10, 1), stored=40))
    first, *_ = evaluation.tick(START + 100 * S).facts
    assert isinstance(first, ReadingsAggregate)
    assert (first.count, first.time_in_state) == (1, {"Stopped": 15 + 20})


RATIO = {
    "id": "x",
    "property": "ratio",
    "applies_to": {"assets": ["A"]},
    "unit": "C62",
    "expression": "pressure / temperature",
}


def test_a_virtual_tag_is_stale_while_an_input_is_and_until_its_next_value(make: Make) -> None:
    evaluation = make(ruled(derived=[RATIO]))
    ratio = len(evaluation.live().time) - 1

    def shown() -> tuple[str, float]:
        live = evaluation.live()
        return QUALITIES[live.quality[ratio]], live.value[ratio]

    take(evaluation, at(AT, (0, 4)), at(AP, (0, 12)))
    assert shown() == ("good", 3)
    results = take(evaluation, at(AP, (5, np.nan), quality=STALE), at(AT, (6, 2)))
    assert shown() == ("stale", 3)
    assert results.derived is not None
    assert results.derived.quality.tolist() == [STALE]
    take(evaluation, at(AP, (0, 12), stored=7))  # back, with the reading of before
    assert shown() == ("good", 6)  # with the temperature that came since
    take(evaluation, at(AP, (8, np.nan), quality=STALE), at(AP, (0, 12), stored=9))
    assert shown() == ("stale", 6)
    take(evaluation, at(AT, (10, 3)))
    assert shown() == ("good", 4)


def test_rules_on_a_virtual_tag_know_that_it_is_gone(make: Make) -> None:
    steps = {**RATIO, "property": "step", "expression": "state + pressure * 0"}
    rule = {**STATE, "tag": "A.step", "minor_stop_s": 60}
    evaluation = make(ruled(rule, derived=[steps]))
    facts = take(evaluation, at(AP, (0, 1)), at(AS, (0, 2)), at(AS, (10, 1))).facts
    take(evaluation, at(AP, (30, np.nan), quality=STALE))
    facts += evaluation.tick(START + 500 * S).facts
    assert [type(fact) for fact in facts] == [StateChange, StateChange]


def test_rules_apply_to_virtual_tags(make: Make) -> None:
    high = {**HIGH, "tag": "A.ratio", "unit": "C62"}
    evaluation = make(ruled(high, derived=[RATIO]))
    results = take(evaluation, at(AP, (0, 12)), at(AT, (0, 4)), at(AT, (1, 2)), at(AT, (2, 0)))
    (fact,) = results.facts
    assert isinstance(fact, ThresholdExceeded)
    assert (fact.value, fact.property, fact.evidence.position) == (6, "ratio", f"RAW:{START + S}")
    assert results.derived is not None
    assert results.derived.value.tolist() == [3, 6]
    assert "no finite value" in results.faults[0][2]


def test_changed_rules_go_on_with_the_state_of_those_that_stay(make: Make) -> None:
    before = make(ruled({**HIGH, "debounce_s": 30}, WINDOW))
    take(before, at(AP, (0, 9), (20, 9)))
    after = make(ruled({**HIGH, "debounce_s": 10}, {**WINDOW, "lateness_s": 600}, {**HIGH, "id": "new"}))
    after.restore(before.saved())
    old, new = take(after, at(AP, (21, 9))).facts
    assert isinstance(old, ThresholdExceeded)
    assert isinstance(new, ThresholdExceeded)
    assert (old.rule, old.episode_start) == ("high", moment_of(START))
    assert (new.rule, new.episode_start) == ("new", moment_of(START + 21 * S))
    assert windows(take(after, at(AP, (62, 1)))) == [(0, 0, 3, 9, 9, 9, 9)]


@pytest.mark.parametrize("key", ["tags/live", "levels/state", "windows/60000000/names"])
def test_damaged_state_is_named(make: Make, key: str) -> None:
    evaluation = make(ruled(HIGH, WINDOW))
    take(evaluation, at(AP, (0, 9)))
    saved = evaluation.saved()
    with pytest.raises(PermanentFault, match=key):
        make(ruled(HIGH, WINDOW)).restore({**saved, key: saved[key][:-3]})


def test_facts_come_in_the_order_of_the_readings(make: Make) -> None:
    on_b = {**HIGH, "id": "b", "tag": "B.P"}
    results = take(make(ruled(HIGH, on_b)), at(BP, (0, 9)), at(AP, (1, 9)), at(BP, (2, 0), (3, 9)))
    facts: list[Value] = results.facts
    assert [getattr(fact, "rule") for fact in facts] == ["b", "high", "b"]  # noqa: B009
