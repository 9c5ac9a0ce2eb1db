"""A node that runs: its metrics, the spans and metrics that a collector gets, its health."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from lineshaft.app.terminal import ask_store
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.contracts.examples import example
from lineshaft.store.schema import api_requests
from tests.app.collector import Collector, collecting
from tests.app.http.running import HttpNode
from tests.app.queries import alert_queries, dashboard_queries, is_balanced, names_in, served_names
from tests.waiting import PATIENCE_S, soon

FILES = Path(__file__).parents[3] / "estate" / "plants" / "leipzig"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ASKED = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[HttpNode]:
    telemetry = {"tags": str(FILES / "tags.csv"), "rules": str(FILES / "rules.yaml")}
    settings = {"otlp": collector.url, "telemetry": telemetry}
    with HttpNode(tmp_path_factory.mktemp("observed"), settings=settings) as node:
        started(node)
        yield node


def got(node: HttpNode, path: str, **headers: str) -> tuple[int, str, str]:
    """Status, content type and body."""
    request = urllib.request.Request(f"{node.url}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except HTTPError as refused:
        return refused.code, refused.headers["Content-Type"], refused.read().decode()


def started(node: HttpNode) -> None:
    """A process, by a caller who has a trace of its own."""
    breach = json.loads(json.dumps(example(EVENTS["equipment.condition.threshold_exceeded.v1"])))
    request = urllib.request.Request(
        f"{node.url}/api/process/corrective_maintenance/v1",
        json.dumps(breach).encode(),
        {"Content-Type": "application/json", "Idempotency-Key": "one", "traceparent": ASKED},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        assert answer.status == 202, answer.read()


def test_one_trace_from_the_caller_to_the_requests_that_systems_get(
    plant: HttpNode, collector: Collector
) -> None:
    def spans(name: str) -> list[Span]:
        return [each for each in collector.spans if each.name == name]

    above = [
        "start corrective_maintenance",
        "event equipment.condition.threshold_exceeded.v1",
        "POST /api/process/corrective_maintenance/v1",
    ]
    for name in ("cmms asset", "call maintenance.asset", "step 0", "process corrective_maintenance", *above):
        soon(lambda name=name: spans(name))
    (request,), (process,) = spans("cmms asset"), spans("process corrective_maintenance")
    assert collector.above(request) == ["call maintenance.asset", "step 0", *above]
    assert collector.above(process) == above
    (outermost,) = spans(above[-1])
    assert outermost.parent_span_id.hex() == ASKED.split("-")[2]
    assert {each.trace_id.hex() for each in (request, process, outermost)} == {TRACE}
    assert collector.resource["service.name"] == "lineshaft"

    def counted() -> list[Any]:
        calls = collector.metrics.get("lineshaft_calls")
        return [each for each in calls.sum.data_points if each.as_double] if calls else []

    (calls,) = soon(counted)
    labels = {each.key: each.value.string_value for each in calls.attributes}
    assert labels == {
        "plant": "leipzig",
        "system": "cmms",
        "operation": "maintenance.asset",
        "outcome": "rejected",
    }


def test_what_happened_is_counted(plant: HttpNode) -> None:
    status, media, _ = got(plant, "/metrics")
    assert (status, media.split(";")[0]) == (200, "text/plain")

    def counted(name: str, **labels: str) -> None:
        wanted = {"plant": "leipzig", **labels}
        found: list[float] = []

        def once() -> bool:
            families = text_string_to_metric_families(got(plant, "/metrics")[2])
            samples = [each for family in families for each in family.samples if each.name == name]
            found[:] = [each.value for each in samples if each.labels == wanted]
            return found == [1]

        soon(once, lambda: f"{name} {labels}: {found}")

    threshold = "equipment.condition.threshold_exceeded.v1"
    counted("lineshaft_events_recorded_total", **{"class": "operational", "type": threshold})
    counted("lineshaft_system_requests_total", system="cmms")
    counted("lineshaft_processes_ended_total", process="corrective_maintenance", state="parked")
    route = "corrective_maintenance.start"
    counted("lineshaft_http_requests_total", method="POST", route=route, status="202")
    counted("lineshaft_system_state", system="store", state="active")
    counted("lineshaft_node_ready")
    counted("lineshaft_worker_lease_held")


def test_metrics_are_served_as_openmetrics_to_who_asks(plant: HttpNode) -> None:
    def served() -> set[str]:
        _, media, text = got(plant, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
        assert media.startswith("application/openmetrics-text")
        return {each.name for each in open_families(text)}

    soon(lambda: {"lineshaft_calls", "lineshaft_event_lag_seconds"} <= served())


def test_dashboard_and_alerts_ask_for_metrics_that_a_node_has(plant: HttpNode) -> None:
    asked = dashboard_queries() | alert_queries()
    assert len(asked) > 40
    for query in asked:
        assert is_balanced(query), query

    def unknown() -> set[str]:
        families = text_string_to_metric_families(got(plant, "/metrics")[2])
        served = {name for each in families for name in served_names(each.name, each.type)}
        return {name for query in asked for name in names_in(query)} - served

    soon(lambda: not unknown())  # telemetry takes a moment to start


def test_a_node_that_runs_is_alive_and_ready(plant: HttpNode) -> None:
    for path in ("/health", "/health/live"):
        assert json.loads(got(plant, path)[2]) == {"state": "active", "plant": "leipzig"}
    ready = {"state": "ready", "plant": "leipzig"}
    soon(lambda: json.loads(got(plant, "/health/ready")[2]) == ready)
    soon(lambda: '"what":"ready","ok":true' in plant.command("doctor", "--json", ok=False))  # ERP is away


def test_being_looked_at_leaves_no_notes(plant: HttpNode) -> None:
    got(plant, "/metrics")
    got(plant, "/health/ready")

    async def asked() -> set[str]:
        return await ask_store(
            f"sqlite:///{plant.folder / 'data' / 'lineshaft.db'}",
            lambda connection: set(connection.execute(select(api_requests.c.route)).scalars()),
        )

    assert not {"metrics", "health_ready"} & asyncio.run(asked())
