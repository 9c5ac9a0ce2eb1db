"""Spans and metrics arrive at a collector as they are; one that is away costs only what it misses."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
import structlog
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent
from opentelemetry.sdk.resources import Resource

from lineshaft.app.metrics import Metrics
from lineshaft.app.otlp import OtlpExport
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import BusinessFault, ConfigError
from lineshaft.core.tracing import SpanKind, span, taking_spans
from tests.app.collector import Collector, collecting
from tests.waiting import PATIENCE_S, soon

RESOURCE = Resource({"service.name": "lineshaft", "lineshaft.plant": "leipzig"})


def export_to(url: str, metrics: Metrics | None = None) -> OtlpExport:
    return OtlpExport(url, RESOURCE, metrics.collect if metrics else tuple, pace_s=0.02)


def outcomes(export: OtlpExport) -> dict[str, float]:
    return {
        sample.labels["outcome"]: sample.value for family in export.collect() for sample in family.samples
    }


def came(collector: Collector, spans: int) -> list[Sent]:
    soon(lambda: len(collector.spans) >= spans, lambda: f"{len(collector.spans)} of {spans} spans came")
    return collector.spans


def test_spans_arrive_with_their_trace_and_parents() -> None:
    with collecting() as collector:
        export = export_to(collector.url)
        export.start()
        with (
            taking_spans(export.take),
            span("call erp.post", system="erp") as outer,
            suppress(BusinessFault),
            span("erp post", kind=SpanKind.CLIENT),
        ):
            raise BusinessFault("closed", code="closed_period")
        request, call = came(collector, 2)
        export.stop()
    assert (call.name, call.trace_id.hex(), call.span_id.hex()) == ("call erp.post", *outer.split("-")[1:3])
    assert (request.trace_id, request.parent_span_id) == (call.trace_id, call.span_id)
    assert (request.kind, request.status.message) == (Sent.SPAN_KIND_CLIENT, "closed_period")
    assert {each.key: each.value.string_value for each in call.attributes} == {"lineshaft.system": "erp"}
    assert not call.parent_span_id
    assert collector.resource["lineshaft.plant"] == "leipzig"


def test_metrics_arrive_with_their_labels_and_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=northspring")
    told = Metrics("leipzig", "1.0", {}, SystemClock())
    for system, seconds in (("erp", 0.002), ("erp", 0.3), ("erp", 70.0), ("mes", 0.3)):
        told.called(system, "orders.release", "posted", seconds)
    with collecting() as collector:
        export = export_to(collector.url, told)
        export.start()
        calls = soon(lambda: collector.metrics.get("lineshaft_calls"))
        took = soon(lambda: collector.metrics.get("lineshaft_call_duration_seconds"))
        export.stop()
    counted = calls.sum
    labels = {each.key: each.value.string_value for each in counted.data_points[0].attributes}
    assert labels["system"] == "erp"
    assert labels["plant"] == "leipzig"
    assert [each.as_double for each in counted.data_points] == [3.0, 1.0]
    assert counted.is_monotonic
    assert took.unit == "s"
    erp, mes = took.histogram.data_points
    assert len(erp.bucket_counts) == len(erp.explicit_bounds) + 1
    filled = {
        bound: count for bound, count in zip(erp.explicit_bounds, erp.bucket_counts, strict=False) if count
    }
    assert filled == {0.005: 1, 0.5: 1}
    assert (erp.bucket_counts[-1], erp.count, round(erp.sum, 3)) == (1, 3, 70.302)
    assert (sum(mes.bucket_counts), mes.count) == (1, 1)
    assert collector.headers[0]["x-tenant"] == "northspring"


def test_a_collector_that_hangs_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1000")
    with collecting() as collector, structlog.testing.capture_logs() as log:
        collector.hangs.set()
        export = export_to(collector.url)
        export.start()
        with taking_spans(export.take):
            with span("first"):
                pass
            assert collector.asked.wait(PATIENCE_S)
            began = time.thread_time()
            for _ in range(20_000):
                with span("more"):
                    pass
            per_span_s = (time.thread_time() - began) / 20_000
        assert per_span_s < 200e-6  # a fiftieth of what one lost round trip would be
        assert outcomes(export)["dropped"] > 10_000  # more than the queue holds
        began = time.monotonic()
        export.stop()
        assert time.monotonic() - began < PATIENCE_S
    assert log == []  # its time is not over yet


def test_a_collector_that_is_away_is_told_once_and_so_is_its_return(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")

    def more_until(export: OtlpExport, outcome: str, count: int) -> None:
        """A busy machine may be late for one that the collector takes, and drops it: the next one goes."""
        until = time.monotonic() + PATIENCE_S
        while (before := outcomes(export))[outcome] < count:
            with span("one more"):
                pass
            while outcomes(export) == before:
                assert time.monotonic() < until
                time.sleep(0.01)

    with collecting() as collector, structlog.testing.capture_logs() as log:
        collector.hangs.set()
        export = export_to(collector.url)
        export.start()
        with taking_spans(export.take):
            more_until(export, "dropped", 3)
            assert [entry["event"] for entry in log] == ["otlp.collector_away"]
            collector.hangs.clear()
            more_until(export, "sent", 1)
        export.stop()
    assert [entry["event"] for entry in log[:2]] == ["otlp.collector_away", "otlp.collector_is_back"]
    assert "next_step" in log[0]
    assert collector.spans


def test_a_share_of_traces_is_sent_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    low, high = f"00-{'a' * 16}{'0' * 15}1-{'b' * 16}-01", f"00-{'a' * 16}{'f' * 16}-{'b' * 16}-01"
    with collecting() as collector:
        export = export_to(collector.url)
        with taking_spans(export.take):
            for parent in (low, high):
                with span("outer", parent), span("inner"):
                    pass
        export.start()
        came(collector, 2)
        export.stop()
    assert {each.trace_id.hex() for each in collector.spans} == {low.split("-")[1]}
    assert len(collector.spans) == 2


def test_a_variable_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "half")
    with pytest.raises(ConfigError, match="OTEL_TRACES_SAMPLER_ARG is 'half'"):
        export_to("http://127.0.0.1:1")
