"""The other machines of the line, publishing slow, believable values, so that the plant looks alive."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from estate.machines.behaviour import LEVELS, SteadyBehaviour
from estate.machines.mqtt_device import MqttDevice
from estate.plant import MACHINES

__all__ = ["PlantLife"]


class PlantLife:
    """`async with PlantLife(host=…, port=…): …` runs capper, labeller and palletiser."""

    def __init__(
        self, *, host: str, port: int, username: str = "", password: str = "", interval_s: float = 2.0
    ) -> None:
        self.devices = [
            MqttDevice(
                machine,
                SteadyBehaviour(machine),
                host=host,
                port=port,
                username=username,
                password=password,
                interval_s=interval_s,
            )
            for machine in MACHINES
            if machine.equipment in LEVELS
        ]

    def start(self) -> None:
        for device in self.devices:
            device.start()

    async def stop(self) -> None:
        await asyncio.gather(*(asyncio.to_thread(device.stop) for device in self.devices))

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
