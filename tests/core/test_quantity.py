"""Units: Rec 20 codes, converted only within one dimension."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.core.errors import ContractViolation
from lineshaft.core.quantity import UNITS, Quantity, convert


def quantity(value: str | Decimal, unit: str) -> Quantity:
    return Quantity(value=Decimal(value), unit=unit)


@pytest.mark.parametrize(
    ("value", "unit", "other", "expected"),
    [
        ("0", "CEL", "KEL", "273.15"),
        ("0", "KEL", "CEL", "-273.15"),
        ("-40", "CEL", "FAH", "-40"),
        ("212", "FAH", "CEL", "100"),
        ("32", "FAH", "KEL", "273.15"),
        ("2.5", "BAR", "KPA", "250"),
        ("14.5037737730", "PS", "BAR", "1"),
        ("30", "MIN", "HUR", "0.5"),
        ("1500", "GRM", "KGM", "1.5"),
        ("3", "H87", "C62", "3"),
        ("4.5", "C16", "MTS", "0.0045"),
        ("50", "P1", "P1", "50"),
    ],
)
def test_known_conversions(value: str, unit: str, other: str, expected: str) -> None:
    converted = convert(quantity(value, unit), other)
    assert converted.unit == other
    assert abs(converted.value - Decimal(expected)) < Decimal("1e-9")


def test_what_has_an_exact_answer_gets_it() -> None:
    """A stock of 0.5 h may not be short of 30 min by one part in 10²⁸."""
    assert convert(quantity("30", "MIN"), "HUR").value == Decimal("0.5")
    assert convert(quantity("1", "TNE"), "GRM").value == 1_000_000
    assert convert(quantity("0.1", "LTR"), "MTQ").value == Decimal("0.0001")


def test_one_unit_to_itself_is_left_alone() -> None:
    anything = quantity("1.50", "XYZ")
    assert convert(anything, "XYZ") is anything


@pytest.mark.parametrize(("unit", "other"), [("KGM", "LTR"), ("CEL", "BAR"), ("SEC", "HTZ")])
def test_dimensions_do_not_mix(unit: str, other: str) -> None:
    with pytest.raises(ContractViolation, match="cannot become"):
        convert(quantity("1", unit), other)


@pytest.mark.parametrize(("unit", "other"), [("XXX", "KGM"), ("KGM", "XXX")])
def test_unknown_codes_are_named(unit: str, other: str) -> None:
    with pytest.raises(ContractViolation, match="'XXX'"):
        convert(quantity("1", unit), other)


PAIRS = [
    (one, other) for one, (dimension, *_) in UNITS.items() for other in UNITS if UNITS[other][0] == dimension
]
DECIMALS = st.decimals(-(10**9), 10**9, places=4)


@given(st.sampled_from(PAIRS), DECIMALS)
def test_there_and_back_is_the_same(pair: tuple[str, str], value: Decimal) -> None:
    one, other = pair
    back = convert(convert(quantity(value, one), other), one).value
    assert abs(back - value) <= Decimal("1e-12") * max(Decimal(1), abs(value))


@given(st.sampled_from(PAIRS), DECIMALS, DECIMALS)
def test_order_is_kept(pair: tuple[str, str], lower: Decimal, upper: Decimal) -> None:
    lower, upper = sorted((lower, upper))
    one, other = pair
    assert convert(quantity(lower, one), other).value <= convert(quantity(upper, one), other).value


@given(DECIMALS)
def test_json_keeps_every_digit(value: Decimal) -> None:
    encoded = msgspec.json.encode(quantity(value, "KGM"))
    assert msgspec.json.decode(encoded, type=Quantity).value.as_tuple() == value.as_tuple()


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_no_quantity(value: str) -> None:
    with pytest.raises(ValueError, match="no quantity"):
        quantity(value, "KGM")
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"value":"%s","unit":"KGM"}' % value.encode(), type=Quantity)
