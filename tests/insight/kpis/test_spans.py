"""Arithmetic of times, against a calculation second by second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.insight.kpis.spans import Span, common, length, merged, shares, spread, without

HOUR = 60
moments = st.integers(0, HOUR)
spans = st.lists(st.tuples(moments, moments).map(lambda span: (float(span[0]), float(span[1]))), max_size=8)
edges = st.sets(moments, min_size=2, max_size=8).map(lambda found: sorted(float(edge) for edge in found))


def seconds(some: list[Span]) -> set[int]:
    return {second for second in range(HOUR) if any(start <= second < finish for start, finish in some)}


@given(spans, spans)
def test_what_is_in_both_in_one_or_in_neither(one: list[Span], other: list[Span]) -> None:
    left, right = merged(one), merged(other)
    assert seconds(left) == seconds(one)
    assert seconds(common(left, right)) == seconds(one) & seconds(other)
    assert seconds(without(left, right)) == seconds(one) - seconds(other)
    for found in (left, common(left, right), without(left, right)):
        assert length(found) == len(seconds(found))
        assert found == merged(found)


@given(spans, edges)
def test_a_split_neither_loses_nor_doubles_time(some: list[Span], places: list[float]) -> None:
    within = common(merged(some), [(places[0], places[-1])])
    found = spread(merged(some), places)
    assert len(found) == len(places) - 1
    assert sum(found) == pytest.approx(length(within))
    for number, time in enumerate(found):
        here = (places[number], places[number + 1])
        assert time == pytest.approx(length(common(merged(some), [here])))


@given(moments, edges)
def test_an_instant_is_in_one_bucket_or_outside(at: int, places: list[float]) -> None:
    found = list(shares((float(at), float(at)), places))
    inside = places[0] <= at < places[-1]
    assert [part for _, part in found] == ([1.0] if inside else [])
    assert all(places[bucket] <= at < places[bucket + 1] for bucket, _ in found)
