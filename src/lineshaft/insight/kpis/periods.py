"""The periods that are asked for, and the points of their series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from lineshaft.core.errors import ContractViolation
from lineshaft.model.calendar import CalendarEntry, EntryType

__all__ = ["LONGEST", "PERIODS", "edges", "period"]

PERIODS = ("shift", "today", "24h", "7d", "30d")
LONGEST = timedelta(days=92)
_LENGTHS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
_WITHOUT_SHIFTS = timedelta(hours=8)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_HOURLY_UP_TO, _QUARTERLY_UP_TO = timedelta(hours=48), timedelta(days=10)


def period(
    name: str,
    now: datetime,
    zone: ZoneInfo,
    calendar: Callable[[datetime, datetime], Sequence[CalendarEntry] | None],
) -> tuple[datetime, datetime]:
    """Up to now. shift: that which runs; without a calendar, or between two shifts, the last eight hours.

    raises  ContractViolation for a name that is none of PERIODS
    """
    if name == "today":
        return datetime.combine(now.astimezone(zone).date(), time(), zone).astimezone(UTC), now
    if name == "shift":
        entries = calendar(now, now + timedelta(seconds=1)) or ()
        running = [entry for entry in entries if entry.entry_type is EntryType.SHIFT]
        start = running[0].start_date_time if running else now - _WITHOUT_SHIFTS
        return start, now
    if name not in _LENGTHS:
        raise ContractViolation(
            f"there is no period {name!r}", findings=[f"period: one of {', '.join(PERIODS)}"]
        )
    return now - _LENGTHS[name], now


def edges(start: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    """In UTC: start, every whole hour, quarter of a day or day between, end. Days are those of the site.

    raises  ContractViolation for a period that is none, or longer than LONGEST
    """
    if not timedelta(0) < end - start <= LONGEST:
        raise ContractViolation(
            f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} is no period of up to {LONGEST.days} days",
            findings=["to: after from, and not further away"],
        )
    if end - start <= _HOURLY_UP_TO:
        first = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        hours = int((end - first) / _HOUR)
        inner = [first + number * _HOUR for number in range(1, hours + 1)]
    else:
        a_day = [0, 6, 12, 18] if end - start <= _QUARTERLY_UP_TO else [0]
        day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
        inner = []
        while day <= last:
            inner += [_at(day, hour, zone) for hour in a_day]
            day += _DAY
    return [start.astimezone(UTC), *(edge for edge in inner if start < edge < end), end.astimezone(UTC)]


def _at(day: date, hour: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(hour), zone).astimezone(UTC)
