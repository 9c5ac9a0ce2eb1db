"""The telemetry of a node, in a process of its own: a flood of readings delays no posting."""

from __future__ import annotations

import asyncio
import gc
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from filelock import FileLock, Timeout

from lineshaft.app.child_process import follow_orders
from lineshaft.app.devices import Devices
from lineshaft.app.live_channel import LiveSpeaker
from lineshaft.app.log import log_to_stderr
from lineshaft.app.plant_telemetry import PlantTelemetry, changes, read_telemetry
from lineshaft.app.settings import (
    Settings,
    TelemetrySettings,
    data_dir,
    lake_root,
    load_settings,
    store_url,
)
from lineshaft.app.telemetry_orders import TelemetryOrders
from lineshaft.backbone import RAW, Backbone
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import ConfigError, TransientFault
from lineshaft.core.ports import RawSource
from lineshaft.core.values import RawBatch
from lineshaft.ledger import Desk
from lineshaft.store import Store, TelemetryState
from lineshaft.telemetry import (
    ColumnarEvaluation,
    Decoder,
    Rules,
    TelemetryPipeline,
)
from lineshaft.telemetry.lake import needs_lake_extra

if TYPE_CHECKING:
    from lineshaft.telemetry.lake.lake import Lake

__all__ = ["work"]

_LOG = structlog.get_logger(__name__)
_EACH_S = 1.0
_LOCK_S = 60.0
_SWITCH_S = 0.0002
_LAST_S = 10.0
_CLOCK = SystemClock()


async def work(orders: TelemetryOrders, stop: asyncio.Event) -> None:
    """Until `stop` is set."""
    path = Path(orders.settings)
    settings, _ = load_settings(path)
    telemetry = settings.telemetry
    if telemetry is None:
        raise ConfigError(f"{path} has no telemetry section")
    async with AsyncExitStack() as stack:
        lock = FileLock(data_dir(settings, path) / "telemetry.lock")
        # that of a node which was killed a moment ago may hold it still
        try:
            await asyncio.to_thread(lock.acquire, timeout=_LOCK_S)
        except Timeout as error:
            raise TransientFault(
                f"another telemetry process has held {lock.lock_file} for {_LOCK_S:g} s",
                hint="it ends soon after the node that started it: stop that node, or the process itself",
            ) from error
        stack.callback(lock.release)
        ledger = Store.open(store_url(settings, path))
        stack.push_async_callback(ledger.close)
        state = Store.open(_state_url(settings, path))
        stack.push_async_callback(state.close)
        backbone = await Backbone.join(
            orders.nats_url,
            user=orders.user,
            password=orders.password,
            mqtt_url=orders.mqtt_url,
            mqtt_tls=orders.mqtt_tls,
            topic_filters=orders.topic_filters,
        )
        stack.push_async_callback(backbone.stop)
        plant = read_telemetry(telemetry, path.parent)
        lake = await _lake(telemetry, path.parent, plant)
        if lake is not None:
            stack.push_async_callback(lake.close)
        devices = Devices(backbone, settings.plant, telemetry.sparkplug_host)
        pipeline = TelemetryPipeline(
            plant=settings.plant,
            source=f"/{settings.enterprise}/{settings.plant}/telemetry/main",
            rules=_rules(plant, telemetry),
            publisher=backbone.publisher,
            desk=Desk(ledger, _CLOCK),
            store=TelemetryState(state, settings.plant),
            clock=_CLOCK,
            lake=lake,
            on_rebirth=devices.ask_rebirth,
            on_contradicted=devices.say_online,
        )
        await _Run(settings, telemetry, path.parent, backbone, pipeline, devices).until(stop)


class _Run:
    def __init__(
        self,
        settings: Settings,
        telemetry: TelemetrySettings,
        folder: Path,
        backbone: Backbone,
        pipeline: TelemetryPipeline,
        devices: Devices,
    ) -> None:
        self._devices = devices
        self._telemetry = telemetry
        self._folder = folder
        self._pipeline = pipeline
        self._source: RawSource = backbone.raw_source()
        self._has_caught_up = False
        self._behind: dict[str, int | None] = {}
        self._speaker = LiveSpeaker(backbone.connection, settings.plant, pipeline)

    async def until(self, stop: asyncio.Event) -> None:
        after = await self._pipeline.start()
        gc.collect()
        gc.freeze()  # tags and rules stay: looking through them again and again took 70 ms each time
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self._source.run(self._take, after)),
                tasks.create_task(self._keep()),
                tasks.create_task(self._speaker.run()),
                tasks.create_task(self._follow_files()),
                tasks.create_task(self._devices.run()),
            ]
            await stop.wait()
            await self._devices.say_offline()
            for task in running:
                task.cancel()
        try:
            async with asyncio.timeout(_LAST_S):
                await self._checkpoint()
        except TimeoutError:
            _LOG.warning("telemetry.not_saved_at_the_end", next_step="the next start goes on from before")

    async def _take(self, batch: RawBatch) -> None:
        await self._pipeline.take(batch)
        self._behind[batch.stream] = batch.stored_us[-1] if batch.waiting else None
        self._speaker.took(batch)

    def _taken_up_to(self) -> int | None:
        """µs since 1970: every message stored before that was taken; None: all are."""
        return min((stored for stored in self._behind.values() if stored is not None), default=None)

    async def _keep(self) -> None:
        lake, slept_s = self._telemetry.lake, 0.0
        while True:
            await asyncio.sleep(_EACH_S)
            slept_s += _EACH_S
            self._has_caught_up = self._has_caught_up or self._source.caught_up
            if self._has_caught_up:
                await self._pipeline.tick(self._taken_up_to())
            if lake is None or slept_s >= lake.flush_s:
                slept_s = 0.0
                await self._checkpoint()
            else:
                with suppress(TransientFault):  # the next checkpoint tells
                    await self._pipeline.report()

    async def _checkpoint(self) -> None:
        try:
            await self._source.done(await self._pipeline.checkpoint())
            self._speaker.trouble = ""
        except TransientFault as fault:
            self._speaker.trouble = f"state is not saved: {fault}"
            _LOG.warning("telemetry.not_saved_yet", fault=str(fault))

    def _read(self) -> Rules:
        return _rules(read_telemetry(self._telemetry, self._folder), self._telemetry)

    async def _follow_files(self) -> None:
        async for _ in changes(self._telemetry, self._folder):
            try:
                await self._pipeline.change(self._read())
                self._speaker.forget()
                await self._checkpoint()
            except ConfigError as error:
                self._speaker.problem = f"changed files are not used: {error.findings or error.message}"
                _LOG.error("telemetry.files_refused", findings=error.findings or [error.message])
            else:
                self._speaker.problem = ""
                _LOG.info("telemetry.files_taken")


def _rules(plant: PlantTelemetry, telemetry: TelemetrySettings) -> Rules:
    decoder = Decoder(
        plant.tags,
        plant.maps,
        _CLOCK,
        host=telemetry.sparkplug_host,
        most_messages_per_s=telemetry.most_messages_per_s,
        lossy=frozenset([RAW]),
    )
    return Rules(plant.rules.tags, decoder, ColumnarEvaluation(plant.rules))


async def _lake(telemetry: TelemetrySettings, folder: Path, plant: PlantTelemetry) -> Lake | None:
    if telemetry.lake is None:
        return None
    with needs_lake_extra():
        from lineshaft.telemetry.lake.lake import Lake as Opened  # noqa: PLC0415 - an extra
    return await Opened.open(lake_root(telemetry.lake, folder), plant.rules.tags, telemetry.lake)


def _state_url(settings: Settings, path: Path) -> str:
    """A file of its own: saving it each second must not hold up the ledger's transactions."""
    if settings.store.url.startswith("postgresql"):
        return settings.store.url
    return f"sqlite:///{data_dir(settings, path) / 'telemetry.db'}"


if __name__ == "__main__":
    log_to_stderr()
    sys.setswitchinterval(_SWITCH_S)  # while the lake is written, messages want the interpreter back at once
    follow_orders(TelemetryOrders, work)
