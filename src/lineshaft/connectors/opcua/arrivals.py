"""Changes that a server tells, as readings: which metric, when, how good.

source  OPC 10000-4 §7.38 (status codes: severity, info bits), OPC 10000-8 §5.3
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import structlog
from asyncua.ua.status_codes import StatusCodes

from lineshaft.connectors.opcua.notifications import Change, Notification
from lineshaft.core.clock import Clock
from lineshaft.core.outgoing_readings import OutgoingReadings
from lineshaft.core.values import Quality

__all__ = ["Arrivals", "quality_of"]

_log = structlog.get_logger(__name__)
_TICKS_1970 = 116_444_736_000_000_000
_SEVERITIES = (Quality.GOOD, Quality.UNCERTAIN, Quality.BAD, Quality.BAD)
_OVERFLOW = 0x0480  # info type DataValue, bit Overflow
_FRESH_MS = 5_000.0
_DEVICE_GONE = {  # the server is there, the device behind it is not
    StatusCodes.BadNoCommunication,
    StatusCodes.BadNotConnected,
    StatusCodes.UncertainNoCommunicationLastUsableValue,
}


def quality_of(status: int) -> Quality:
    return Quality.STALE if status & 0xFFFF0000 in _DEVICE_GONE else _SEVERITIES[status >> 30]


class Arrivals:
    """overflowed: how often the server's queue of a metric was full and lost values; told once in the log.

    odd  by metric: why its values are no numbers
    """

    def __init__(self, metrics: Sequence[str], outgoing: OutgoingReadings, clock: Clock) -> None:
        self._metrics = metrics
        self._outgoing = outgoing
        self._clock = clock
        self._latest_ms = [0.0] * len(metrics)
        self._first: set[int] = set()
        self._known_lost = False
        self.overflowed = 0
        self.odd: dict[str, str] = {}

    def begin(self, handles: Iterable[int]) -> None:
        """The next value of each is what it holds now, not a change."""
        self._first.update(handles)
        self._known_lost = False

    def take(self, notification: Notification) -> None:
        metrics, latest, first = self._metrics, self._latest_ms, self._first
        add = self._outgoing.add
        count = len(metrics)
        for change in notification.changes:
            handle, value, status, source, _ = change
            if handle >= count:
                continue
            if status or handle in first or not (source and isinstance(value, int | float)):
                self._other(handle, change, notification.sent)
            elif value - value == 0:  # neither NaN nor infinite
                time = latest[handle] = (source - _TICKS_1970) / 10_000
                add(metrics[handle], time, value, Quality.GOOD)
            else:
                self._other(handle, change, notification.sent)
        self._outgoing.added()

    def lost(self) -> None:
        """The server is gone: every value is unknown from now on. Told once until `begin`."""
        if self._known_lost:
            return
        self._known_lost = True
        now = self._now_ms()
        for metric in self._metrics:
            self._outgoing.add(metric, now, None, Quality.STALE)
        self._outgoing.added()

    def missing(self, handle: int) -> None:
        """The server does not have it."""
        self._outgoing.add(self._metrics[handle], self._now_ms(), None, Quality.BAD)
        self._outgoing.added()

    def _other(self, handle: int, change: Change, sent: int) -> None:
        metric = self._metrics[handle]
        if change.status & _OVERFLOW == _OVERFLOW:
            if not self.overflowed:
                _log.warning("an OPC UA server lost values: its queue was full", metric=metric)
            self.overflowed += 1
        quality = quality_of(change.status)
        value = self._number(metric, change.value)
        if quality in {Quality.BAD, Quality.STALE}:
            value = None
        elif value is None:
            quality = Quality.BAD
        time = self._time(handle, change, sent)
        self._latest_ms[handle] = max(self._latest_ms[handle], time)
        self._outgoing.add(metric, time, value, quality)

    def _time(self, handle: int, change: Change, sent: int) -> float:
        """A value that stood unchanged counts from when the server told it: with the time of its last change
        it would be no newer than what came before the loss, and its state would stay unknown."""
        told = (sent - _TICKS_1970) / 10_000 if sent else self._now_ms()
        ticks = change.source or change.server
        time = (ticks - _TICKS_1970) / 10_000 if ticks else told
        if handle in self._first:
            self._first.discard(handle)
            if time <= self._latest_ms[handle] or time < told - _FRESH_MS:
                return told
        return time

    def _number(self, metric: str, value: object) -> float | None:
        if isinstance(value, int | float) and math.isfinite(value):
            self.odd.pop(metric, None)
            return value
        if value is not None:
            said = "a value that is not finite" if isinstance(value, float) else type(value).__name__
            self.odd[metric] = f"is {said}; a tag needs a number"
        return None

    def _now_ms(self) -> float:
        return self._clock.now().timestamp() * 1000
