"""The connection to one Modbus device: a block read, or what kept it from being read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException

from lineshaft.connectors.modbus.blocks import Block
from lineshaft.connectors.modbus.options import ModbusOptions
from lineshaft.core.cancelling import cancellation_kept
from lineshaft.core.errors import TransientFault

__all__ = ["Device", "Refused", "Unanswered"]

_NAMES = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target does not respond",
}
_GATEWAY = {10, 11}
_OF_THE_BLOCK = {1, 2, 3, 4}


class Refused(Exception):
    """The device answered with an exception. is_of_the_block: another selection of registers may do.

    source  Modbus Application Protocol 1.1b3 §7
    """

    def __init__(self, block: Block, code: int) -> None:
        super().__init__(f"{block}: {_NAMES.get(code, 'exception')} ({code})")
        self.is_of_the_block = code in _OF_THE_BLOCK


class Unanswered(Exception):
    """The unit does not answer, or the gateway says so of it; the connection may still serve others."""


class Device:
    """Requests one after the other: many devices take no more than one at a time."""

    def __init__(self, options: ModbusOptions) -> None:
        self._options = options
        self._client: AsyncModbusTcpClient | None = None
        self._turn = asyncio.Lock()

    @property
    def is_connected(self) -> bool:
        return self._client is not None and self._client.connected

    async def connect(self) -> None:
        """raises  TransientFault"""
        self.close()
        options = self._options
        client = AsyncModbusTcpClient(
            options.host, port=options.port, timeout=options.timeout_s, retries=0, reconnect_delay=0
        )
        with cancellation_kept():
            is_connected = await client.connect()
        if not is_connected:
            raise TransientFault(f"Modbus device {options.host}:{options.port} cannot be reached")
        self._client = client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    async def read(self, block: Block) -> Sequence[int]:
        """The registers of the block, or its bits as 0 and 1.

        raises  Refused, Unanswered; TransientFault when the connection is lost
        """
        async with self._turn:
            if self._options.pause_ms:
                await asyncio.sleep(self._options.pause_ms / 1000)
            for attempt in range(self._options.attempts):
                try:
                    return await self._read(block)
                except Unanswered:
                    if attempt + 1 == self._options.attempts:
                        raise
        raise AssertionError("attempts is at least 1")

    async def _read(self, block: Block) -> Sequence[int]:
        client = self._client
        if client is None or not client.connected:
            raise self._lost("it closed the connection")
        functions = {
            "holding": client.read_holding_registers,
            "input": client.read_input_registers,
            "coil": client.read_coils,
            "discrete": client.read_discrete_inputs,
        }
        try:
            with cancellation_kept():
                answer = await functions[block.kind](block.first, count=block.count, device_id=block.unit)
        except ConnectionException as error:
            raise self._lost(str(error)) from error
        except ModbusException as error:
            if not client.connected:
                raise self._lost(str(error)) from error
            raise Unanswered(f"{block}: no answer within {self._options.timeout_s:g} s") from error
        if answer.isError():
            code = answer.exception_code
            if code in _GATEWAY:
                raise Unanswered(f"{block}: {_NAMES[code]} ({code})")
            raise Refused(block, code)
        read = answer.registers if block.kind in {"holding", "input"} else [int(bit) for bit in answer.bits]
        if len(read) < block.count:
            raise Unanswered(f"{block}: {len(read)} values came instead of {block.count}")
        return read

    def _lost(self, why: str) -> TransientFault:
        return TransientFault(f"Modbus device {self._options.host}:{self._options.port} is lost: {why}")
