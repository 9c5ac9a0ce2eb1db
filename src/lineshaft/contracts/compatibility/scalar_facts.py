"""Keywords on numbers and texts, said and refused."""

from __future__ import annotations

from typing import Any

from lineshaft.contracts.compatibility.facts import Bound, Case, Fact, Format, Multiple, Pattern, Size
from lineshaft.contracts.compatibility.values import NUMBERS, STRING, number

__all__ = ["scalar_facts", "scalar_refuted"]

_SIZES = (
    ("string", "minLength", "maxLength"), ("array", "minItems", "maxItems"),
    ("object", "minProperties", "maxProperties"),
)  # fmt: skip
_BOUNDS = (
    ("minimum", True, False), ("exclusiveMinimum", True, True),
    ("maximum", False, False), ("exclusiveMaximum", False, True),
)  # fmt: skip


def scalar_facts(schema: dict[str, Any]) -> list[Fact]:
    found: list[Fact] = [
        Bound(is_least, number(schema[key]), exclusive)
        for key, is_least, exclusive in _BOUNDS
        if key in schema
    ]
    if "multipleOf" in schema:
        found.append(Multiple(number(schema["multipleOf"]), True))
    for type, least, most in _SIZES:
        if least in schema or most in schema:
            found.append(Size(type, int(schema.get(least, 0)), _count(schema.get(most))))
    if "pattern" in schema:
        found.append(Pattern(schema["pattern"], True))
    if "format" in schema:
        found.append(Format(schema["format"], True))
    return found


def scalar_refuted(schema: dict[str, Any]) -> list[Case]:
    found = [
        Case(types=NUMBERS, facts=(Bound(not is_least, number(schema[key]), not exclusive),))
        for key, is_least, exclusive in _BOUNDS
        if key in schema
    ]
    if "multipleOf" in schema:
        found.append(Case(types=NUMBERS, facts=(Multiple(number(schema["multipleOf"]), False),)))
    for type, least, most in _SIZES:
        if schema.get(least, 0) > 0:
            found.append(Case(types=frozenset({type}), facts=(Size(type, 0, int(schema[least]) - 1),)))
        if most in schema:
            found.append(Case(types=frozenset({type}), facts=(Size(type, int(schema[most]) + 1, None),)))
    if "pattern" in schema:
        found.append(Case(types=STRING, facts=(Pattern(schema["pattern"], False),)))
    if "format" in schema:
        found.append(Case(types=STRING, facts=(Format(schema["format"], False),)))
    return found


def _count(most: float | None) -> int | None:
    return None if most is None else int(most)
