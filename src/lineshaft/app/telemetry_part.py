"""What a node has of telemetry: the processes that do the work, what they tell, and why they died."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from lineshaft.app.child_process import ChildProcess
from lineshaft.app.lake_upkeep import keep_lake
from lineshaft.app.live_values import LiveValues
from lineshaft.app.plant_data import PlantData
from lineshaft.app.plant_telemetry import PlantTelemetry, changes, read_telemetry
from lineshaft.app.sources_channel import SourcesHealth
from lineshaft.app.telemetry_orders import TelemetryOrders
from lineshaft.backbone import Backbone
from lineshaft.core.errors import ConfigError
from lineshaft.core.ports import ExceptionDesk, Health
from lineshaft.core.values import ExceptionKind, ExceptionRecord

__all__ = ["TelemetryPart"]

_OWNER = "plant-engineering"


class TelemetryPart:
    def __init__(
        self,
        plant: PlantData,
        telemetry: PlantTelemetry,
        backbone: Backbone,
        desk: ExceptionDesk,
        on_change: Callable[[], None],
    ) -> None:
        self.values = LiveValues(telemetry.tags, telemetry.rules)
        self._sources = SourcesHealth()
        self._plant = plant
        self._backbone = backbone
        self._desk = desk
        self._on_change = on_change
        user, password = backbone.credentials
        self._orders = TelemetryOrders(
            settings=str(plant.path),
            nats_url=backbone.url,
            user=user,
            password=password,
            mqtt_url=backbone.mqtt_url,
            mqtt_tls=plant.mqtt_tls,
            topic_filters=plant.topic_filters,
        )
        self._telemetry_child = self._child("telemetry")
        self._sources_child = self._child("sources")

    @property
    def pid(self) -> int | None:
        """Of the telemetry process, while it runs."""
        return self._telemetry_child.pid

    def checks(self) -> dict[str, tuple[str, Callable[[], Awaitable[Health]]]]:
        """Title and health, by name, of telemetry and of each source."""

        async def telemetry() -> Health:
            return await self._telemetry_child.health(self.values.health, self.values.heard_at)

        async def source(name: str) -> Health:
            return await self._sources_child.health(partial(self._sources.of, name), self._sources.heard_at)

        sources = {each.name: (each.name, partial(source, each.name)) for each in self._plant.sources}
        return {"telemetry": ("Telemetry", telemetry), **sources}

    def runs(self) -> list[Coroutine[Any, Any, None]]:
        """Each until cancelled."""
        plant, connection = self._plant, self._backbone.connection
        runs = [
            self._telemetry_child.run(),
            self.values.follow(connection, plant.settings.plant, self._on_change),
            self._follow_files(),
        ]
        if plant.settings.telemetry and plant.settings.telemetry.lake:
            runs.append(keep_lake(plant.path))
        if plant.sources:
            runs.append(self._sources_child.run())
            runs.append(self._sources.follow(connection, plant.settings.plant))
        return runs

    def _child(self, part: str) -> ChildProcess:
        async def report(reason: str) -> None:
            record = ExceptionRecord(
                kind=ExceptionKind.TECHNICAL_FAULT,
                plant=self._plant.settings.plant,
                source=part,
                owner=_OWNER,
                cause=reason,
            )
            await self._desk.report([record])

        return ChildProcess(f"lineshaft.app.{part}_child", self._orders, report)

    async def _follow_files(self) -> None:
        """The console shows the limits that telemetry uses."""
        telemetry, folder = self._plant.settings.telemetry, self._plant.path.parent
        if telemetry is None:
            return
        async for _ in changes(telemetry, folder):
            with suppress(ConfigError):  # the telemetry process says what is wrong
                now = read_telemetry(telemetry, folder)
                self.values.tags, self.values.rules = now.tags, now.rules
