"""A clock that a test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["ManualClock"]


class ManualClock:
    """Implements core.clock.Clock. tick_s: seconds that pass each time somebody looks at it."""

    def __init__(self, at: datetime = datetime(2026, 3, 2, 6, 0, tzinfo=UTC), *, tick_s: float = 0.0) -> None:
        self._at = at
        self._seconds = 0.0
        self._tick_s = tick_s

    def now(self) -> datetime:
        self.advance(self._tick_s)
        return self._at

    def monotonic(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)
        self._seconds += seconds
