"""When equipment is to work: shifts, breaks, planned downtime, holidays. Source: B2MML WorkCalendarEntry."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from lineshaft.core.values import Key, Moment, Value

__all__ = ["CalendarEntries", "CalendarEntry", "EntryType", "EquipmentPeriod", "WorkCalendarRecord"]


class EquipmentPeriod(Value, frozen=True, kw_only=True):
    """[start_time, end_time) of one equipment. work_center_id: whose calendar holds where it has none."""

    equipment_id: Key
    work_center_id: Key | None = None
    start_time: Moment
    end_time: Moment


class EntryType(StrEnum):
    """holiday: a shift that does not take place, because of the day on which it would start"""

    SHIFT = "shift"
    BREAK = "break"
    PLANNED_DOWNTIME = "planned_downtime"
    HOLIDAY = "holiday"
    NOT_SCHEDULED = "not_scheduled"


class CalendarEntry(Value, frozen=True, kw_only=True):
    """Half-open [start_date_time, finish_date_time), never clipped to the period that was asked for.

    shift_id     of a shift, and of its breaks
    shift_date   date of the start in site time; of a break, that of its shift
    """

    id: Key
    entry_type: EntryType
    start_date_time: Moment
    finish_date_time: Moment
    shift_id: Key | None = None
    shift_date: date
    team_id: Key | None = None


class CalendarEntries(Value, frozen=True, kw_only=True):
    """Those that overlap the period, by start. Where there is none, nothing is scheduled."""

    equipment_id: Key
    entries: list[CalendarEntry]


class WorkCalendarRecord(Value, frozen=True, kw_only=True):
    """A whole calendar: the entity work_calendar. time_zone: IANA name; its shift dates are in it"""

    id: Key
    time_zone: str
    work_calendar_entry: list[CalendarEntry]
