"""Times as people and programs give them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from lineshaft.core.asked_times import UnreadableTime, asked_text, asked_time

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("given", "begins", "ends"),
    [
        ("2026-11-21T10:00:00+01:00", "2026-11-21T09:00:00.000000Z", "2026-11-21T09:00:00.000000Z"),
        ("2026-11-21T09:00Z", "2026-11-21T09:00:00.000000Z", "2026-11-21T09:00:00.000000Z"),
        ("2026-11-21T09:00:00.25Z", "2026-11-21T09:00:00.250000Z", "2026-11-21T09:00:00.250000Z"),
        ("2026-11-21", "2026-11-20T23:00:00.000000Z", "2026-11-21T23:00:00.000000Z"),
        ("2026-03-29", "2026-03-28T23:00:00.000000Z", "2026-03-29T22:00:00.000000Z"),  # a day of 23 hours
        ("", "", ""),
    ],
)
def test_any_offset_and_days_of_the_plant(given: str, begins: str, ends: str) -> None:
    assert asked_text("since", given, BERLIN) == begins
    assert asked_text("until", given, BERLIN, ends=True) == ends


@pytest.mark.parametrize(
    "given", ["yesterday", "2026-11-21T10:00:00", "2026-11-21T10:00 01:00", "2026-02-30", "0001-01-01", " "]
)
def test_what_is_none_is_named_with_the_next_step(given: str) -> None:
    with pytest.raises(UnreadableTime) as told:
        asked_time("from", given, BERLIN)
    assert told.value.findings == [f"from: {given!r} is no time with an offset, and no day"]
    assert told.value.hint.startswith("give from as 2026-03-02T06:00:00Z, ")
