"""Check digits and orders of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.core.quantity import Quantity
from lineshaft.model.measures import check_digit, in_order, in_unit, not_negative, positive

AT = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize("number", ["4006381333931", "036000291452", "106141412345678908"])
def test_numbers_of_the_standard_have_a_right_check_digit(number: str) -> None:
    """GTIN-13 and GTIN-12 found on goods, and an SSCC of the GS1 General Specifications."""
    check_digit("id", number)


@given(st.text("0123456789", min_size=17, max_size=17), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_found(number: str, place: int, more: int) -> None:
    weighed = sum(int(digit) * (1 if index % 2 else 3) for index, digit in enumerate(reversed(number)))
    right = f"{number}{-weighed % 10}"
    check_digit("id", right)
    wrong = f"{right[:place]}{(int(right[place]) + more) % 10}{right[place + 1 :]}"
    with pytest.raises(ValueError, match=f"id {wrong} has a wrong check digit"):
        check_digit("id", wrong)


def test_moments_that_are_given_follow_each_other() -> None:
    in_order(start=AT, break_start=None, end=AT)
    with pytest.raises(ValueError, match=r"end .* is before start"):
        in_order(start=AT, break_start=None, end=AT - timedelta(seconds=1))


@pytest.mark.parametrize("value", ["-0.01", "NaN", "Infinity"])
def test_what_is_below_zero_or_no_number_is_refused(value: str) -> None:
    not_negative(share=Decimal(0), nothing=None)
    with pytest.raises(ValueError, match=f"share is {value}, expected 0 or more"):
        not_negative(share=Decimal(value))


def test_units_and_signs_of_quantities() -> None:
    hours = Quantity(value=Decimal(0), unit="HUR")
    in_unit("HUR", work=hours, rest=None)
    with pytest.raises(ValueError, match="work is in HUR, expected KGM"):
        in_unit("KGM", work=hours)
    with pytest.raises(ValueError, match="work is 0, expected more than 0"):
        positive(work=hours)
