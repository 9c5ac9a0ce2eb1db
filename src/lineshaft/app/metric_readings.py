"""Metrics that are read off what is there anyway: systems, worker, telemetry, and the last sample."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lineshaft.app.live_channel import LiveMessage
from lineshaft.app.metric_samples import Sample, Sampler
from lineshaft.backbone import NatsServer
from lineshaft.calls import BreakerState, System
from lineshaft.console import SystemView
from lineshaft.core.ports import HealthState
from lineshaft.store import Worker

__all__ = ["Readings"]

_FAULTS = ("broken", "malformed", "overlooked", "unknown", "repeated", "gaps")
Labelled = Iterable[tuple[tuple[str, ...], float]]


class Readings(Collector):
    """views  of systems and our own parts, by name; heard: the last word of telemetry, None without

    ready     whether the node is, see Readiness
    """

    def __init__(
        self,
        systems: Sequence[System],
        views: Callable[[], Mapping[str, SystemView]],
        heard: Callable[[], LiveMessage | None],
        worker: Worker,
        server: NatsServer | None,
        sampler: Sampler,
        ready: Callable[[], bool],
    ) -> None:
        self._systems = systems
        self._views = views
        self._heard = heard
        self._worker = worker
        self._server = server
        self._sampler = sampler
        self._ready = ready

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield _gauge("node_ready", "1 where /health/ready says so", [], [((), float(self._ready()))])
        yield from self._of_systems()
        yield from self._of_worker()
        if (heard := self._heard()) is not None:
            yield from _of_telemetry(heard)
        if self._server is not None:
            yield from _of_server(self._server)
        if (last := self._sampler.last) is not None:
            yield from _of_sample(last)
        for name, counted in (("opened", self._sampler.opened), ("closed", self._sampler.closed)):
            yield _counter(
                f"exceptions_{name}", f"Exceptions {name}", ["owner", "kind"], list(counted.items())
            )

    def _of_systems(self) -> Iterator[Metric]:
        views = list(self._views().items())
        yield _gauge(
            "system_state",
            "1 for the state that a system, or a part of the node, is in",
            ["system", "state"],
            [((name, state), float(view.state is state)) for name, view in views for state in HealthState],
        )
        systems = self._systems
        yield _gauge(
            "system_breaker_state",
            "1 for the state of the circuit breaker",
            ["system", "state"],
            [
                ((each.name, state), float(each.breaker.state is state))
                for each in systems
                for state in BreakerState
            ],
        )
        yield _gauge(
            "calls_inside",
            "Calls in the door, waiting or under way",
            ["system"],
            [((each.name,), each.inside.calls) for each in systems],
        )
        yield _gauge(
            "system_requests_in_flight",
            "Requests that a system has not answered yet",
            ["system"],
            [((each.name,), each.limits.in_flight) for each in systems],
        )
        yield _counter(
            "system_requests",
            "Requests sent to a system: attempts and look-ups",
            ["system"],
            [((each.name,), each.tally.requests) for each in systems],
        )
        yield _counter(
            "call_retries",
            "Attempts of calls beyond the first",
            ["system"],
            [((each.name,), each.tally.retries) for each in systems],
        )
        yield _counter(
            "limit_waits",
            "Requests that waited for a rate or concurrency limit",
            ["system"],
            [((each.name,), each.limits.waited) for each in systems],
        )
        yield _counter(
            "limit_wait_seconds",
            "Time that requests waited for these limits",
            ["system"],
            [((each.name,), each.limits.waited_s) for each in systems],
        )

    def _of_worker(self) -> Iterator[Metric]:
        yield _gauge(
            "worker_lease_held", "1 while this worker may write", [], [((), float(self._worker.holds))]
        )
        yield _gauge(
            "worker_epoch",
            "Times that this worker's name was taken, or withdrawn",
            [],
            [((), self._worker.epoch)],
        )


def _of_telemetry(heard: LiveMessage) -> Iterator[Metric]:
    counters = dict(heard.counters)
    messages = counters.pop("messages", 0)
    yield _counter("telemetry_messages", "Device messages taken", [], [((), messages)])
    yield _counter(
        "telemetry_faults",
        "Device messages and values that could not be used, and Sparkplug gaps",
        ["fault"],
        [((name,), counters.pop(name, 0)) for name in _FAULTS],
    )
    yield _counter(
        "telemetry_readings",
        "Readings, by what became of them",
        ["outcome"],
        [((name,), count) for name, count in counters.items()],
    )
    yield _gauge(
        "telemetry_lag_seconds",
        "From storing to taking of the last batch of device messages",
        [],
        [((), heard.lag_ms / 1000)],
    )
    yield _gauge(
        "telemetry_waiting_messages", "Device messages stored and not taken yet", [], [((), heard.waiting)]
    )


def _of_server(server: NatsServer) -> Iterator[Metric]:
    yield _counter("backbone_restarts", "Restarts of the embedded server", [], [((), server.restarts)])
    yield _counter(
        "backbone_dropped", "Times that the server threw device traffic away", [], [((), server.dropped)]
    )
    yield _counter(
        "backbone_violations", "Publishes of devices that were denied", [], [((), server.violations)]
    )


def _of_sample(sample: Sample) -> Iterator[Metric]:
    now, streams = sample.gauges, sample.streams
    yield _gauge("sample_age_seconds", "Age of what is sampled", [], [((), time.time() - sample.at)])
    yield _gauge("outbox_events", "Events that the backbone does not have yet", [], [((), now.outbox)])
    yield _gauge("workers_alive", "Workers on this database", [], [((), now.workers)])
    yield from _of_standing(sample)
    yield _gauge(
        "process_wake_late_seconds",
        "How long the process that is due longest has been due",
        [],
        [((), sample.wake_late_s)],
    )
    yield _gauge("exceptions_open", "Open exceptions", ["owner", "kind"], now.exceptions.items())
    for name, text in (("bytes", "Size of a stream"), ("messages", "Messages in a stream")):
        yield _gauge(
            f"backbone_stream_{name}",
            text,
            ["stream"],
            [((each.stream,), getattr(each, name)) for each in streams],
        )
    yield _gauge(
        "backbone_consumer_pending",
        "Messages that a durable consumer has still before it",
        ["stream", "consumer"],
        [
            ((stream.stream, each.durable), each.pending + each.unacknowledged)
            for stream in streams
            for each in stream.consumers
        ],
    )


def _of_standing(sample: Sample) -> Iterator[Metric]:
    late, work = sample.standing.late, sample.standing.work
    yield _gauge(
        "late",
        "Calls and processes over their service level now; of events, those of the last hour",
        ["kind", "subject", "domain"],
        [((each.kind, each.subject, each.domain), each.count) for each in late],
    )
    yield _gauge(
        "late_oldest_seconds",
        "How long the oldest of them has been",
        ["kind", "subject", "domain"],
        [
            (
                (each.kind, each.subject, each.domain),
                sample.at - datetime.fromisoformat(each.oldest).timestamp(),
            )
            for each in late
            if each.oldest
        ],
    )
    for kind, of, text in (
        ("process", "processes", "Process instances that have not ended"),
        ("call", "calls", "Calls that may still take effect"),
    ):
        label = "process" if kind == "process" else "operation"
        yield _gauge(
            f"{of}_open",
            text,
            [label, "state"],
            [((each.subject, each.state), each.count) for each in work if each.kind == kind],
        )


def _gauge(name: str, text: str, labels: Sequence[str], values: Labelled) -> Metric:
    family = GaugeMetricFamily(f"lineshaft_{name}", text, labels=labels)
    for each, value in values:
        family.add_metric(each, value)
    return family


def _counter(name: str, text: str, labels: Sequence[str], values: Labelled) -> Metric:
    family = CounterMetricFamily(f"lineshaft_{name}", text, labels=labels)
    for each, value in values:
        family.add_metric(each, value)
    return family
