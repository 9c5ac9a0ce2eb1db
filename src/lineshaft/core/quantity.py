"""Quantities: a decimal and a UNECE Recommendation 20 unit code, converted only within one dimension."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

from lineshaft.core.errors import ContractViolation
from lineshaft.core.values import Value

__all__ = ["UNITS", "Quantity", "Unit", "convert"]

# code: (dimension, factor to the base unit, offset added after the factor); source: UNECE Rec 20 rev 17
UNITS: dict[str, tuple[str, Decimal, Decimal]] = {
    code: (dimension, Decimal(factor), Decimal(offset))
    for code, dimension, factor, offset in (
        ("C62", "count", "1", "0"),
        ("H87", "count", "1", "0"),
        ("KGM", "mass", "1", "0"),
        ("GRM", "mass", "0.001", "0"),
        ("TNE", "mass", "1000", "0"),
        ("LTR", "volume", "0.001", "0"),
        ("MTQ", "volume", "1", "0"),
        ("PAL", "pressure", "1", "0"),
        ("KPA", "pressure", "1000", "0"),
        ("MPA", "pressure", "1000000", "0"),
        ("BAR", "pressure", "100000", "0"),
        ("MBR", "pressure", "100", "0"),
        ("PS", "pressure", "6894.757293168", "0"),
        ("KEL", "temperature", "1", "0"),
        ("CEL", "temperature", "1", "273.15"),
        ("FAH", "temperature", "0.5555555555555555555555555556", "255.3722222222222222222222222"),
        ("SEC", "time", "1", "0"),
        ("MIN", "time", "60", "0"),
        ("HUR", "time", "3600", "0"),
        ("C16", "velocity", "0.001", "0"),
        ("MTS", "velocity", "1", "0"),
        ("HTZ", "frequency", "1", "0"),
        ("RPM", "rotation", "1", "0"),
        ("AMP", "current", "1", "0"),
        ("KWT", "power", "1000", "0"),
        ("WTT", "power", "1", "0"),
        ("P1", "ratio", "0.01", "0"),
    )
}

Unit = Annotated[str, msgspec.Meta(min_length=1, max_length=3, extra_json_schema={"x-unit": "UNECE Rec 20"})]


class Quantity(Value, frozen=True, kw_only=True):
    """value: decimal, written as a string in JSON; unit: UNECE Rec 20 code."""

    value: Decimal
    unit: Unit

    def __post_init__(self) -> None:
        if not self.value.is_finite():
            raise ValueError(f"{self.value} is no quantity")


def convert(quantity: Quantity, unit: str) -> Quantity:
    """The same quantity in another unit of its dimension.

    raises  ContractViolation for an unknown code or another dimension
    """
    if quantity.unit == unit:
        return quantity
    source, target = _linear(quantity.unit, unit)
    # divided last: 30 MIN are 0.5 HUR, not 0.5000000000000000000000000001
    value = (quantity.value * source[0] + source[1] - target[1]) / target[0]
    return Quantity(value=value, unit=unit)


def _linear(source: str, target: str) -> tuple[tuple[Decimal, Decimal], tuple[Decimal, Decimal]]:
    """(factor, offset) to the base unit, of both."""
    for code in (source, target):
        if code not in UNITS:
            raise ContractViolation(
                f"unit {code!r} is not a known UNECE Rec 20 code", hint=f"known: {', '.join(UNITS)}"
            )
    (from_dimension, from_factor, from_offset) = UNITS[source]
    (to_dimension, to_factor, to_offset) = UNITS[target]
    if from_dimension != to_dimension:
        raise ContractViolation(f"{source} ({from_dimension}) cannot become {target} ({to_dimension})")
    return (from_factor, from_offset), (to_factor, to_offset)
