"""W3C trace context, carried in events (`traceparent`) and HTTP headers.

Where the application has set a tracer provider of OpenTelemetry, spans are its. Elsewhere nobody would see a
span, and only the ids are made: they tie events, calls and requests to other systems into one trace.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["current_traceparent", "span", "trace_headers"]

_PROPAGATOR = TraceContextTextMapPropagator()
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
_CURRENT: ContextVar[str] = ContextVar("traceparent", default="")


@contextmanager
def span(name: str, traceparent: str = "") -> Iterator[str]:
    """Open a span under `traceparent` (or under the current one) and yield the new traceparent."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        parent = _PROPAGATOR.extract({"traceparent": traceparent}) if traceparent else None
        with provider.get_tracer("lineshaft").start_as_current_span(name, context=parent):
            yield current_traceparent()
        return
    made = _child(traceparent or _CURRENT.get())
    before = _CURRENT.set(made)
    try:
        yield made
    finally:
        _CURRENT.reset(before)


def _child(traceparent: str) -> str:
    """A new span in the same trace, sampled as its parent is; in a new trace when the parent is none."""
    found = _TRACEPARENT.fullmatch(traceparent)
    span_id = random.getrandbits(64) or 1
    if found is None:
        return f"00-{random.getrandbits(128) or 1:032x}-{span_id:016x}-01"
    return f"00-{found[1]}-{span_id:016x}-{found[2]}"


def current_traceparent() -> str:
    return trace_headers().get("traceparent", "")


def trace_headers() -> dict[str, str]:
    """The headers that hand the current span on to another system."""
    if made := _CURRENT.get():
        return {"traceparent": made}
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier
