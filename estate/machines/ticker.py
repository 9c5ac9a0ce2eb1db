"""A thread that does one thing at an interval until told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Ticker"]

JOIN_TIMEOUT_S = 10.0


class Ticker:
    """tick(elapsed_s): called every interval_s from the thread, with the seconds since the last call."""

    def __init__(self, name: str, interval_s: float, tick: Callable[[float], None]) -> None:
        self._interval_s = interval_s
        self._tick = tick
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the last tick is over."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_TIMEOUT_S)

    def pause(self, seconds: float) -> None:
        """From within a tick: wait, but not beyond stop()."""
        self._stopped.wait(seconds)

    def _run(self) -> None:
        last = time.monotonic()
        while not self._stopped.is_set():
            now = time.monotonic()
            self._tick(now - last)
            last = now
            self._stopped.wait(max(0.0, self._interval_s - (time.monotonic() - now)))
