"""What is read together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lineshaft.connectors.modbus.blocks import blocks_of
from lineshaft.connectors.modbus.register_map import Group, Hole, Register, RegisterMap

TYPES = {"int16": 1, "float32": 2, "int64": 4}


def holding(address: int, kind: str = "int16", unit: int = 1) -> Register:
    return Register(name=f"r{unit}.{address}", address=address, type=kind, unit=unit, group="g")  # type: ignore[arg-type]


def coil(address: int) -> Register:
    return Register(name=f"c{address}", address=address, kind="coil", type="bool", unit=1, group="g")


def declared(registers: list[Register], *, max_gap: int = 8, holes: list[Hole] | None = None) -> RegisterMap:
    return RegisterMap(
        registers=registers, groups={"g": Group(every_ms=100)}, max_gap=max_gap, holes=holes or []
    )


def asked(registers: list[Register], **more: object) -> list[tuple[str, int, int]]:
    found = blocks_of(registers, declared(registers, **more))  # type: ignore[arg-type]
    return [(block.kind, block.first, block.count) for block in found]


def test_neighbours_come_together_up_to_the_gap() -> None:
    registers = [holding(20), holding(0, "float32"), holding(10), holding(29), holding(38)]
    assert asked(registers) == [("holding", 0, 11), ("holding", 20, 19)]
    assert asked(registers, max_gap=9) == [("holding", 0, 39)]
    assert asked(registers, max_gap=0) == [
        ("holding", at, n) for at, n in ((0, 2), (10, 1), (20, 1), (29, 1), (38, 1))
    ]


def test_a_hole_is_never_read() -> None:
    hole = Hole(kind="holding", first=3, last=4, unit=1)
    registers = [holding(0), holding(2), holding(5)]
    assert asked(registers, holes=[hole]) == [("holding", 0, 3), ("holding", 5, 1)]
    assert asked(registers, holes=[Hole(kind="holding", first=3, last=4, unit=2)]) == [("holding", 0, 6)]


def test_at_most_125_registers_and_2000_bits() -> None:
    assert asked([holding(at, "float64") for at in range(0, 128, 4)]) == [
        ("holding", 0, 124),
        ("holding", 124, 4),
    ]
    assert asked([coil(at) for at in range(2001)]) == [("coil", 0, 2000), ("coil", 2000, 1)]


def test_halves_of_a_block_end_at_single_registers() -> None:
    registers = [holding(0, "float32"), holding(2), holding(4)]
    (block,) = blocks_of(registers, declared(registers))
    first, second = block.halves()
    assert [(part.first, part.count) for part in (first, second, *second.halves())] == [
        (0, 2),
        (2, 3),
        (2, 1),
        (4, 1),
    ]


@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from(sorted(TYPES)), st.integers(1, 2)),
        unique_by=lambda each: (each[0], each[2]),
        max_size=40,
    ),
    st.integers(0, 124),
)
def test_every_register_is_in_one_block_whole(wanted: list[tuple[int, str, int]], max_gap: int) -> None:
    registers = [holding(*each) for each in wanted]
    blocks = blocks_of(registers, declared(registers, max_gap=max_gap))
    placed = [register.name for block in blocks for register in block.registers]
    assert sorted(placed) == sorted(register.name for register in registers)
    for block in blocks:
        assert 1 <= block.count <= 125
        for register in block.registers:
            assert register.unit == block.unit
            assert block.first <= register.address
            assert register.address + register.width <= block.first + block.count
