"""A Modbus device as a source of readings: each group polled at its pace, connected again after a loss."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import structlog

from lineshaft.connectors.modbus.device import Device
from lineshaft.connectors.modbus.options import ModbusOptions
from lineshaft.connectors.modbus.polling import Polling
from lineshaft.connectors.modbus.register_map import read_register_map
from lineshaft.core.clock import Clock, SystemClock
from lineshaft.core.errors import ConfigError, TransientFault
from lineshaft.core.outgoing_readings import OutgoingReadings, doubling
from lineshaft.core.ports import Health, HealthState, RawSink

__all__ = ["ModbusSource"]

_log = structlog.get_logger(__name__)
_FIRST_RETRY_S = 0.5
_SHOWN = 3


class ModbusSource:
    """A DeviceSource. metrics: names of registers; folder: where the path of the map starts."""

    def __init__(
        self,
        name: str,
        options: ModbusOptions,
        metrics: Sequence[str],
        *,
        folder: Path = Path(),
        clock: Clock | None = None,
    ) -> None:
        """raises  ConfigError with every finding"""
        options.check(name)
        self.name = name
        self._options = options
        self._clock = clock or SystemClock()
        topic = options.topic or f"modbus/{name}"
        if not metrics:
            raise ConfigError(
                f"Modbus source {name!r} has nothing to ask for: no tag has topic {topic!r}",
                hint="add its tags to the tag list, or remove the source",
            )
        path = folder / options.map
        declared = read_register_map(path).wanted(metrics, str(path))
        self._device = Device(options)
        self.outgoing = OutgoingReadings(topic, gather_s=options.gather_ms / 1000)
        self._pollings = {
            group: Polling(registers, declared, self._device, self.outgoing, self._clock)
            for group in declared.groups
            if (registers := [each for each in declared.registers if each.group == group])
        }
        self._every_s = {group: declared.groups[group].every_ms / 1000 for group in self._pollings}
        self._count = len(declared.registers)
        self._trouble = ""
        self._was_connected = False
        self.skipped = 0

    async def run(self, sink: RawSink) -> None:
        """As DeviceSource; nothing that the device does ends it."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.outgoing.run(sink))
                tasks.create_task(self._stay_connected())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._device.close()

    def health(self) -> Health:
        where = f"{self._options.host}:{self._options.port}"
        if self._trouble:
            return Health(state=HealthState.DEGRADED, detail=self._trouble)
        if not self._was_connected:
            return Health(state=HealthState.STARTING, detail=f"connecting to {where}")
        troubles = [why for polling in self._pollings.values() for why in polling.troubles.values()]
        more = [f"and {len(troubles) - _SHOWN} more blocks"] if len(troubles) > _SHOWN else []
        told = [f"{self._count} metrics of {where}", *troubles[:_SHOWN], *more]
        if self.skipped:
            told.append(f"{self.skipped} polls were skipped, the device is slower than every_ms asks")
        if self.outgoing.trouble:
            told.append(self.outgoing.trouble)
        is_well = not (troubles or self.outgoing.trouble)
        return Health(state=HealthState.ACTIVE if is_well else HealthState.DEGRADED, detail="; ".join(told))

    async def look(self) -> Health:
        """Connect, read every block once, disconnect: for `lineshaft doctor`."""
        began = self._clock.monotonic()
        try:
            await self._device.connect()
            self._was_connected = True
            for polling in self._pollings.values():
                await polling.once()
        except TransientFault as fault:
            return Health(state=HealthState.STOPPED, detail=str(fault))
        finally:
            self._device.close()
        health = self.health()
        latency_ms = (self._clock.monotonic() - began) * 1000
        return Health(state=health.state, detail=health.detail, latency_ms=latency_ms)

    async def _stay_connected(self) -> None:
        pauses = doubling(_FIRST_RETRY_S, self._options.retry_s)
        while True:
            try:
                await self._device.connect()
                self._was_connected, self._trouble = True, ""
                _log.info("connected to a Modbus device", source=self.name, detail=self.health().detail)
                pauses = doubling(_FIRST_RETRY_S, self._options.retry_s)
                await self._poll()
            except* TransientFault as faults:
                fault = faults.exceptions[0]
                if str(fault) != self._trouble:
                    _log.warning("a Modbus device is away", source=self.name, cause=str(fault))
                self._trouble = str(fault)
            for polling in self._pollings.values():
                polling.lost()
            await asyncio.sleep(pauses())

    async def _poll(self) -> None:
        """Until the connection is lost. raises TransientFault in a group"""
        async with asyncio.TaskGroup() as tasks:
            for group, polling in self._pollings.items():
                tasks.create_task(self._poll_group(polling, self._every_s[group]))

    async def _poll_group(self, polling: Polling, every_s: float) -> None:
        """At even times; a poll whose time has passed while the device was busy is skipped, never made up."""
        due = self._clock.monotonic()
        while True:
            await self.outgoing.room()
            await polling.once()
            due += every_s
            late = self._clock.monotonic() - due
            if late > 0:
                missed = int(late / every_s) + 1
                self.skipped += missed
                due += missed * every_s
            await asyncio.sleep(due - self._clock.monotonic())
