"""The last half hour of one value, in little memory."""

from __future__ import annotations

from array import array

__all__ = ["ValueCourse"]

_EVERY_S = 5.0
_MOST = 360
_SLACK = 60


class ValueCourse:
    """The last value of every five seconds. Times are epoch seconds as the device says them."""

    __slots__ = ("_times", "_values")

    def __init__(self) -> None:
        self._times, self._values = array("d"), array("d")

    def take(self, time_s: float, value: float) -> None:
        """One that is older than the last is left out."""
        times, values = self._times, self._values
        if times and time_s // _EVERY_S <= times[-1] // _EVERY_S:
            if time_s >= times[-1]:
                times[-1], values[-1] = time_s, value
            return
        times.append(time_s)
        values.append(value)
        if len(times) > _MOST + _SLACK:
            del times[:_SLACK], values[:_SLACK]

    def points(self) -> tuple[list[float], list[float]]:
        """Times and values, the oldest first."""
        return self._times[-_MOST:].tolist(), self._values[-_MOST:].tolist()
