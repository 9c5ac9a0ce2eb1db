"""Traces and metrics to an OpenTelemetry collector, from a thread of its own.

Whoever ends a span only puts it into a bounded queue. A collector that is away or hangs costs what the queue
cannot hold, is told once in the log, and holds up nothing.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import structlog
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExportResult
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from lineshaft.app.otlp_data import metrics_data, readable
from lineshaft.core.errors import ConfigError
from lineshaft.core.tracing import Span, parse_traceparent

__all__ = ["OtlpExport"]

_LOG = structlog.get_logger(__name__)
_MOST_WAITING = 8192
_BATCH = 512
_PACE_S = 1.0
_METRICS_EVERY_S = 15.0
_LAST_S = 2.0


class OtlpExport(Collector):
    """url     of the collector, `http://host:4318`; headers, certificates, time-outs and compression by the
            OTEL_EXPORTER_OTLP_* variables, share of traces by OTEL_TRACES_SAMPLER_ARG, seconds between two
            exports of metrics by OTEL_METRIC_EXPORT_INTERVAL (ms)
    collect  every metric
    raises   ConfigError for a variable that is no number
    """

    def __init__(
        self,
        url: str,
        resource: Resource,
        collect: Callable[[], Iterable[Metric]],
        *,
        pace_s: float = _PACE_S,
    ) -> None:
        self._url = url.rstrip("/")
        self._resource = resource
        self._collect = collect
        self._pace_s = pace_s
        self._metrics_every_s = _number("OTEL_METRIC_EXPORT_INTERVAL", _METRICS_EVERY_S * 1000) / 1000
        self._share = _number("OTEL_TRACES_SAMPLER_ARG", 1.0)
        self._begin_ns = time.time_ns()
        self._waiting: deque[Span] = deque()
        self._counted = {"sent": 0, "dropped": 0}
        self._is_away = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otlp", daemon=True)
        for library in ("opentelemetry.exporter.otlp", "opentelemetry.sdk"):
            logging.getLogger(library).setLevel(logging.CRITICAL)  # we tell it, once
        self._spans = OTLPSpanExporter(f"{self._url}/v1/traces")
        self._metrics = OTLPMetricExporter(f"{self._url}/v1/metrics")

    def take(self, span: Span) -> None:
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append(span)
        else:
            self._counted["dropped"] += 1

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What waits is sent if the collector takes it within two seconds."""
        self._stop.set()
        self._thread.join(_LAST_S)
        self._spans.shutdown()  # type: ignore[no-untyped-call]
        self._metrics.shutdown()

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "lineshaft_otlp_spans", "Spans for the collector, by what became of them", labels=["outcome"]
        )
        for outcome, count in self._counted.items():
            family.add_metric([outcome], count)
        yield family

    def _run(self) -> None:
        metrics_at = time.monotonic() + min(self._metrics_every_s, self._pace_s)
        while not self._stop.wait(self._pace_s):
            self._send_spans()
            if time.monotonic() >= metrics_at:
                metrics_at = time.monotonic() + self._metrics_every_s
                self._send_metrics()
        self._send_spans()
        self._send_metrics()

    def _send_spans(self) -> None:
        while self._waiting:
            taken = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            batch = [readable(span, self._resource) for span in taken if self._is_sampled(span)]
            if not batch:
                continue
            try:
                is_sent = self._spans.export(batch) is SpanExportResult.SUCCESS
            except Exception as error:  # what the exporter did not foresee must not end the thread
                is_sent = self._failed(error)
            self._counted["sent" if is_sent else "dropped"] += len(batch)
            self._told(is_sent)

    def _send_metrics(self) -> None:
        try:
            data = metrics_data(self._collect(), self._resource, self._begin_ns, time.time_ns())
            is_sent = self._metrics.export(data) is MetricExportResult.SUCCESS
        except Exception as error:
            is_sent = self._failed(error)
        self._told(is_sent)

    def _is_sampled(self, span: Span) -> bool:
        """By the lower half of the trace id, as OpenTelemetry's TraceIdRatioBased: a trace whole, or not."""
        found = parse_traceparent(span.traceparent)
        return found is not None and found[0] % 2**64 < self._share * 2**64

    def _failed(self, error: Exception) -> bool:
        if not self._is_away:
            _LOG.warning("otlp.export_failed", error=repr(error))
        return False

    def _told(self, is_sent: bool) -> None:
        if is_sent == self._is_away:
            self._is_away = not is_sent
            if is_sent:
                _LOG.info("otlp.collector_is_back", url=self._url)
            else:
                _LOG.warning(
                    "otlp.collector_away",
                    url=self._url,
                    next_step="see that it answers there; until then traces and metrics are lost",
                )


def _number(variable: str, default: float) -> float:
    given = os.environ.get(variable, "")
    try:
        number = float(given) if given else default
    except ValueError:
        number = -1.0
    if number < 0:
        raise ConfigError(f"${variable} is {given!r}, not a number", hint="unset it, or give one from 0 on")
    return number
