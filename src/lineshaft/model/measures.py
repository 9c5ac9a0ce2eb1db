"""Figures in a fixed unit, identifiers of a prescribed form, and what holds between fields.

The units are UNECE Rec 20 codes. What the checks raise reaches a sender as a finding of its contract.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from lineshaft.core.quantity import Quantity

__all__ = [
    "Currency",
    "Hours",
    "OptionalHours",
    "OptionalKilograms",
    "PerHour",
    "Percent",
    "Pieces",
    "Seconds",
    "Sscc",
    "check_digit",
    "in_order",
    "in_unit",
    "not_negative",
    "positive",
]

Seconds = Annotated[Decimal, Meta(extra_json_schema={"x-unit": "SEC"})]
Percent = Annotated[Decimal, Meta(extra_json_schema={"x-unit": "P1"})]
PerHour = Annotated[Decimal, Meta(extra_json_schema={"x-unit": "C62/HUR"})]
Pieces = Annotated[int, Meta(ge=0, extra_json_schema={"x-unit": "C62"})]
Hours = Annotated[Quantity, Meta(extra_json_schema={"x-unit": "HUR"})]
OptionalHours = Annotated[Quantity | None, Meta(extra_json_schema={"x-unit": "HUR"})]
OptionalKilograms = Annotated[Quantity | None, Meta(extra_json_schema={"x-unit": "KGM"})]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217")]
Sscc = Annotated[str, Meta(pattern="^[0-9]{18}$", description="GS1 SSCC", extra_json_schema={"x-key": True})]


def check_digit(name: str, number: str) -> None:
    """GS1 modulo 10: weights 3, 1, 3 … from the digit before the last. raises ValueError"""
    weighed = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(number)))
    if weighed % 10:
        raise ValueError(f"{name} {number} has a wrong check digit")


def not_negative(**amounts: Quantity | Decimal | None) -> None:
    """raises ValueError for one below 0, or that is no number"""
    for name, amount in amounts.items():
        value = amount.value if isinstance(amount, Quantity) else amount
        if value is not None and (not value.is_finite() or value < 0):
            raise ValueError(f"{name} is {value}, expected 0 or more")


def positive(**quantities: Quantity | None) -> None:
    """raises ValueError for one that is not above 0"""
    for name, quantity in quantities.items():
        if quantity is not None and quantity.value <= 0:
            raise ValueError(f"{name} is {quantity.value}, expected more than 0")


def in_unit(unit: str, **quantities: Quantity | None) -> None:
    """raises ValueError for one in another unit"""
    for name, quantity in quantities.items():
        if quantity is not None and quantity.unit != unit:
            raise ValueError(f"{name} is in {quantity.unit}, expected {unit}")


def in_order(**moments: datetime | None) -> None:
    """raises ValueError for one before another that is given earlier"""
    before: tuple[str, datetime] | None = None
    for name, moment in moments.items():
        if moment is None:
            continue
        if before and moment < before[1]:
            raise ValueError(f"{name} {moment.isoformat()} is before {before[0]} {before[1].isoformat()}")
        before = name, moment
