"""Neighbouring registers are read together: one request costs as much as a hundred registers.

source  Modbus Application Protocol 1.1b3 §6.1 to §6.4: at most 125 registers or 2,000 bits in one request
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineshaft.connectors.modbus.register_map import Hole, Kind, Register, RegisterMap

__all__ = ["Block", "blocks_of"]

_MOST_REGISTERS, _MOST_BITS = 125, 2000


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One request: `count` registers or bits of a unit from `first` on; registers: what is in there."""

    unit: int
    kind: Kind
    first: int
    count: int
    registers: tuple[Register, ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.first} to {self.first + self.count - 1} of unit {self.unit}"

    def halves(self) -> tuple[Block, Block]:
        """Of at least two registers."""
        middle = len(self.registers) // 2
        return _block(self.registers[:middle]), _block(self.registers[middle:])


def blocks_of(registers: list[Register], declared: RegisterMap) -> list[Block]:
    """As few requests as possible for complete registers (see `read_register_map`), never over a hole."""
    together: list[list[Register]] = []
    end = 0
    for register in sorted(registers, key=lambda each: (each.unit or 0, each.kind, each.address)):
        if together and _fits(register, together[-1][0], end, declared):
            together[-1].append(register)
            end = max(end, register.address + register.width)
        else:
            together.append([register])
            end = register.address + register.width
    return [_block(each) for each in together]


def _fits(register: Register, first: Register, end: int, declared: RegisterMap) -> bool:
    """Into the request that begins with `first` and ends before address `end`."""
    most = _MOST_BITS if register.is_single_bit else _MOST_REGISTERS
    return (
        (first.unit, first.kind) == (register.unit, register.kind)
        and register.address - end <= declared.max_gap
        and register.address + register.width - first.address <= most
        and not any(_between(hole, first, end, register) for hole in declared.holes)
    )


def _between(hole: Hole, first: Register, end: int, register: Register) -> bool:
    same = (hole.unit, hole.kind) == (first.unit, first.kind)
    return same and hole.first < register.address and hole.last >= end


def _block(together: Sequence[Register]) -> Block:
    first = together[0]
    end = max(each.address + each.width for each in together)
    return Block(
        unit=first.unit or 0,
        kind=first.kind,
        first=first.address,
        count=end - first.address,
        registers=tuple(together),
    )
