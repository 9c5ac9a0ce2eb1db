"""The sources of a node, in a process of their own: a device that misbehaves delays nothing else."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog
from nats.aio.msg import Msg

from lineshaft.app.child_process import follow_orders, leaves, reason_of
from lineshaft.app.log import log_to_stderr
from lineshaft.app.plant_telemetry import changes, read_telemetry
from lineshaft.app.settings import TelemetrySettings, load_settings
from lineshaft.app.sources import Source, read_sources
from lineshaft.app.sources_channel import RebirthRequest, health_subject, rebirth_subject
from lineshaft.app.telemetry_orders import TelemetryOrders
from lineshaft.backbone import Backbone
from lineshaft.connectors.mqtt import MqttSource
from lineshaft.core.errors import ConfigError, LineshaftError, TransientFault
from lineshaft.core.ports import DeviceSource, Health, HealthState
from lineshaft.telemetry import TagList

__all__ = ["run_sources", "work"]

_LOG = structlog.get_logger(__name__)
_TELL_S = 2.0
_REBIRTH_S = 1.0
_BACKOFF_S = (5.0, 10.0, 30.0, 60.0)  # what a source mends itself, it does not raise
_STEADY_S = 120.0


async def work(orders: TelemetryOrders, stop: asyncio.Event) -> None:
    """Until `stop` is set."""
    path = Path(orders.settings)
    settings, file = load_settings(path)
    telemetry = settings.telemetry
    if telemetry is None:
        raise ConfigError(f"{path} has no telemetry section")
    backbone = await Backbone.join(
        orders.nats_url,
        user=orders.user,
        password=orders.password,
        mqtt_url=orders.mqtt_url,
        mqtt_tls=orders.mqtt_tls,
        topic_filters=orders.topic_filters,
    )
    try:
        await run_sources(telemetry, path.parent, read_sources(file), backbone, settings.plant, stop)
    finally:
        await backbone.stop()


async def run_sources(
    telemetry: TelemetrySettings,
    folder: Path,
    declared: list[Source],
    backbone: Backbone,
    plant: str,
    stop: asyncio.Event,
) -> None:
    """Until `stop` is set; folder: of the settings file."""
    await _Sources(telemetry, folder, declared, backbone, plant).until(stop)


class _Sources:
    def __init__(
        self,
        telemetry: TelemetrySettings,
        folder: Path,
        declared: list[Source],
        backbone: Backbone,
        plant: str,
    ) -> None:
        self._telemetry = telemetry
        self._folder = folder
        self._declared = declared
        self._backbone = backbone
        self._plant = plant
        self._running: dict[str, DeviceSource] = {}
        self._refused: dict[str, Health] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def until(self, stop: asyncio.Event) -> None:
        connection = self._backbone.connection
        subscription = await connection.subscribe(rebirth_subject(self._plant), self._pass_on)
        tags = read_telemetry(self._telemetry, self._folder).tags
        try:
            async with asyncio.TaskGroup() as tasks:
                for source in self._declared:
                    self._tasks[source.name] = tasks.create_task(self._run(source, tags))
                others = [tasks.create_task(self._follow_tags(tasks, tags)), tasks.create_task(self._tell())]
                await stop.wait()
                for task in (*others, *self._tasks.values()):
                    task.cancel()
        finally:
            await connection.unsubscribe(subscription)

    async def _run(self, source: Source, tags: TagList) -> None:
        """Until cancelled, or until it says that its declaration is wrong; any other error, and it begins
        anew: one source, and the library that it is made with, must not end the others."""
        attempt, loop = 0, asyncio.get_running_loop()
        while True:
            begun_at = loop.time()
            try:
                self._running[source.name] = running = source.make(tags, self._telemetry.sparkplug_host)
                self._refused.pop(source.name, None)
                await running.run(self._backbone.raw_sink())
                return
            except Exception as error:
                attempt = 1 if loop.time() - begun_at > _STEADY_S else attempt + 1
                pause_s = _BACKOFF_S[min(attempt, len(_BACKOFF_S)) - 1]
                if not self._begins_anew(source.name, error, pause_s):
                    return
            await asyncio.sleep(pause_s)

    def _begins_anew(self, name: str, error: Exception, pause_s: float) -> bool:
        """Whether it does; its health says why it stopped."""
        errors, reason = list(leaves(error)), reason_of(error)
        helps = not any(isinstance(each, ConfigError) for each in errors)
        if helps:
            reason += f"; it starts again in {pause_s:g} s"
        foreseen = all(isinstance(each, LineshaftError) for each in errors)
        _LOG.error("source.stopped", source=name, error=reason, exc_info=None if foreseen else error)
        self._refused[name] = Health(state=HealthState.STOPPED, detail=reason)
        return helps

    async def _follow_tags(self, tasks: asyncio.TaskGroup, tags: TagList) -> None:
        """A source whose tags have changed is made anew; the others go on."""
        async for _ in changes(self._telemetry, self._folder):
            before = tags
            try:
                tags = read_telemetry(self._telemetry, self._folder).tags
            except ConfigError:
                continue  # the telemetry process says what is wrong
            for source in self._declared:
                if source.metrics(before) != source.metrics(tags):
                    _LOG.info("source.tags_changed", source=source.name)
                    task = self._tasks[source.name]
                    task.cancel()
                    await asyncio.wait([task])
                    self._tasks[source.name] = tasks.create_task(self._run(source, tags))

    async def _tell(self) -> None:
        while True:
            told = {name: source.health() for name, source in self._running.items()} | self._refused
            with suppress(TransientFault):
                await self._backbone.connection.publish(
                    health_subject(self._plant), msgspec.json.encode(told)
                )
            await asyncio.sleep(_TELL_S)

    async def _pass_on(self, message: Msg) -> None:
        request = msgspec.msgpack.decode(message.data, type=RebirthRequest)
        brokers = [source for source in self._running.values() if isinstance(source, MqttSource)]
        sent = (
            source.publish(request.topic, request.payload, qos=0, deadline_s=_REBIRTH_S) for source in brokers
        )
        for outcome in await asyncio.gather(*sent, return_exceptions=True):
            if outcome is not None:
                _LOG.warning("source.rebirth_not_sent", topic=request.topic, fault=str(outcome))


if __name__ == "__main__":
    log_to_stderr()
    follow_orders(TelemetryOrders, work)
