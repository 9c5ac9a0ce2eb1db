"""When a system is not to be called: windows that come again each week, and pauses that a person made."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from lineshaft.core.call_policy import Window
from lineshaft.core.clock import Clock
from lineshaft.core.errors import TransientFault

__all__ = ["Maintenance"]

_SPREAD_S = 10.0
_LOOK_AGAIN_S = 300.0
_AHEAD = timedelta(days=1)


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

    def window(self) -> tuple[datetime, datetime] | None:
        """From when to when the one is that is open now, else the next; None where none is declared."""
        now = self._clock.now()
        return next((span for span in self._spans(now) if span[1] > now), None)

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
        spans = self._spans(now)
        end = now
        for begins, ends in spans:
            if begins <= end:
                end = max(end, ends)
        if end == now:
            self._open_until = min([begins for begins, _ in spans if begins > now], default=now + _AHEAD)
        return end

    def _spans(self, now: datetime) -> list[tuple[datetime, datetime]]:
        """Those of the days around now, by their beginning."""
        today = now.astimezone(self._zone).date()
        return sorted(
            span
            for ahead in range(-2, 9)
            for window in self._windows
            if (span := window.on(today + timedelta(days=ahead), self._zone)) is not None
        )

    def _said(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._zone):%Y-%m-%d %H:%M %Z}"

    def _closed(self, why: str, rest_s: float) -> TransientFault:
        return TransientFault(
            f"{self._system} is not called: {why}",
            code="maintenance",
            retry_after_s=rest_s + random.uniform(0, _SPREAD_S),  # noqa: S311
        )
