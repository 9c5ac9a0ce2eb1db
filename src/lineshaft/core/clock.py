"""Time as something handed over, so that tests and replays can own it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

import msgspec

__all__ = ["Clock", "SystemClock", "moment_of", "rfc3339"]


class Clock(Protocol):
    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never steps."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def rfc3339(moment: datetime) -> str:
    """UTC with microseconds and `Z`, so that text order is time order."""
    utc = moment.astimezone(UTC)
    if utc.microsecond:
        return msgspec.json.encode(utc)[1:-1].decode()  # in a quarter of isoformat's time
    return utc.isoformat(timespec="microseconds")[:-6] + "Z"


def moment_of(text: str) -> datetime | None:
    """What somebody gives as RFC 3339, in UTC; None for what is none, has no offset, or lies out of range."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
