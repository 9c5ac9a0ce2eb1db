"""JSON values as JSON Schema compares them: 1 is 1.0, and true is neither."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

__all__ = [
    "ARRAY",
    "EVERY",
    "NUMBERS",
    "OBJECT",
    "STRING",
    "frozen",
    "number",
    "type_of",
    "types_named",
    "types_of",
]

NUMBERS = frozenset({"integer", "fraction"})
STRING = frozenset({"string"})
ARRAY = frozenset({"array"})
OBJECT = frozenset({"object"})
EVERY = NUMBERS | STRING | ARRAY | OBJECT | {"null", "boolean"}


def type_of(value: Any) -> str:
    """One of EVERY; a whole number is an integer however it is written, every other number a fraction."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "fraction"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def types_named(names: list[str]) -> frozenset[str]:
    """The value of `type` in terms of EVERY."""
    return frozenset(names) & EVERY | (NUMBERS if "number" in names else frozenset())


def types_of(values: list[Any]) -> frozenset[str]:
    """The types of an extensible enum; a whole number lets other numbers in."""
    found = frozenset(map(type_of, values))
    return found | NUMBERS if found & NUMBERS else found


def number(value: float) -> Fraction:
    """Exact as it is written: 0.1 is one tenth."""
    return Fraction(value) if isinstance(value, int) else Fraction(repr(value))


def frozen(value: Any) -> Any:
    """Hashable; equal for values that JSON Schema holds equal."""
    if isinstance(value, bool) or value is None:
        return ("constant", value)
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, list):
        return ("array", *map(frozen, value))
    if isinstance(value, dict):
        return ("object", frozenset((key, frozen(part)) for key, part in value.items()))
    return value
