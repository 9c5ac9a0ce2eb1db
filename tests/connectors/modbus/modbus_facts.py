"""A Modbus server in this process whose registers a test sets, and a sink that remembers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from lineshaft.backbone.server_state import free_port
from lineshaft.connectors.modbus.source import ModbusSource

HOLDING = 3


class Sink:
    """A RawSink."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []

    async def put(self, messages: Sequence[tuple[str, bytes]]) -> None:
        self.messages += messages

    def of(self, metric: str) -> list[tuple[float | None, str]]:
        return [
            (value, quality)
            for _, payload in self.messages
            for columns in [msgspec.json.decode(payload)]
            for name, value, quality in zip(
                columns["metric"], columns["value"], columns["quality"], strict=True
            )
            if name == metric
        ]


class Plc:
    """Unit 1 with 200 registers and 64 bits of each kind.

    refused  addresses of holding registers: a request that touches one is answered with exception `code`
    slow_s   before each answer; mute: none at all
    asked    (function code, first, count) of each request
    """

    def __init__(self) -> None:
        self.registers = [0] * 200
        self.refused: set[int] = set()
        self.code = ExcCodes.ILLEGAL_ADDRESS
        self.slow_s = 0.0
        self.mute = asyncio.Event()
        self.mute.set()
        self.asked: list[tuple[int, int, int]] = []
        self.port = free_port()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Plc]:
        words = [SimData(0, count=200, values=0, datatype=DataType.REGISTERS)]
        bits = [SimData(0, values=[True, False] * 32, datatype=DataType.BITS)]
        device = SimDevice(1, simdata=(bits, bits, words, words), action=self._answer)
        server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await server.serve_forever(background=True)
        try:
            yield self
        finally:
            self.mute.set()
            await server.shutdown()

    async def _answer(
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        current: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        del values
        self.asked.append((function, address, count))
        await self.mute.wait()
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        if function == HOLDING:
            if self.refused & set(range(address, address + count)):
                return self.code
            current[:] = self.registers[start : start + len(current)]
        return None


@asynccontextmanager
async def running(source: ModbusSource, sink: Sink) -> AsyncIterator[None]:
    task = asyncio.create_task(source.run(sink))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
