"""Times and durations as people in the plant read them."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from lineshaft.core.errors import ConfigError

__all__ = ["Moment", "PlantTime", "duration_text", "in_seconds", "offset_text", "parse", "seconds_between"]

_FRACTION = re.compile(r"(\d\d:\d\d:\d\d)\.\d+Z")


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One time, three ways: `text` in plant time, `title` in UTC, `machine` as RFC 3339."""

    text: str
    title: str
    machine: str


class PlantTime:
    def __init__(self, time_zone: str) -> None:
        """raises ConfigError for a name that is no IANA time zone"""
        try:
            self.zone: tzinfo = ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ConfigError(
                f"time zone {time_zone!r} is not known", hint="an IANA name such as Europe/Berlin"
            ) from error
        self.name = time_zone

    def moment(self, at: datetime | str | None, now: datetime) -> Moment | None:
        """`14:03:22` today, `9 Mar 14:03:22` this year, `9 Mar 2025 14:03` before. None for no time.

        The day stays with its month, so that a narrow column breaks before the time.
        """
        instant = parse(at)
        if instant is None:
            return None
        local, today = instant.astimezone(self.zone), now.astimezone(self.zone)
        if local.date() == today.date():
            text = f"{local:%H:%M:%S}"
        elif local.year == today.year:
            text = f"{local.day}\u00a0{local:%b %H:%M:%S}"
        else:
            text = f"{local.day}\u00a0{local:%b} {local:%Y %H:%M}"
        return _moment(instant, text)

    def clock(self, at: datetime) -> str:
        return f"{at.astimezone(self.zone):%H:%M}"

    def day(self, at: datetime) -> str:
        local = at.astimezone(self.zone)
        return f"{local:%a} {local.day}\u00a0{local:%b}"

    def precise(self, at: datetime | str | None, begins: datetime | str | None = None) -> Moment | None:
        """`9 Mar 2026 14:03:22.123`; without the date on the day on which a story begins."""
        instant = parse(at)
        if instant is None:
            return None
        local = instant.astimezone(self.zone)
        first = parse(begins)
        same_day = first is not None and first.astimezone(self.zone).date() == local.date()
        date = "" if same_day else f"{local.day} {local:%b %Y} "
        return _moment(instant, f"{date}{local:%H:%M:%S}.{local.microsecond // 1000:03d}")


def _moment(instant: datetime, text: str) -> Moment:
    utc = instant.astimezone(UTC)
    return Moment(
        text=text,
        title=f"{utc:%Y-%m-%d %H:%M:%S}.{utc.microsecond // 1000:03d} UTC",
        machine=f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z",
    )


def parse(at: datetime | str | None) -> datetime | None:
    """RFC 3339 text as the ledger keeps it, or a time; None for an empty or unreadable one."""
    if isinstance(at, datetime):
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    if not at:
        return None
    try:
        instant = datetime.fromisoformat(at)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def seconds_between(start: datetime | str | None, end: datetime | str | None) -> float | None:
    first, last = parse(start), parse(end)
    return (last - first).total_seconds() if first and last else None


def in_seconds(text: str) -> str:
    """A text with the times in it cut to seconds."""
    return _FRACTION.sub(r"\1Z", text)


def duration_text(seconds: float | None) -> str:
    """`12 ms`, `3.4 s`, `2 min 05 s`, `3 h 04 min`, `2 d 03 h`; empty for None."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    sign, size = ("−", -seconds) if seconds < 0 else ("", seconds)
    if size < 0.9995:
        return f"{sign}{size * 1000:.0f} ms"
    if size < 59.95:
        return f"{sign}{size:.1f} s"
    whole = round(size)
    minutes, seconds_left = divmod(whole, 60)
    hours, minutes_left = divmod(minutes, 60)
    days, hours_left = divmod(hours, 24)
    if not hours:
        return f"{sign}{minutes} min {seconds_left:02d} s"
    if not days:
        return f"{sign}{hours} h {minutes_left:02d} min"
    return f"{sign}{days} d {hours_left:02d} h"


def offset_text(seconds: float | None) -> str:
    """`+310 ms`, `+1.28 s`, `+2 min 05 s`, `+2 h 02 min 19 s`, `+3 d 04 h 12 min`: finer than a duration."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    if seconds < 0.9995:
        return f"+{duration_text(seconds)}" if seconds >= 0 else duration_text(seconds)
    if seconds < 59.995:
        return f"+{seconds:.2f} s"
    minutes, seconds_left = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    days, hours_left = divmod(hours, 24)
    if not hours:
        return f"+{minutes} min {seconds_left:02d} s"
    if not days:
        return f"+{hours} h {minutes_left:02d} min {seconds_left:02d} s"
    return f"+{days} d {hours_left:02d} h {minutes_left:02d} min"
