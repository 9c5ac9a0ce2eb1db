"""Blocks of one group in turn: each read becomes readings; what cannot be read says so once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog

from lineshaft.connectors.modbus.blocks import Block, blocks_of
from lineshaft.connectors.modbus.device import Device, Refused, Unanswered
from lineshaft.connectors.modbus.register_map import Register, RegisterMap
from lineshaft.connectors.modbus.values import Meaning, meaning_of
from lineshaft.core.clock import Clock
from lineshaft.core.outgoing_readings import OutgoingReadings
from lineshaft.core.values import Quality

__all__ = ["Polling"]

_log = structlog.get_logger(__name__)
_AGAIN_S = 60.0
_GONE_AGAIN_S = 5.0


class Polling:
    """One group of registers.

    troubles  by block: why it cannot be read; empty when all is well
    """

    def __init__(
        self,
        registers: list[Register],
        declared: RegisterMap,
        device: Device,
        outgoing: OutgoingReadings,
        clock: Clock,
    ) -> None:
        self._device = device
        self._outgoing = outgoing
        self._clock = clock
        self._blocks = {whole: [whole] for whole in blocks_of(registers, declared)}
        self._whole_again: dict[Block, float] = {}
        self._not_before: dict[str, float] = {}
        self._meanings: dict[str, list[tuple[str, Meaning]]] = {}
        self._told: dict[str, Quality] = {}
        self.troubles: dict[str, str] = {}

    async def once(self) -> None:
        """Every block, in the parts in which the device lets it be read.

        raises  TransientFault when the connection is lost
        """
        now = self._clock.monotonic()
        for whole, parts in self._blocks.items():
            if now >= self._whole_again.get(whole, now):
                parts = [whole]  # noqa: PLW2901 - tried anew
            read = [each for part in parts for each in await self._read(part, now)]
            self._blocks[whole] = read
            if len(read) > 1 and parts == [whole]:
                self._whole_again[whole] = now + _AGAIN_S
        self._outgoing.added()

    def lost(self) -> None:
        """The connection is gone: told once of each register."""
        self._not_before.clear()
        for block in self._blocks:
            self._tell(block.registers, Quality.STALE)
        self._outgoing.added()

    async def _read(self, block: Block, now: float) -> list[Block]:
        """Refused as a whole, a block is halved until the register is found that cannot be read.

        returns  the parts in which it can be asked for
        """
        if self._not_before.get(str(block), now) > now:
            return [block]
        try:
            read = await self._device.read(block)
        except Refused as refused:
            if refused.is_of_the_block and len(block.registers) > 1:
                return [part for half in block.halves() for part in await self._read(half, now)]
            self._cannot(block, str(refused), Quality.BAD, now + _AGAIN_S if refused.is_of_the_block else now)
        except Unanswered as unanswered:
            self._cannot(block, str(unanswered), Quality.STALE, now + _GONE_AGAIN_S)
        else:
            self._take(block, read)
        return [block]

    def _take(self, block: Block, read: Sequence[int]) -> None:
        place = str(block)
        if self.troubles.pop(place, ""):
            _log.info("Modbus registers can be read again", block=place)
        meanings = self._meanings.get(place)
        if meanings is None:
            meanings = [(register.name, meaning_of(register, block.first)) for register in block.registers]
            self._meanings[place] = meanings
        now_ms = self._clock.now().timestamp() * 1000
        for name, meaning in meanings:
            value = meaning(read)
            self._told.pop(name, None)
            self._outgoing.add(name, now_ms, value, Quality.BAD if value is None else Quality.GOOD)

    def _tell(self, registers: Iterable[Register], quality: Quality) -> None:
        now_ms = self._clock.now().timestamp() * 1000
        for register in registers:
            if self._told.get(register.name) is not quality:
                self._told[register.name] = quality
                self._outgoing.add(register.name, now_ms, None, quality)

    def _cannot(self, block: Block, why: str, quality: Quality, again: float) -> None:
        place = str(block)
        if place not in self.troubles:
            _log.warning("Modbus registers cannot be read", cause=why)
        self.troubles[place] = why
        self._not_before[place] = again
        self._tell(block.registers, quality)
