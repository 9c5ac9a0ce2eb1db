"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["ManualClock"]


class ManualClock:
    """Implements core.clock.Clock."""

    def __init__(self, at: datetime = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)) -> None:
        self._at = at
        self._seconds = 0.0

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)
        self._seconds += seconds
