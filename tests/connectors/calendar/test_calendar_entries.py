"""Dated entries in UTC: days of 23 and 25 hours, shifts over midnight, holidays, what is other somewhere."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.connectors.calendar import CalendarConnector
from lineshaft.connectors.calendar.calendar_file import read_calendar
from lineshaft.connectors.calendar.entries import entries_of
from lineshaft.contracts.capability import bind
from lineshaft.contracts.catalogue import CAPABILITIES
from lineshaft.core.errors import BusinessFault
from lineshaft.core.ports import CallContext, HealthState
from lineshaft.model.calendar import CalendarEntry, EntryType, EquipmentPeriod

BERLIN = ZoneInfo("Europe/Berlin")
CALENDAR = """
title: Three shifts
shifts:
  - id: early
    start: "06:00"
    finish: "14:00"
    breaks: [{start: "09:30", finish: "10:00"}]
  - {id: late, days: [mon, tue, wed, thu, fri], start: 14:00, finish: 22:00}
  - {id: night, start: "22:00", finish: "06:00", breaks: [{start: "01:00", finish: "01:30"}]}
holidays: [2026-12-25]
planned_downtime:
  - {id: audit, start: 2026-06-03 10:00, finish: 2026-06-03 12:00, at: [LINE-2]}
at:
  PRESS-1: {holidays: []}
"""
CALL = CallContext(call_id="c", operation="calendar.entries", idempotency_key="", deadline_s=5, headers={})


@pytest.fixture(scope="module")
def connector(tmp_path_factory: pytest.TempPathFactory) -> CalendarConnector:
    path = tmp_path_factory.mktemp("calendar") / "calendar.yaml"
    path.write_text(CALENDAR)
    return CalendarConnector("shifts", path, BERLIN)


def at(text: str) -> datetime:
    """Site time."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


async def entries(
    connector: CalendarConnector, start: str, end: str, equipment: str = "FILLER-2", line: str | None = None
) -> list[CalendarEntry]:
    period = EquipmentPeriod(
        equipment_id=equipment, work_center_id=line, start_time=at(start), end_time=at(end)
    )
    return (await connector.entries(CALL, period)).entries


def hours(entry: CalendarEntry) -> float:
    return (entry.finish_date_time - entry.start_date_time).total_seconds() / 3600


async def test_it_serves_its_capability_and_is_always_there(connector: CalendarConnector) -> None:
    await connector.start()
    assert list(bind(connector, CAPABILITIES)) == ["calendar.entries"]
    assert connector.manifest.title == "Three shifts"
    assert (await connector.health()).state is HealthState.ACTIVE
    await connector.close()


async def test_a_day_in_utc(connector: CalendarConnector) -> None:
    found = await entries(connector, "2026-06-03 06:00", "2026-06-03 22:00")
    assert [(entry.id, entry.entry_type) for entry in found] == [
        ("early/2026-06-03", "shift"),
        ("early/2026-06-03/1", "break"),
        ("late/2026-06-03", "shift"),
    ]
    assert found[0].start_date_time == datetime(2026, 6, 3, 4, tzinfo=UTC)
    assert all(entry.start_date_time.tzinfo is UTC for entry in found)
    assert {entry.shift_id for entry in found[:2]} == {"early"}


async def test_the_night_shift_has_the_date_of_its_start(connector: CalendarConnector) -> None:
    (shift, pause) = await entries(connector, "2026-06-04 01:10", "2026-06-04 01:20")
    assert (shift.shift_id, shift.shift_date) == ("night", date(2026, 6, 3))
    assert (pause.entry_type, pause.shift_date) == (EntryType.BREAK, date(2026, 6, 3))
    assert pause.start_date_time == at("2026-06-04 01:00")


async def test_borders_are_half_open(connector: CalendarConnector) -> None:
    (entry,) = await entries(connector, "2026-06-03 14:00", "2026-06-03 22:00")
    assert entry.shift_id == "late"


@pytest.mark.parametrize(("day", "length"), [("2026-03-28", 7), ("2026-10-24", 9), ("2026-06-03", 8)])
async def test_a_night_in_which_the_clock_is_changed(
    connector: CalendarConnector, day: str, length: int
) -> None:
    (night,) = await entries(connector, f"{day} 22:00", f"{day} 23:00")
    assert hours(night) == length
    following = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    (early, *_) = await entries(connector, f"{following} 06:00", f"{following} 07:00")
    assert early.start_date_time == night.finish_date_time


@pytest.mark.parametrize(("day", "length"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-03", 24)])
async def test_the_shifts_of_a_day_are_as_long_as_the_day(tmp_path: Path, day: str, length: int) -> None:
    path = tmp_path / "calendar.yaml"
    path.write_text('shifts: [{id: all, start: "00:00", finish: "00:00"}]\n')
    (entry,) = await entries(CalendarConnector("x", path, BERLIN), f"{day} 01:00", f"{day} 23:00")
    assert (hours(entry), entry.shift_date) == (length, date.fromisoformat(day))


async def test_a_holiday_takes_the_shifts_that_start_on_it(connector: CalendarConnector) -> None:
    found = await entries(connector, "2026-12-25 00:00", "2026-12-26 06:00")
    assert [(entry.id, entry.entry_type) for entry in found] == [
        ("night/2026-12-24", "shift"),  # the eve's goes on into the day
        ("night/2026-12-24/1", "break"),
        ("early/2026-12-25", "holiday"),
        ("late/2026-12-25", "holiday"),
        ("night/2026-12-25", "holiday"),
    ]
    works = await entries(connector, "2026-12-25 07:00", "2026-12-25 08:00", equipment="PRESS-1")
    assert [entry.entry_type for entry in works] == ["shift"]


@pytest.mark.parametrize(
    ("equipment", "line", "is_planned"),
    [("FILLER-2", "LINE-2", True), ("LINE-2", None, True), ("FILLER-2", "LINE-1", False)],
)
async def test_planned_downtime_is_where_it_is_planned(
    connector: CalendarConnector, equipment: str, line: str | None, is_planned: bool
) -> None:
    found = await entries(connector, "2026-06-03 10:00", "2026-06-03 11:00", equipment, line)
    kinds = [entry.entry_type for entry in found]
    assert (EntryType.PLANNED_DOWNTIME in kinds) is is_planned


@pytest.mark.parametrize("end", ["2026-06-03 06:00", "2026-06-03 05:00", "2028-06-03 06:00"])
async def test_a_period_that_is_none_is_refused(connector: CalendarConnector, end: str) -> None:
    with pytest.raises(BusinessFault) as refused:
        await entries(connector, "2026-06-03 06:00", end)
    assert refused.value.code == "invalid_period"


@given(
    start=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1)).map(lambda t: t.replace(tzinfo=UTC)),  # noqa: DTZ001
    minutes=st.integers(1, 3 * 24 * 60),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_shifts_around_the_clock_leave_no_moment_out_and_none_twice(
    tmp_path_factory: pytest.TempPathFactory, start: datetime, minutes: int, zone: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "around.yaml"
    path.write_text(
        'shifts: [{id: a, start: "06:00", finish: "18:00"}, {id: b, start: "18:00", finish: "06:00"}]\n'
    )
    end = start + timedelta(minutes=minutes)
    period = EquipmentPeriod(equipment_id="E", start_time=start, end_time=end)
    found = entries_of(read_calendar(path), period, ZoneInfo(zone))
    assert found[0].start_date_time <= start
    assert found[-1].finish_date_time >= end
    for one, other in pairwise(found):
        assert one.finish_date_time == other.start_date_time
