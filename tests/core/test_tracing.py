"""One trace from the event to the HTTP request."""

from __future__ import annotations

from lineshaft.core.tracing import current_traceparent, span, trace_headers


def test_a_span_keeps_the_trace_and_has_an_id_of_its_own() -> None:
    with span("one") as outer:
        assert current_traceparent() == outer
        assert trace_headers()["traceparent"] == outer
    with span("two", outer) as inner:
        assert inner.split("-")[1] == outer.split("-")[1]
        assert inner.split("-")[2] != outer.split("-")[2]
    assert current_traceparent() == ""


def test_a_broken_traceparent_begins_a_new_trace() -> None:
    with span("one", "nonsense") as begun:
        assert begun.startswith("00-")
