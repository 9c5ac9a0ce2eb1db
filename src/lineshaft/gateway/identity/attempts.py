"""How often somebody may try to log in: for each account and for each address, known or not."""

from __future__ import annotations

from lineshaft.core.clock import Clock

__all__ = ["Attempts"]

_MOST = 20_000


class Attempts:
    """most at once, then one in each `each_s`; a log-in that succeeds gives back what it took."""

    def __init__(self, clock: Clock, *, most: int, each_s: float) -> None:
        self._clock = clock
        self._most = most
        self._each_s = each_s
        self._full_at: dict[str, float] = {}

    def take(self, who: str) -> float:
        """0, or in how many seconds to try again."""
        now = self._clock.monotonic()
        full_at = max(self._full_at.pop(who, now), now) + self._each_s
        wait_s = full_at - now - self._most * self._each_s
        if wait_s > 0:
            self._full_at[who] = full_at - self._each_s
            return wait_s
        if len(self._full_at) >= _MOST:
            del self._full_at[next(iter(self._full_at))]
        self._full_at[who] = full_at
        return 0.0

    def give_back(self, who: str) -> None:
        if who in self._full_at:
            self._full_at[who] -= self._each_s
