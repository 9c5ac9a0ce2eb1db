"""Times as text sort as times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.core.clock import SystemClock, moment_of, rfc3339

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=OFFSETS)  # noqa: DTZ001


@given(MOMENTS, MOMENTS)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    assert (rfc3339(one) < rfc3339(other)) == (one < other)
    assert (rfc3339(one) == rfc3339(other)) == (one == other)


@given(MOMENTS)
def test_nothing_is_lost(moment: datetime) -> None:
    assert datetime.fromisoformat(rfc3339(moment)) == moment


@given(MOMENTS)
def test_what_is_given_is_read_in_utc(moment: datetime) -> None:
    assert moment_of(moment.isoformat()) == moment


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2026-03-09", "2026-03-09T06:00:00"),
        *("2026-06-30T23:59:60Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_what_is_no_moment_is_none(text: str) -> None:
    assert moment_of(text) is None


def test_the_system_clock_is_aware() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()
