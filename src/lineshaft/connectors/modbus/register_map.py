"""Register maps: which register of which device means what, as declared in YAML.

    unit: 1
    word_order: big
    groups:
      fast: {every_ms: 200}
      slow: {every_ms: 5000}
    holes:
      - {kind: holding, first: 40, last: 49}
    registers:
      - {name: pressure, address: 0, type: float32, group: fast}
      - {name: temperature, kind: input, address: 4, type: int16, scale: 0.1, group: slow}
      - {name: running, kind: coil, address: 0, group: fast}
      - {name: fault, address: 8, type: bool, bit: 3, group: fast}

Addresses count from 0, as on the wire: what a manual calls 40001 is holding 0, 30001 is input 0.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from lineshaft.core.errors import ConfigError
from lineshaft.core.yamlfile import YamlFile

__all__ = ["WIDTHS", "Group", "Hole", "Kind", "Register", "RegisterMap", "read_register_map"]

Kind = Literal["holding", "input", "coil", "discrete"]
Order = Literal["big", "little"]
Type = Literal["bool", "int16", "uint16", "int32", "uint32", "float32", "int64", "uint64", "float64"]
Address = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
Unit = Annotated[int, msgspec.Meta(ge=0, le=255)]
WIDTHS = {"bool": 1, "int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "float32": 2}
"""Registers that a value takes; those that are not named take 4."""


class _Declared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Group(_Declared, frozen=True, kw_only=True):
    every_ms: Annotated[float, msgspec.Meta(gt=0)]


class Hole(_Declared, frozen=True, kw_only=True):
    """Registers that must not be read: a block that touches one is refused by the device."""

    kind: Kind
    first: Address
    last: Address
    unit: Unit | None = None


class Register(_Declared, frozen=True, kw_only=True):
    """One value. name: the metric; value in the tag list's unit = as read × scale + offset.

    type        bool for coil and discrete; of a register it is bit `bit`, 0 the lowest
    word_order  which register of several comes first; byte_order: within each. As the map has them, if empty
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    address: Address
    kind: Kind = "holding"
    type: Type | None = None
    bit: Annotated[int, msgspec.Meta(ge=0, le=15)] | None = None
    unit: Unit | None = None
    group: str
    scale: float = 1.0
    offset: float = 0.0
    word_order: Order | None = None
    byte_order: Order | None = None

    @property
    def is_single_bit(self) -> bool:
        """A coil or discrete input."""
        return self.kind in {"coil", "discrete"}

    @property
    def width(self) -> int:
        """Registers, or bits, that it takes."""
        return 1 if self.is_single_bit else WIDTHS.get(self.type or "bool", 4)


class RegisterMap(_Declared, frozen=True, kw_only=True):
    """unit, word_order, byte_order: of registers that do not say otherwise.

    max_gap  unused registers between two used ones that are read along, rather than asking twice
    """

    registers: list[Register]
    groups: dict[str, Group]
    unit: Unit = 1
    word_order: Order = "big"
    byte_order: Order = "big"
    max_gap: Annotated[int, msgspec.Meta(ge=0, le=124)] = 8
    holes: list[Hole] = []

    def wanted(self, metrics: Sequence[str], file: str) -> RegisterMap:
        """The map with these registers only. raises ConfigError with every metric that it does not have"""
        known = {register.name: register for register in self.registers}
        findings = [
            f"{file}: metric {metric!r} is no register{_nearest(metric, known)}"
            for metric in metrics
            if metric not in known
        ]
        if findings:
            raise ConfigError("the tag list asks for what the register map does not have", findings=findings)
        chosen = [known[metric] for metric in dict.fromkeys(metrics)]
        return msgspec.structs.replace(self, registers=chosen)


def read_register_map(path: Path) -> RegisterMap:
    """With defaults filled in. raises ConfigError with every finding, each `file:line: what`"""
    file = YamlFile(path)
    declared = file.read(RegisterMap)
    findings = [
        f"{file.where(['registers', index])}: register {register.name!r} {what}"
        for index, register in enumerate(declared.registers)
        for what in _doubts(declared, index, register)
    ]
    findings += [
        f"{file.where(['holes', index])}: the hole ends at {hole.last}, before it begins at {hole.first}"
        for index, hole in enumerate(declared.holes)
        if hole.last < hole.first
    ]
    if findings:
        raise ConfigError(f"register map {path} has {len(findings)} error(s)", findings=findings)
    return msgspec.structs.replace(
        declared,
        registers=[_complete(declared, register) for register in declared.registers],
        holes=[
            hole if hole.unit is not None else msgspec.structs.replace(hole, unit=declared.unit)
            for hole in declared.holes
        ],
    )


def _complete(declared: RegisterMap, register: Register) -> Register:
    return msgspec.structs.replace(
        register,
        unit=declared.unit if register.unit is None else register.unit,
        type="bool" if register.is_single_bit else register.type,
        word_order=register.word_order or declared.word_order,
        byte_order=register.byte_order or declared.byte_order,
    )


def _doubts(declared: RegisterMap, index: int, register: Register) -> Iterator[str]:
    if register.name in {other.name for other in declared.registers[:index]}:
        yield "is there twice; give each its own name"
    if register.group not in declared.groups:
        yield f"has unknown group {register.group!r}{_nearest(register.group, declared.groups)}"
    if not (math.isfinite(register.scale) and math.isfinite(register.offset) and register.scale):
        yield "has a scale or offset that is none; expected finite numbers, scale not 0"
    if register.is_single_bit:
        if register.type not in {None, "bool"} or register.bit is not None:
            yield f"is a {register.kind}, which is one bit; leave type and bit out"
    elif register.type is None:
        yield "has no type; give one, e.g. uint16"
    elif (register.type == "bool") != (register.bit is not None):
        yield "needs both type bool and bit, or neither; write e.g. type: bool, bit: 3"
    if register.address + register.width > 0x10000:
        yield f"goes beyond address 65535: {register.type} takes {register.width} registers"
    unit = declared.unit if register.unit is None else register.unit
    for hole in declared.holes:
        same = hole.kind == register.kind and unit == (declared.unit if hole.unit is None else hole.unit)
        if same and hole.first < register.address + register.width and register.address <= hole.last:
            yield f"lies in the hole {hole.first} to {hole.last}"


def _nearest(name: str, known: dict[str, Register] | dict[str, Group]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(list(known)[:20])}"
