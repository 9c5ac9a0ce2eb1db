"""One trace from the event to the HTTP request."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from lineshaft.core.tracing import current_traceparent, span, trace_headers


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


def test_the_provider_of_the_application_gets_the_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    with span("one", f"00-{'a' * 32}-{'b' * 16}-01") as begun:
        assert trace_headers()["traceparent"] == begun
    (seen,) = exporter.get_finished_spans()
    assert (seen.name, f"{seen.context.span_id:016x}") == ("one", begun.split("-")[2])  # type: ignore[union-attr]
    assert seen.parent is not None


@pytest.mark.parametrize(
    "broken", ["nonsense", f"00-{'0' * 32}-{'b' * 16}-01", f"00-{'a' * 32}-{'0' * 16}-01"]
)
def test_a_broken_traceparent_begins_a_new_trace(broken: str) -> None:
    with span("one", broken) as begun:
        assert begun.startswith("00-")
        assert begun.split("-")[1:3] != broken.split("-")[1:3]
