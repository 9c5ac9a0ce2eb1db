"""A limit on how fast a tag changes.

- id: tank-drains
  version: "1"
  property: level
  applies_to: {asset_class: tank}
  kind: fall                # or rise
  limit: 0.5                # per second, at least 0: of fall, how fast it falls
  unit: MTR
  over_s: 10                # default 0: the least time over which a change is measured
  hysteresis: 0.1           # per second, default 0
  debounce_s: 0
  severity: 600

A change is measured between a good reading and the last one before it that was measured from: the one right
before it, or with `over_s` the first that is at least so old. Readings in between are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from lineshaft.core.quantity import Quantity, convert
from lineshaft.model.condition import LimitKind
from lineshaft.telemetry.declaration import Section
from lineshaft.telemetry.readings import TakenReading
from lineshaft.telemetry.rules.limits import Limit, Limits, LimitState, LimitWatch, Wording, read_wording
from lineshaft.telemetry.rules.watch import Found, Watch
from lineshaft.telemetry.state import read_state

__all__ = ["RateState", "RateWatch", "Rates", "speed"]

_LONGEST_OVER_S = 86400


def speed(kind: LimitKind, change: float, over_us: int) -> float:
    """How fast it rises, or falls, per second."""
    return (-change if kind is LimitKind.FALL else change) / (over_us / 1e6)


class RateState(msgspec.Struct, frozen=True):
    """time and value of the reading that the next change is measured from, and the limit's state"""

    limit: LimitState
    time: int | None
    value: float


class RateWatch(LimitWatch):
    """A limit on the speed, one reading at a time."""

    time: int | None = None
    value = 0.0

    def take(self, role: str, reading: TakenReading) -> Found:
        if self.time is None:
            self.time, self.value = reading.time, reading.value
            return []
        over_us, change = reading.time - self.time, reading.value - self.value
        if over_us < self.limit.over_us:
            return []
        self.time, self.value = reading.time, reading.value
        return self._judge(speed(self.limit.kind, change, over_us), reading)

    def saved(self) -> bytes:
        return msgspec.msgpack.encode(RateState(self.state, self.time, self.value))

    def restore(self, data: bytes) -> None:
        saved = read_state(self.key, data, RateState)
        self.state, self.time, self.value = saved.limit, saved.time, saved.value


class Rates(Limits):
    """The kinds rise and fall."""

    fields = (*Limits.fields, "over_s")
    overridable = (*Limits.overridable, "over_s")

    def watches(self, specs: Sequence[Limit]) -> Sequence[Watch]:
        return [RateWatch(limit) for limit in specs]

    @staticmethod
    def wording(section: Section) -> Wording:
        over_s = section.number("over_s", default=0.0, at_least=0.0, at_most=_LONGEST_OVER_S)
        return msgspec.structs.replace(read_wording(section, lowest=0.0), over_s=over_s)

    @staticmethod
    def converted(value: Decimal, source: str, target: str) -> float:
        """Of a difference of two values: the zero of a temperature scale does not matter."""
        ends = [convert(Quantity(value=end, unit=source), target).value for end in (value, Decimal(0))]
        return float(ends[0] - ends[1])
