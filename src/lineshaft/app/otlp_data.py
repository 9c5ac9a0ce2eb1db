"""Our spans and metrics in the words of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from prometheus_client import Metric as Family
from prometheus_client.samples import Sample

from lineshaft import __version__
from lineshaft.core.tracing import Span, parse_traceparent

__all__ = ["metrics_data", "readable"]

_SCOPE = InstrumentationScope("lineshaft", __version__)
_UNITS = {"seconds": "s", "bytes": "By"}
_CUMULATIVE = AggregationTemporality.CUMULATIVE


def readable(span: Span, resource: Resource) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=_context(span.traceparent, is_remote=False),
        parent=_context(span.parent, is_remote=True),
        resource=resource,
        attributes={f"lineshaft.{name}": value for name, value in span.attributes.items() if value},
        kind=SpanKind[span.kind.name],
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
        start_time=span.begin_ns,
        end_time=span.end_ns,
        instrumentation_scope=_SCOPE,
    )


def _context(traceparent: str, *, is_remote: bool) -> SpanContext | None:
    found = parse_traceparent(traceparent)
    if found is None:
        return None
    trace_id, span_id, flags = found
    return SpanContext(trace_id, span_id, is_remote, TraceFlags(flags))


def metrics_data(families: Iterable[Family], resource: Resource, begin_ns: int, now_ns: int) -> MetricsData:
    """begin_ns: since when counters count."""
    metrics = [
        Metric(name=family.name, description=family.documentation, unit=_unit(family.name), data=data)
        for family in families
        if (data := _data(family, begin_ns, now_ns)) is not None
    ]
    scope = ScopeMetrics(scope=_SCOPE, metrics=metrics, schema_url="")
    return MetricsData([ResourceMetrics(resource=resource, scope_metrics=[scope], schema_url="")])


def _unit(name: str) -> str:
    return _UNITS.get(name.rpartition("_")[2], "1")


def _data(family: Family, begin_ns: int, now_ns: int) -> Sum | Gauge | Histogram | None:
    if family.type == "histogram":
        points = list(_histograms(family.samples, begin_ns, now_ns))
        return Histogram(data_points=points, aggregation_temporality=_CUMULATIVE) if points else None
    is_counter = family.type == "counter"
    numbers = [
        NumberDataPoint(
            attributes=sample.labels,
            start_time_unix_nano=begin_ns if is_counter else 0,
            time_unix_nano=now_ns,
            value=sample.value,
        )
        for sample in family.samples
    ]
    if not numbers:
        return None
    if is_counter:
        return Sum(data_points=numbers, aggregation_temporality=_CUMULATIVE, is_monotonic=True)
    return Gauge(data_points=numbers)


def _histograms(samples: Sequence[Sample], begin_ns: int, now_ns: int) -> Iterator[HistogramDataPoint]:
    """The samples of one set of labels follow one another: buckets, which count all up to their bound, count
    and sum."""
    bounds: list[float] = []
    totals: list[int] = []
    total = 0.0
    for sample in samples:
        if sample.name.endswith("_bucket"):
            bounds.append(float(sample.labels["le"]))
            totals.append(int(sample.value))
        elif sample.name.endswith("_count"):
            total = sample.value
        elif sample.name.endswith("_sum"):
            yield _histogram(bounds, totals, int(total), sample, begin_ns, now_ns)
            bounds, totals = [], []


def _histogram(
    bounds: list[float], totals: list[int], count: int, sum: Sample, begin_ns: int, now_ns: int
) -> HistogramDataPoint:
    least: Any = None  # not kept
    return HistogramDataPoint(
        attributes=sum.labels,
        start_time_unix_nano=begin_ns,
        time_unix_nano=now_ns,
        count=count,
        sum=sum.value,
        bucket_counts=[after - before for before, after in zip([0, *totals], totals, strict=False)],
        explicit_bounds=bounds[:-1],  # the last is without end
        min=least,
        max=least,
    )
