from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.model.condition import LimitKind
from lineshaft.telemetry.rules.limits import WITHIN, Limit, LimitState, advance
from tests.telemetry.evaluating import S, tag_list

PRESSURE = next(iter(tag_list()))


def limit(kind: LimitKind = LimitKind.HIGH, debounce_s: float = 30) -> Limit:
    return Limit(
        rule="r",
        rule_version="1",
        tag=PRESSURE,
        kind=kind,
        limit=10,
        release=8 if kind is LimitKind.HIGH else 12,
        unit="BAR",
        debounce_us=round(debounce_s * S),
        severity=1,
    )


def raised_at(the: Limit, readings: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """(seconds of the settling reading, seconds of the episode's start) of every event due."""
    state, found = WITHIN, []
    for seconds, value in readings:
        after = advance(the, state, value, round(seconds * S))
        if after.raised and not state.raised:
            assert after.episode_start is not None
            found.append((seconds, after.episode_start / S))
        state = after
    return found


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([(0, 11), (29, 11), (30, 11), (60, 11)], [(30, 0)]),
        ([(0, 10), (40, 10)], []),  # at the limit is within
        ([(0, 11), (20, 8), (40, 11), (60, 11)], []),  # a return before the debounce cancels
        ([(0, 11), (20, 9), (40, 11)], [(40, 0)]),  # between release and limit keeps the state
        ([(0, 11), (40, 9), (41, 11)], [(41, 0)]),  # settled by a reading beyond the limit, no other
        (
            [(0, 11), (30, 11), (31, 9), (32, 11), (90, 11)],
            [(30, 0)],
        ),  # no end above release, no second event
        ([(0, 11), (30, 11), (31, 8), (32, 11), (62, 11)], [(30, 0), (62, 32)]),
        ([(0, 11), (3600, 11)], [(3600, 0)]),
    ],
)
def test_high(readings: list[tuple[float, float]], expected: list[tuple[float, float]]) -> None:
    assert raised_at(limit(), readings) == expected
    mirrored = [(seconds, 20 - value) for seconds, value in readings]
    assert raised_at(limit(LimitKind.LOW), mirrored) == expected


def test_without_debounce_the_first_reading_settles() -> None:
    assert raised_at(limit(debounce_s=0), [(0, 9), (1, 11), (2, 12), (3, 8), (4, 11)]) == [(1, 1), (4, 4)]


def test_an_unchanged_state_is_the_same_object() -> None:
    started = LimitState(0)
    assert advance(limit(), WITHIN, 5, S) is WITHIN
    assert advance(limit(), started, 9, S) is started
    assert advance(limit(), started, 11, S) is started


steps = st.lists(
    st.tuples(st.integers(1, 40), st.sampled_from([7.0, 8.0, 9.0, 10.0, 11.0, 12.0])), max_size=40
)


def with_times(given_steps: list[tuple[int, float]]) -> list[tuple[float, float]]:
    times = accumulate(step for step, _ in given_steps)
    return [(float(time), value) for time, (_, value) in zip(times, given_steps, strict=True)]


@given(steps, st.sampled_from([0, 10, 30]))
def test_episodes(given_steps: list[tuple[int, float]], debounce_s: int) -> None:
    readings = with_times(given_steps)
    found = raised_at(limit(debounce_s=debounce_s), readings)
    values = dict(readings)
    for settled, start in found:
        assert values[settled] > 10
        assert values[start] > 10
        assert settled - start >= debounce_s
        assert all(value > 8 for time, value in readings if start <= time <= settled)
    for (settled, _), (_, start) in pairwise(found):
        assert any(value <= 8 for time, value in readings if settled < time < start)
    # And none is missed: between two returns, a reading late enough after the first one beyond settles.
    stretch: list[tuple[float, float]] = []
    due = 0
    for time, value in [*readings, (float("inf"), 0.0)]:
        if value <= 8:
            beyond = [moment for moment, held in stretch if held > 10]
            due += bool(beyond) and beyond[-1] - beyond[0] >= debounce_s
            stretch = []
        else:
            stretch.append((time, value))
    assert len(found) == due


@given(steps, st.data())
def test_what_led_to_no_change_may_be_missing_or_come_again(
    given_steps: list[tuple[int, float]], data: st.DataObject
) -> None:
    """Why saving at each change is enough: from a saved state, the readings since then change nothing."""
    readings = with_times(given_steps)
    state, since = WITHIN, []
    for time, value in readings:
        after = advance(limit(), state, value, round(time * S))
        since = [] if after is not state else [*since, (time, value)]
        state = after
    for time, value in since:
        if data.draw(st.booleans()):
            assert advance(limit(), state, value, round(time * S)) is state
