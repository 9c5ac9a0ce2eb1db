"""An OpenTelemetry collector as far as it takes traces and metrics by HTTP, in a thread of this process."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

__all__ = ["Collector", "collecting"]


class Collector:
    """hangs: while it is set, requests are taken and not answered. metrics: by name, as they came last."""

    def __init__(self) -> None:
        self.url = ""
        self.hangs = threading.Event()
        self.asked = threading.Event()
        self.spans: list[Span] = []
        self.metrics: dict[str, Metric] = {}
        self.resource: dict[str, str] = {}
        self.headers: list[dict[str, str]] = []

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            traces = ExportTraceServiceRequest.FromString(body)
            for resource in traces.resource_spans:
                self._say(resource.resource.attributes)
                self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        else:
            for found in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self._say(found.resource.attributes)
                self.metrics |= {each.name: each for scope in found.scope_metrics for each in scope.metrics}

    def _say(self, attributes: object) -> None:
        self.resource = {each.key: each.value.string_value for each in attributes}  # type: ignore[attr-defined]

    def above(self, span: Span) -> list[str]:
        """Names of the spans over this one, the nearest first, as far as they came here."""
        known = {each.span_id: each for each in self.spans}
        names = []
        while span.parent_span_id in known:
            span = known[span.parent_span_id]
            names.append(span.name)
        return names


@contextmanager
def collecting() -> Iterator[Collector]:
    collector, ends = Collector(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.headers.append(dict(self.headers))
            collector.asked.set()
            if collector.hangs.is_set():
                ends.wait()
                return
            collector.take(self.path, body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield collector
    finally:
        ends.set()
        server.shutdown()
        server.server_close()
