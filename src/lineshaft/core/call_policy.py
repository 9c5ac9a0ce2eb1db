"""How a system may be called: limits, retries, and the windows of its maintenance."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

__all__ = ["CallPolicy", "Day", "Window"]

_TimeOfDay = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
_Positive = Annotated[float, msgspec.Meta(gt=0)]
_Seconds = Annotated[float, msgspec.Meta(ge=0)]
_Count = Annotated[int, msgspec.Meta(ge=1)]


class Day(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every week on these days, in the plant's time zone.

    begins, ends   `from` and `to` in the settings, HH:MM; a window that ends before it begins ends on the
                   next day, and one that ends when it begins lasts a day
    """

    days: Annotated[list[Day], msgspec.Meta(min_length=1)] = msgspec.field(default_factory=lambda: list(Day))
    begins: _TimeOfDay = msgspec.field(name="from")
    ends: _TimeOfDay = msgspec.field(name="to")

    def __str__(self) -> str:
        days = "every day" if set(self.days) == set(Day) else ", ".join(self.days)
        return f"{days} {self.begins}-{self.ends}"

    def on(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
        """From when to when in UTC, of the window that begins on this day; None when none does.

        Where the clock is changed, the longer of two readings.
        """
        if list(Day)[day.weekday()] not in self.days:
            return None
        begins, ends = time.fromisoformat(self.begins), time.fromisoformat(self.ends)
        last = day + timedelta(days=1) if ends <= begins else day
        return min(_readings(day, begins, zone)), max(_readings(last, ends, zone))


def _readings(day: date, at: time, zone: ZoneInfo) -> list[datetime]:
    local = datetime.combine(day, at, zone)
    return [local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]


class CallPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """waiting      calls that may wait or be under way; one more is told to come back later
    deadline_s   time for one attempt
    attempts     attempts of one call before it is left to the caller to come back later
    backoff_s    wait before the second attempt; doubles, with full jitter, up to backoff_max_s
    settle_s     after an unknown outcome: how long the target may still be at work on the request, so
                 that only a second look-up after this time may say "it did not happen"
    maintenance  when no request is sent
    """

    rate_per_s: _Positive = 200.0
    concurrency: _Count = 16
    waiting: _Count = 128
    deadline_s: _Positive = 10.0
    attempts: _Count = 4
    backoff_s: _Seconds = 0.2
    backoff_max_s: _Seconds = 2.0
    settle_s: _Seconds = 2.0
    maintenance: list[Window] = msgspec.field(default_factory=list)
