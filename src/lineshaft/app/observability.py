"""What a node tells of itself, wired: metrics for who asks, and to the collector that settings name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from starlette.responses import Response

from lineshaft import __version__
from lineshaft.app.metric_readings import Readings
from lineshaft.app.metric_samples import Sampler
from lineshaft.app.metrics import MeteredCalls, Metrics
from lineshaft.app.monitor import Monitor
from lineshaft.app.plant_data import PlantData
from lineshaft.app.readiness import Readiness, health_routes
from lineshaft.app.service_levels import levels_of
from lineshaft.app.telemetry_part import TelemetryPart
from lineshaft.backbone import Backbone
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.core.clock import Clock
from lineshaft.core.ports import CallPort
from lineshaft.core.tracing import taking_spans
from lineshaft.gateway.route import ApiRoute, Asked
from lineshaft.insight.overview import Overview
from lineshaft.store import Store, Worker

__all__ = ["Observability", "metrics_route"]


class Observability:
    def __init__(
        self,
        plant: PlantData,
        store: Store,
        backbone: Backbone,
        worker: Worker,
        monitor: Monitor,
        clock: Clock,
        *,
        telemetry: TelemetryPart | None,
    ) -> None:
        settings = plant.settings
        self.metrics = Metrics(
            settings.plant,
            __version__,
            EVENTS,
            clock,
            telemetry_pid=lambda: telemetry.pid if telemetry else None,
        )
        self.readiness = Readiness(settings.plant, monitor.views)
        self._plant = plant
        self._worker = worker.name
        overview = Overview(store, levels_of(settings, plant.processes), clock, settings.plant)
        self._sampler = Sampler(
            store,
            backbone,
            settings.plant,
            clock,
            self.metrics.came_back,
            partial(overview.standing, [settings.plant]),
        )
        self.metrics.registry.register(
            Readings(
                plant.systems,
                monitor.views,
                lambda: telemetry.values.heard if telemetry else None,
                worker,
                backbone.server,
                self._sampler,
                self.readiness.__bool__,
            )
        )
        store.on_commit(self.metrics.committed)
        self._served_by = {name: system.name for system in plant.systems for name in system.operations}
        self.metrics.expect(self._served_by, [process.name for process in plant.processes])

    def metered(self, door: CallPort) -> CallPort:
        return MeteredCalls(door, self._served_by, self.metrics)

    def routes(self) -> list[ApiRoute]:
        return [*health_routes(self.readiness), metrics_route(self.metrics)]

    def runs(self) -> list[Coroutine[Any, Any, None]]:
        """Each until cancelled."""
        return self._sampler.runs()

    @asynccontextmanager
    async def exporting(self) -> AsyncIterator[None]:
        """Inside, spans and metrics go to the collector that the settings name."""
        settings = self._plant.settings
        if not settings.otlp:
            yield
            return
        # A tenth of what a node loads, for those who have a collector.
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415

        from lineshaft.app.otlp import OtlpExport  # noqa: PLC0415

        resource = Resource.create(
            {
                "service.name": "lineshaft",
                "service.namespace": settings.enterprise,
                "service.instance.id": self._worker,
                "service.version": __version__,
                "lineshaft.plant": settings.plant,
            }
        )
        export = OtlpExport(settings.otlp, resource, self.metrics.collect)
        self.metrics.registry.register(export)
        export.start()
        try:
            with taking_spans(export.take):
                yield
        finally:
            await asyncio.to_thread(export.stop)


def metrics_route(metrics: Collector) -> ApiRoute:
    async def show(asked: Asked) -> Response:
        wants_open = "application/openmetrics-text" in asked.headers.get("accept", "")
        if wants_open:
            text = await asyncio.to_thread(openmetrics.generate_latest, metrics)
            return Response(text, media_type=openmetrics.CONTENT_TYPE_LATEST)
        text = await asyncio.to_thread(generate_latest, metrics)
        return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return ApiRoute(
        method="GET",
        path="/metrics",
        name="metrics",
        summary="Metrics of this node, for Prometheus",
        permission="read:metrics",
        handler=show,
        tag="node",
        answers={200: {"type": "string"}},
        answer_media="text/plain",
        noted=False,
    )
