"""What telemetry says to devices: requests for rebirth, and as a Sparkplug host that it is there."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec

from lineshaft.app.host_state import HostState
from lineshaft.app.sources_channel import RebirthRequest, rebirth_subject
from lineshaft.backbone import Backbone, DeviceCommands
from lineshaft.core.errors import TechnicalFault

__all__ = ["Devices"]


class Devices:
    """At our listener, where its address is known, and at the brokers of the sources.

    host   id as Sparkplug host application; empty: we are none
    """

    def __init__(self, backbone: Backbone, plant: str, host: str) -> None:
        self._connection = backbone.connection
        self._rebirths = rebirth_subject(plant)
        self._state = HostState(host)
        self._commands: DeviceCommands | None = None
        if backbone.mqtt_url:
            self._commands = backbone.device_commands(will=self._state.will, on_connect=self.say_online)

    async def run(self) -> None:
        """Hold the connection to the listener, until cancelled."""
        if self._commands is not None:
            await self._commands.run()

    async def ask_rebirth(self, topic: str, payload: bytes) -> None:
        """Of an edge node that is at our listener or at the broker of a source; elsewhere nobody listens.

        raises  TechnicalFault
        """
        await self._connection.publish(self._rebirths, msgspec.msgpack.encode(RebirthRequest(topic, payload)))
        if self._commands is not None:
            await self._commands.publish(topic, payload, qos=0)

    async def say_online(self) -> None:
        """raises  TechnicalFault"""
        await self._say(online=True)

    async def say_offline(self) -> None:
        """Before an intended end, which the will keeps silent about."""
        with suppress(TechnicalFault, TimeoutError):
            async with asyncio.timeout(2):
                await self._say(online=False)

    async def _say(self, *, online: bool) -> None:
        if self._commands is not None:
            await self._state.say(self._commands, online=online)
