"""W3C trace context, carried in events (`traceparent`) and HTTP headers, by OpenTelemetry's own parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["current_traceparent", "span", "trace_headers"]

_PROPAGATOR = TraceContextTextMapPropagator()


@contextmanager
def span(name: str, traceparent: str = "") -> Iterator[str]:
    """Open a span under `traceparent` (or under the current one) and yield the new traceparent."""
    parent = _PROPAGATOR.extract({"traceparent": traceparent}) if traceparent else None
    with _tracer().start_as_current_span(name, context=parent):
        yield current_traceparent()


def current_traceparent() -> str:
    return trace_headers().get("traceparent", "")


def trace_headers() -> dict[str, str]:
    """The headers that hand the current span on to another system."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier


_provider: TracerProvider | None = None


def _tracer() -> trace.Tracer:
    """The application's provider if it set one, else our own without exporters."""
    global _provider  # noqa: PLW0603 - one provider per process, made on first use
    configured = trace.get_tracer_provider()
    if isinstance(configured, TracerProvider):
        return configured.get_tracer("lineshaft")
    if _provider is None:
        _provider = TracerProvider(shutdown_on_exit=False)
    return _provider.get_tracer("lineshaft")
