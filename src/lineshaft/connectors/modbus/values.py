"""Registers as they were read → the value that they mean."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import TypeAlias

from lineshaft.connectors.modbus.register_map import Register

__all__ = ["Meaning", "meaning_of"]

Meaning: TypeAlias = Callable[[Sequence[int]], float | None]
_FORMS = {
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "float32": "f",
    "int64": "q",
    "uint64": "Q",
    "float64": "d",
}


def meaning_of(register: Register, start: int) -> Meaning:
    """Of a complete register. start: address of the first one in what it will be given.

    The value is scaled; None where the device has none (NaN, infinite). Whole numbers stay whole if unscaled.
    """
    at, width = register.address - start, register.width
    scale, offset = register.scale, register.offset
    plain = (scale, offset) == (1.0, 0.0)
    if register.type == "bool":
        # A bit of a register is asked for by its number; bytes the wrong way round turn 0-7 and 8-15.
        number = 0 if register.bit is None else register.bit
        mask = 1 << (number ^ 8 if register.byte_order == "little" and not register.is_single_bit else number)

        def bit(read: Sequence[int]) -> float:
            value = int(bool(int(read[at]) & mask))
            return value if plain else value * scale + offset

        return bit
    words = struct.Struct(f"{'<' if register.byte_order == 'little' else '>'}{width}H")
    form = struct.Struct(f">{_FORMS[register.type or 'uint16']}")
    turned = register.word_order == "little"

    def number_of(read: Sequence[int]) -> float | None:
        part = read[at : at + width]
        value: float = form.unpack(words.pack(*(part[::-1] if turned else part)))[0]
        scaled = value if plain else value * scale + offset
        return scaled if math.isfinite(scaled) else None

    return number_of
