from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.telemetry.decode.moments import NO_TIME, text_times
from lineshaft.telemetry.decode.sample import EARLIEST_US, LATEST_US, microseconds, text_time

zones = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(timezones=st.just(UTC) | zones)
written = st.builds(
    lambda moment, digits, zulu: moment.isoformat(timespec=digits).replace(
        "+00:00", "Z" if zulu else "+00:00"
    ),
    moments,
    st.sampled_from(["auto", "seconds", "milliseconds", "microseconds"]),
    st.booleans(),
)
damaged = st.builds(
    lambda text, place, character: text[: place % len(text)] + character + text[place % len(text) + 1 :],
    written,
    st.integers(0, 40),
    st.sampled_from(list("0139 :TtZz.+-x/é")) | st.just(""),
)


def one_by_one(text: str) -> int:
    try:
        return text_time(text)
    except ValueError:
        return NO_TIME


@given(st.lists(written | damaged | st.text(max_size=30), max_size=30))
def test_in_bulk_as_one_by_one(texts: list[str]) -> None:
    read = text_times(texts).tolist()
    for text, time in zip(texts, read, strict=True):
        known = one_by_one(text)
        assert time == known or (known == NO_TIME and not EARLIEST_US <= time <= LATEST_US), text


@given(st.lists(moments.filter(lambda moment: moment.year >= 2000), min_size=1, max_size=20))
def test_every_moment_to_the_microsecond(times: list[datetime]) -> None:
    expected = [microseconds(time) for time in times]
    assert (
        text_times([time.isoformat() for time in times]).tolist()
        == [time if time <= LATEST_US else NO_TIME for time in expected]
        or max(expected) > LATEST_US
    )


@pytest.mark.parametrize(
    "text",
    ["2024-02-30T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", ""],
)
def test_no_day_of_the_calendar(text: str) -> None:
    assert text_times([text]).tolist() == [NO_TIME]
