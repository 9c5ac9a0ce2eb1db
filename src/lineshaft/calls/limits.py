"""What protects a system from us and us from it: limits of rate, concurrency and waiting; circuit breaker."""

from __future__ import annotations

import asyncio
import random
from enum import StrEnum

from lineshaft.core.clock import Clock
from lineshaft.core.errors import TransientFault

__all__ = ["Breaker", "BreakerState", "Inside", "Limits"]

_MOST_BUSY_S = 60.0


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    PROBING = "half-open"


class Breaker:
    """Opens after `threshold` technical faults in a row; after open_s one request may probe."""

    def __init__(self, system: str, clock: Clock, *, threshold: int = 5, open_s: float = 2.0) -> None:
        self._system = system
        self._clock = clock
        self._threshold = threshold
        self._open_s = open_s
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def state(self) -> BreakerState:
        if self._opened_at is None:
            return BreakerState.CLOSED
        return BreakerState.PROBING if self._rest_s() <= 0 else BreakerState.OPEN

    def _rest_s(self) -> float:
        opened_at = self._opened_at if self._opened_at is not None else -self._open_s
        return opened_at + self._open_s - self._clock.monotonic()

    @property
    def faults(self) -> int:
        """Technical ones in a row."""
        return self._failures

    def admit(self) -> None:
        """raises  TransientFault with the time to wait while the breaker is open"""
        if self._opened_at is None:
            return
        if self._rest_s() > 0 or self._probing:
            raise TransientFault(
                f"{self._system} is not called: its circuit breaker is open after {self._failures} faults",
                code="breaker_open",
                retry_after_s=max(self._rest_s(), 0.1),
            )
        self._probing = True

    def succeeded(self) -> None:
        self._failures, self._opened_at, self._probing = 0, None, False

    def failed(self) -> None:
        self._failures += 1
        self._probing = False
        if self._failures >= self._threshold:
            self._opened_at = self._clock.monotonic()

    def abandoned(self) -> None:
        """The request was given up before it told anything about the system."""
        self._probing = False


class Limits:
    """Entered with each request: waits for its turn.

    rate_per_s    requests that may start in a second, evenly spaced
    concurrency   requests under way
    in_flight     how many are now; waited, waited_s: how many had to wait since the start, and for how long
    """

    def __init__(self, *, rate_per_s: float, concurrency: int) -> None:
        self._interval_s = 1.0 / rate_per_s
        self._next_start = 0.0
        self._slots = asyncio.Semaphore(concurrency)
        self.in_flight = 0
        self.waited = 0
        self.waited_s = 0.0

    async def __aenter__(self) -> None:
        loop = asyncio.get_running_loop()
        asked, has_to_wait = loop.time(), self._slots.locked()
        await self._slots.acquire()
        now = loop.time()
        start = max(now, self._next_start)
        self._next_start = start + self._interval_s
        if start > now:
            has_to_wait = True
            try:
                await asyncio.sleep(start - now)
            except BaseException:
                self._slots.release()
                raise
        if has_to_wait:
            self.waited += 1
            self.waited_s += loop.time() - asked
        self.in_flight += 1

    async def __aexit__(self, *_: object) -> None:
        self.in_flight -= 1
        self._slots.release()


class Inside:
    """Entered with each call: calls in the door for one system, waiting or under way, are not without end.

    most         of them
    rate_per_s   at which they leave, at best
    calls        that are inside now
    """

    def __init__(self, system: str, *, most: int, rate_per_s: float) -> None:
        self._system = system
        self._most = most
        self._rate_per_s = rate_per_s
        self.calls = 0

    def __enter__(self) -> None:
        """raises  TransientFault when there are too many"""
        if self.calls >= self._most:
            lasts_s = min(max(self.calls / self._rate_per_s, 1.0), _MOST_BUSY_S)
            raise TransientFault(
                f"{self.calls} calls wait for {self._system}: it takes no more for now",
                code="busy",
                hint="if this lasts, look at what slows it, or raise rate_per_s or concurrency in its policy",
                retry_after_s=random.uniform(lasts_s / 2, lasts_s),  # noqa: S311
            )
        self.calls += 1

    def __exit__(self, *_: object) -> None:
        self.calls -= 1
