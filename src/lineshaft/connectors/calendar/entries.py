"""What a calendar comes to in a period: dated entries in UTC.

Times of a shift are those of the clock on the wall: a shift during which the clock is changed is an hour
shorter or longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from lineshaft.connectors.calendar.calendar_file import Calendar, PlannedDowntime, Shift
from lineshaft.model.calendar import CalendarEntry, EntryType, EquipmentPeriod

__all__ = ["entries_of"]

_DAY = timedelta(days=1)


def entries_of(calendar: Calendar, period: EquipmentPeriod, zone: ZoneInfo) -> list[CalendarEntry]:
    """Those that overlap the period, by start; a shift before its breaks."""
    rota = calendar.rota_of(period.equipment_id, period.work_center_id)
    here = {period.equipment_id, period.work_center_id}
    found: list[CalendarEntry] = []
    day = period.start_time.astimezone(zone).date() - _DAY  # yesterday's shifts can end today
    last = period.end_time.astimezone(zone).date()
    while day <= last:
        for shift in rota.shifts:
            if day.weekday() in shift.days:
                found += _shift(shift, day, day in rota.holidays, zone)
        day += _DAY
    found += [
        _planned(planned, zone)
        for planned in calendar.planned_downtime
        if not planned.at or not planned.at.isdisjoint(here)
    ]
    found = [
        entry
        for entry in found
        if entry.start_date_time < period.end_time and entry.finish_date_time > period.start_time
    ]
    return sorted(found, key=lambda entry: (entry.start_date_time, entry.entry_type != EntryType.SHIFT))


def _shift(shift: Shift, day: date, is_holiday: bool, zone: ZoneInfo) -> Iterator[CalendarEntry]:
    yield CalendarEntry(
        id=f"{shift.id}/{day}",
        entry_type=EntryType.HOLIDAY if is_holiday else EntryType.SHIFT,
        start_date_time=_utc(day, shift.start, zone),
        finish_date_time=_utc(day, shift.finish, zone),
        shift_id=shift.id,
        shift_date=day,
    )
    for number, pause in enumerate(() if is_holiday else shift.breaks, 1):
        yield CalendarEntry(
            id=f"{shift.id}/{day}/{number}",
            entry_type=EntryType.BREAK,
            start_date_time=_utc(day, pause.start, zone),
            finish_date_time=_utc(day, pause.finish, zone),
            shift_id=shift.id,
            shift_date=day,
        )


def _planned(planned: PlannedDowntime, zone: ZoneInfo) -> CalendarEntry:
    return CalendarEntry(
        id=planned.id,
        entry_type=EntryType.PLANNED_DOWNTIME,
        start_date_time=planned.start.replace(tzinfo=zone).astimezone(UTC),
        finish_date_time=planned.finish.replace(tzinfo=zone).astimezone(UTC),
        shift_date=planned.start.date(),
    )


def _utc(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """Of the wall clock: a time that it shows twice is the first, one that it leaves out is an hour later."""
    days, minute = divmod(minute, 24 * 60)
    shown = datetime.combine(day + days * _DAY, time(minute // 60, minute % 60), zone)
    return shown.astimezone(UTC)
