"""When a system is not to be called: windows that come again each week, and pauses that a person made."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

from lineshaft.core.clock import Clock
from lineshaft.core.errors import TransientFault

__all__ = ["Day", "Maintenance", "Window"]

_TimeOfDay = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
_SPREAD_S = 10.0
_LOOK_AGAIN_S = 300.0
_AHEAD = timedelta(days=1)


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


class Maintenance:
    """Of one system."""

    def __init__(self, system: str, windows: Sequence[Window], zone: ZoneInfo, clock: Clock) -> None:
        self._system = system
        self._windows = windows
        self._zone = zone
        self._clock = clock
        self._pause: tuple[datetime, str] | None = None
        self._open_until = datetime.min.replace(tzinfo=UTC)

    def pause(self, until: datetime, reason: str) -> None:
        self._pause = until, reason

    def resume(self) -> None:
        self._pause = None

    def check(self) -> None:
        """raises  TransientFault while the system is not to be called, with the time to come back

        Who comes back is spread over some seconds. A pause can be ended before its time: it is looked at
        again after five minutes.
        """
        if self._pause is None and not self._windows:
            return
        now = self._clock.now()
        if self._pause is not None:
            until, reason = self._pause
            if now < until:
                rest_s = min((until - now).total_seconds(), _LOOK_AGAIN_S)
                raise self._closed(f"{reason}, until {self._said(until)}", rest_s)
        if self._windows and now >= self._open_until:
            end = self._end_of_window(now)
            if end > now:
                raise self._closed(f"maintenance until {self._said(end)}", (end - now).total_seconds())

    def _end_of_window(self, now: datetime) -> datetime:
        """`now` when no window is open; then it is known until when none will be."""
        today = now.astimezone(self._zone).date()
        spans = sorted(
            span
            for ahead in range(-2, 9)
            for window in self._windows
            if (span := window.on(today + timedelta(days=ahead), self._zone)) is not None
        )
        end = now
        for begins, ends in spans:
            if begins <= end:
                end = max(end, ends)
        if end == now:
            self._open_until = min([begins for begins, _ in spans if begins > now], default=now + _AHEAD)
        return end

    def _said(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._zone):%Y-%m-%d %H:%M %Z}"

    def _closed(self, why: str, rest_s: float) -> TransientFault:
        return TransientFault(
            f"{self._system} is not called: {why}",
            code="maintenance",
            retry_after_s=rest_s + random.uniform(0, _SPREAD_S),  # noqa: S311
        )
