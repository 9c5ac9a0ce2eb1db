"""One trace from the event to the HTTP request."""

from __future__ import annotations

import pytest

from lineshaft.core.errors import BusinessFault
from lineshaft.core.tracing import (
    Span,
    SpanKind,
    current_traceparent,
    parse_traceparent,
    span,
    taking_spans,
    tell_span,
    trace_headers,
)


def test_a_span_keeps_the_trace_and_has_an_id_of_its_own() -> None:
    with span("one") as outer:
        assert current_traceparent() == outer
        assert trace_headers()["traceparent"] == outer
    with span("two", outer) as inner:
        assert inner.split("-")[1] == outer.split("-")[1]
        assert inner.split("-")[2] != outer.split("-")[2]
    assert current_traceparent() == ""


@pytest.mark.parametrize("flags", ["00", "01"])
def test_what_a_caller_does_not_sample_is_not_sampled(flags: str) -> None:
    with span("one", f"00-{'a' * 32}-{'b' * 16}-{flags}") as begun:
        assert begun.split("-")[3] == flags


def test_spans_within_spans_end_in_order() -> None:
    with span("one") as outer:
        with span("two") as inner:
            assert inner.split("-")[1] == outer.split("-")[1]
        assert current_traceparent() == outer


def test_who_takes_spans_gets_each_as_it_ends() -> None:
    taken: list[Span] = []
    with (
        taking_spans(taken.append),
        span("one", kind=SpanKind.SERVER) as outer,
        pytest.raises(BusinessFault),
        span("two", system="erp") as inner,
    ):
        raise BusinessFault("period 2026-04 is closed", code="closed_period")
    with span("nobody looks"):
        pass
    two, one = taken
    assert (two.name, two.traceparent, two.parent, two.error) == ("two", inner, outer, "closed_period")
    assert (one.name, one.traceparent, one.parent, one.error) == ("one", outer, "", "")
    assert (one.kind, two.attributes) == (SpanKind.SERVER, {"system": "erp"})
    assert one.begin_ns <= two.begin_ns <= two.end_ns <= one.end_ns


def test_what_is_over_is_told_under_its_parent() -> None:
    taken: list[Span] = []
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    with taking_spans(taken.append):
        tell_span("process count", parent, begin_s=10.0, end_s=12.5, error="", state="completed")
        tell_span("not sampled", f"{parent[:-2]}00", begin_s=10.0, end_s=12.5)
    (told,) = taken
    assert (told.parent, told.end_ns - told.begin_ns) == (parent, 2_500_000_000)
    assert parse_traceparent(told.traceparent) is not None
    assert told.traceparent[:35] == parent[:35]


@pytest.mark.parametrize(
    "broken", ["nonsense", f"00-{'0' * 32}-{'b' * 16}-01", f"00-{'a' * 32}-{'0' * 16}-01"]
)
def test_a_broken_traceparent_begins_a_new_trace(broken: str) -> None:
    with span("one", broken) as begun:
        assert begun.startswith("00-")
        assert begun.split("-")[1:3] != broken.split("-")[1:3]
