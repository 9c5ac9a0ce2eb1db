"""Every metric that is counted where it happens, declared once: for Prometheus and OTLP alike.

Labels take few values: names of types, systems, operations, routes, states and desks, never a business key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from lineshaft.contracts.event import EventContract
from lineshaft.core.clock import Clock
from lineshaft.core.errors import BusinessFault, ContractViolation, LineshaftError, OutcomeUnknown
from lineshaft.core.ports import CallPort
from lineshaft.core.subscriptions import DeliveryState
from lineshaft.core.values import Command, Event, Outcome
from lineshaft.processes.records import ProcessState

__all__ = ["MeteredCalls", "Metrics"]

_QUICK_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LAG_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0)
_PROCESS_S = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0, 604_800.0)
_COMMIT_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
_UNITS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_STALL_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_OTHER = "other"
_MOST_VALUES = 200
_NOBODY = -1  # has no files under /proc


class _Few:
    """The values that were seen first, and `other` for what is beyond them."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, value: str) -> str:
        if value not in self._seen:
            if len(self._seen) >= _MOST_VALUES:
                return _OTHER
            self._seen.add(value)
        return value


class _Timed:
    """A counter with a histogram of how long it took, by the first `timed_by` of the labels."""

    def __init__(
        self,
        registry: CollectorRegistry,
        counter: tuple[str, str],
        histogram: tuple[str, str],
        labels: Sequence[str],
        timed_by: int,
        buckets: Sequence[float],
    ) -> None:
        self._counter = Counter(*counter, labels, registry=registry)
        self._histogram = Histogram(*histogram, labels[:timed_by], buckets=buckets, registry=registry)
        self._timed_by = timed_by
        self._known: dict[
            tuple[str, ...], tuple[Counter, Histogram]
        ] = {}  # finding them costs more than adding

    def expect(self, labels: tuple[str, ...]) -> None:
        """Begin at zero: of a series that was not there before, Prometheus tells no increase."""
        self._counter.labels(*labels)

    def add(self, labels: tuple[str, ...], took_s: float) -> None:
        found = self._known.get(labels)
        if found is None:
            timed = self._histogram.labels(*labels[: self._timed_by])
            found = self._known[labels] = self._counter.labels(*labels), timed
        found[0].inc()
        found[1].observe(took_s)


class Metrics(Collector):
    """Implements core.ports.ProcessMeter. `collect` gives each sample the plant, where it has none.

    telemetry_pid   of the telemetry process while it runs
    """

    def __init__(
        self,
        plant: str,
        version: str,
        contracts: Mapping[str, EventContract[Any]],
        clock: Clock,
        *,
        telemetry_pid: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.plant = plant
        self._contracts = contracts
        self._clock = clock
        self._few = _Few()
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        ProcessCollector("lineshaft_telemetry", lambda: telemetry_pid() or _NOBODY, registry=registry)
        GCCollector(registry=registry)
        Gauge("lineshaft_build_info", "1, with the version", ["version"], registry=registry).labels(
            version
        ).set(1)
        self._events = _Timed(
            registry,
            ("lineshaft_events_recorded", "Events written to the ledger, repeats with them"),
            ("lineshaft_event_lag_seconds", "From what an event tells to its row in the ledger"),
            ("class", "type", "plant"),
            1,
            _LAG_S,
        )
        self._calls = _Timed(
            registry,
            ("lineshaft_calls", "Calls through the one door, by what came of them"),
            ("lineshaft_call_duration_seconds", "From asking to the outcome, with waiting and retries"),
            ("system", "operation", "outcome"),
            2,
            _QUICK_S,
        )
        self._started = Counter(
            "lineshaft_processes_started", "Process instances started", ["process"], registry=registry
        )
        self._ended = _Timed(
            registry,
            ("lineshaft_processes_ended", "Process instances that ended, or were parked for a person"),
            (
                "lineshaft_process_duration_seconds",
                "From the start of a process to its end, or to being parked",
            ),
            ("process", "state"),
            1,
            _PROCESS_S,
        )
        self._requests = _Timed(
            registry,
            ("lineshaft_http_requests", "Requests to the gateway"),
            (
                "lineshaft_http_request_duration_seconds",
                "From request to answer, or the beginning of a stream",
            ),
            ("route", "method", "status"),
            1,
            _QUICK_S,
        )
        self._webhooks = Counter(
            "lineshaft_webhook_attempts", "Attempts at webhooks", ["outcome"], registry=registry
        )
        self._commit_units = Histogram(
            "lineshaft_store_commit_units", "Units of work in one commit", buckets=_UNITS, registry=registry
        )
        self._commit_s = Histogram(
            "lineshaft_store_commit_duration_seconds",
            "One commit, waiting for a database that is away with it",
            buckets=_COMMIT_S,
            registry=registry,
        )
        self._loop_lag = Histogram(
            "lineshaft_event_loop_lag_seconds",
            "How much later than asked for the event loop came back",
            buckets=_STALL_S,
            registry=registry,
        )

    def expect(self, operations: Mapping[str, str], processes: Iterable[str]) -> None:
        """What alerts must not miss. operations: with the systems that serve them"""
        for operation, system in operations.items():
            for outcome in ("rejected", "unknown", "failed"):
                self._calls.expect((system, operation, outcome))
        for process in processes:
            self._started.labels(process)
            for state in (ProcessState.COMPLETED, ProcessState.PARKED):
                self._ended.expect((process, state))
        for outcome in (DeliveryState.DELIVERED, DeliveryState.WAITING, DeliveryState.FAILED):
            self._webhooks.labels(outcome)

    def collect(self) -> Iterable[Metric]:
        """May be called in any thread."""
        for metric in self.registry.collect():
            metric.samples = [
                sample._replace(labels={"plant": self.plant, **sample.labels})
                for sample in metric.samples
                if not sample.name.endswith("_created")  # when a series began: as many series again
            ]
            yield metric

    def recorded(self, batch: Sequence[Event]) -> None:
        now = self._clock.now()
        for event in batch:
            type = event.type if event.type in self._contracts else _OTHER
            lag_s = max((now - event.time).total_seconds(), 0.0)
            self._events.add((event.eventclass, type, self._few(event.plant)), lag_s)

    def called(self, system: str, operation: str, outcome: str, took_s: float) -> None:
        self._calls.add((system, operation, outcome), took_s)

    def started(self, process: str) -> None:
        self._started.labels(process).inc()

    def ended(self, process: str, state: str, took_s: float) -> None:
        self._ended.add((process, state), took_s)

    def answered(self, method: str, route: str, status: int, took_s: float) -> None:
        self._requests.add((route, method, str(status)), took_s)

    def attempted(self, outcome: str) -> None:
        """Of a webhook."""
        self._webhooks.labels(outcome).inc()

    def committed(self, units: int, took_s: float) -> None:
        """In any thread."""
        self._commit_units.observe(units)
        self._commit_s.observe(took_s)

    def came_back(self, late_s: float) -> None:
        self._loop_lag.observe(max(late_s, 0.0))


class MeteredCalls:
    """A CallPort that counts. systems: of each operation, the name of the system that serves it."""

    def __init__(self, door: CallPort, systems: Mapping[str, str], metrics: Metrics) -> None:
        self._door = door
        self._systems = systems
        self._metrics = metrics

    async def call(self, command: Command) -> Outcome:
        """See core.ports.CallPort."""
        began, outcome = perf_counter(), "failed"
        try:
            done = await self._door.call(command)
            outcome = _done(done)
            return done
        except LineshaftError as fault:
            outcome = _left(fault)
            raise
        finally:
            name = command.operation
            if name in self._systems:  # else anybody could make names up
                self._metrics.called(self._systems[name], name, outcome, perf_counter() - began)


def _done(outcome: Outcome) -> str:
    if not outcome.call_id:
        return "answered"
    return "replayed" if outcome.replayed else "posted"


def _left(fault: LineshaftError) -> str:
    if isinstance(fault, BusinessFault):
        return "rejected"
    if isinstance(fault, OutcomeUnknown):
        return "unknown"
    if isinstance(fault, ContractViolation):
        return "invalid"
    return "refused" if fault.code == "not_authorised" else "failed"
