"""The arithmetic of OEE: bounds, times that add up, and counts across borders."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.insight.kpis.oee import Course, Made, Oee, losses, oee_of, sorted_out, total
from lineshaft.insight.kpis.spans import Span, length

DAY = 1440
moments = st.integers(-200, DAY + 200)
spans = st.lists(
    st.tuples(moments, moments).map(lambda pair: (float(min(pair)), float(max(pair)))), max_size=6
)
courses = st.builds(
    Course,
    planned=spans,
    known=spans,
    executing=st.one_of(st.none(), spans),
    stopped=spans,
    down=spans,
    blocked=spans,
)
TIMES = ("executing", "down", "blocked", "minor", "other", "unknown")


@st.composite
def batches(draw: Any, complete: bool = False) -> Made:
    start = draw(moments)
    made = draw(st.integers(0, 500))
    good = draw(st.integers(0, made))
    missing = st.none() if not complete else st.nothing()
    return Made(
        span=(float(start), float(start + draw(st.integers(0, 600)))),
        made=float(made),
        good=draw(st.one_of(missing, st.just(float(good)))),
        run_time_s=draw(st.one_of(missing, st.integers(0, 5).map(float))),
    )


splits = st.sets(st.integers(1, DAY - 1), max_size=6).map(
    lambda inner: [0.0, *map(float, sorted(inner)), float(DAY)]
)


@given(courses, st.lists(batches(), max_size=5), splits)
def test_any_split_of_the_period_comes_to_the_same(
    course: Course, made: list[Made], edges: list[float]
) -> None:
    whole = oee_of(course, made, [0.0, float(DAY)])
    parts = total(oee_of(course, made, edges))
    for name in Oee.__struct_fields__:
        assert getattr(parts, name) == pytest.approx(getattr(whole[0], name), abs=1e-6), name


@given(courses, st.lists(batches(), max_size=5))
def test_each_planned_second_is_one_thing(course: Course, made: list[Made]) -> None:
    (of,) = oee_of(course, made, [0.0, float(DAY)])
    assert sum(getattr(of, name) for name in TIMES) == pytest.approx(of.planned, abs=1e-6)
    assert all(getattr(of, name) >= 0 for name in Oee.__struct_fields__)
    found = sorted_out(course)
    assert sum(length(found[name]) for name in TIMES) == pytest.approx(length(found["planned"]), abs=1e-6)


@given(courses, st.lists(batches(complete=True), min_size=1, max_size=5))
def test_factors_are_in_their_bounds_and_multiply_to_oee(course: Course, made: list[Made]) -> None:
    (of,) = oee_of(course, made, [0.0, float(DAY)])
    for ratio in (of.availability, of.quality):
        assert ratio is None or 0 <= ratio <= 1
    assert of.effectiveness is None or of.effectiveness >= 0
    if of.oee is None:
        return
    assert of.availability is not None
    assert of.effectiveness is not None
    assert of.quality is not None
    product = of.availability * of.effectiveness * of.quality
    if of.made_s > 0:
        assert of.oee == pytest.approx(product)
    assert of.oee >= 0


@given(courses, st.lists(batches(), max_size=5))
def test_losses_come_to_what_is_known_of_the_planned_time(course: Course, made: list[Made]) -> None:
    (of,) = oee_of(course, made, [0.0, float(DAY)])
    found = losses(of)
    assert sum(loss.seconds for loss in found) == pytest.approx(of.busy, abs=0.05)
    assert all(loss.seconds >= 0 for loss in found)


def test_a_stop_that_is_told_twice_counts_once_and_a_run_within_it_is_production() -> None:
    whole: Span = (0.0, 100.0)
    course = Course(
        planned=[whole],
        known=[whole],
        executing=[(0.0, 40.0), (55.0, 60.0), (80.0, 100.0)],
        stopped=[(40.0, 55.0), (60.0, 80.0)],
        down=[(40.0, 80.0), (50.0, 80.0)],
    )
    (of,) = oee_of(course, (), [0.0, 100.0])
    assert (of.executing, of.down, of.minor) == (65.0, 35.0, 0.0)


def test_where_no_states_are_told_it_produces_whenever_no_stop_is() -> None:
    course = Course(
        planned=[(0.0, 100.0)], known=[(20.0, 100.0)], down=[(30.0, 50.0)], blocked=[(50.0, 55.0)]
    )
    (of,) = oee_of(course, (), [0.0, 100.0])
    assert (of.unknown, of.executing, of.down, of.blocked) == (20.0, 55.0, 20.0, 5.0)
    assert of.availability == pytest.approx(55 / 80)


def test_nothing_is_divided_by_nothing() -> None:
    (of,) = oee_of(Course(planned=(), known=()), (), [0.0, 100.0])
    assert (of.availability, of.effectiveness, of.quality, of.oee) == (None, None, None, None)


def test_what_nobody_judged_or_planned_leaves_the_factor_unknown() -> None:
    course = Course(planned=[(0.0, 100.0)], known=[(0.0, 100.0)], executing=[(0.0, 80.0)])
    counted = Made(span=(0.0, 80.0), made=8.0)
    judged = Made(span=(0.0, 80.0), made=8.0, good=6.0)
    (of,) = oee_of(course, [counted], [0.0, 100.0])
    assert (of.effectiveness, of.quality) == (None, None)
    (of,) = oee_of(course, [judged], [0.0, 100.0])
    assert (of.effectiveness, of.quality, of.oee) == (None, 0.75, None)


def test_two_products_weigh_by_the_time_that_they_should_have_taken() -> None:
    course = Course(planned=[(0.0, 100.0)], known=[(0.0, 100.0)], executing=[(0.0, 100.0)])
    quick = Made(span=(0.0, 50.0), made=10.0, good=0.0, run_time_s=1.0)
    slow = Made(span=(50.0, 100.0), made=10.0, good=10.0, run_time_s=4.0)
    (of,) = oee_of(course, [quick, slow], [0.0, 100.0])
    assert (of.effectiveness, of.quality, of.oee) == (0.5, 0.8, 0.4)
