"""Registers as read → values, against pymodbus' own conversion."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client import AsyncModbusTcpClient

from lineshaft.connectors.modbus.register_map import Register
from lineshaft.connectors.modbus.values import meaning_of

DATA = AsyncModbusTcpClient.DATATYPE
KINDS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "int16": (DATA.INT16, st.integers(-(2**15), 2**15 - 1)),
    "uint16": (DATA.UINT16, st.integers(0, 2**16 - 1)),
    "int32": (DATA.INT32, st.integers(-(2**31), 2**31 - 1)),
    "uint32": (DATA.UINT32, st.integers(0, 2**32 - 1)),
    "float32": (DATA.FLOAT32, st.floats(width=32, allow_nan=False, allow_infinity=False)),
    "int64": (DATA.INT64, st.integers(-(2**63), 2**63 - 1)),
    "uint64": (DATA.UINT64, st.integers(0, 2**64 - 1)),
    "float64": (DATA.FLOAT64, st.floats(allow_nan=False, allow_infinity=False)),
}


def register(kind: str, **more: Any) -> Register:
    return Register(**{"name": "x", "address": 0, "type": kind, "group": "g", "unit": 1, **more})


@given(st.data(), st.sampled_from(sorted(KINDS)), st.sampled_from(["big", "little"]))
def test_every_type_in_both_word_orders(data: st.DataObject, kind: str, order: Any) -> None:
    type_, values = KINDS[kind]
    value = data.draw(values)
    words = AsyncModbusTcpClient.convert_to_registers(value, type_, word_order=order)
    assert meaning_of(register(kind, word_order=order), 0)(words) == value
    swapped = [word >> 8 | (word & 0xFF) << 8 for word in words]
    turned = register(kind, word_order=order, byte_order="little", address=12)
    assert meaning_of(turned, 10)([0, 0, *swapped]) == value


@pytest.mark.parametrize(
    ("word_order", "byte_order", "words"),
    [
        ("big", "big", [0x4145, 0x70A4]),
        ("little", "big", [0x70A4, 0x4145]),
        ("big", "little", [0x4541, 0xA470]),
        ("little", "little", [0xA470, 0x4541]),
    ],
)
def test_the_four_orders_of_a_float(word_order: Any, byte_order: Any, words: list[int]) -> None:
    """12.34 as IEEE 754 is 41 45 70 A4."""
    read = meaning_of(register("float32", word_order=word_order, byte_order=byte_order), 0)(words)
    assert read is not None
    assert math.isclose(read, 12.34, rel_tol=1e-6)


def test_scale_and_offset() -> None:
    assert meaning_of(register("int16", scale=0.5, offset=-10), 0)([0xFFFE]) == -11.0
    assert meaning_of(register("uint16"), 0)([5]) == 5


def test_a_bit_of_a_register_and_of_a_swapped_one() -> None:
    assert [meaning_of(register("bool", bit=bit), 0)([0b1000]) for bit in (2, 3)] == [0, 1]
    assert meaning_of(register("bool", bit=3, byte_order="little"), 0)([0b1000 << 8]) == 1


def test_a_coil() -> None:
    coil = Register(name="x", kind="coil", type="bool", address=7, group="g", unit=1)
    assert [meaning_of(coil, 5)([0, 1, bit]) for bit in (1, 0)] == [1, 0]


@pytest.mark.parametrize("words", [[0x7FC0, 0], [0x7F80, 0], [0xFF80, 0]])
def test_no_number_is_none(words: list[int]) -> None:
    assert meaning_of(register("float32", word_order="big"), 0)(words) is None
