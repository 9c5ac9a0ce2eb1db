"""One tag, one reading at a time: what order, limits and windows make of it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import msgspec

from lineshaft.core.values import Value
from lineshaft.telemetry.evaluate.evaluation import AHEAD_US, NO_TIME, Counters
from lineshaft.telemetry.evaluate.time_in_state import StateTrack
from lineshaft.telemetry.readings import GOOD, STALE, TakenReading
from lineshaft.telemetry.rules.limits import Limit, LimitWatch
from lineshaft.telemetry.rules.rates import RateWatch
from lineshaft.telemetry.rules.watch import WatchFault
from lineshaft.telemetry.rules.windows import Window, WindowTrack, too_late
from lineshaft.telemetry.tags import Tag

__all__ = ["QUARANTINED", "RING", "Order", "Step", "Track"]

RING = 16
"""Times per tag by which repeats of late readings are known; a power of 2."""
NAN = float("nan")
QUARANTINED = WatchFault(
    "the time of a reading is more than 5 minutes ahead of its receipt; set the device's clock"
)


class Order(IntEnum):
    """What a reading is to the order of its tag."""

    TAKEN = 0
    DUPLICATE = 1
    LATE = 2
    HISTORICAL = 3
    QUARANTINED = 4
    LOST = 5
    STALE = 6
    CONFIRMED = 7


_COUNTED = {
    Order.TAKEN: "taken",
    Order.DUPLICATE: "duplicates",
    Order.LATE: "late",
    Order.HISTORICAL: "historical",
    Order.QUARANTINED: "quarantined",
    Order.LOST: "stale",
    Order.STALE: "stale",
    Order.CONFIRMED: "duplicates",
}


class Step(msgspec.Struct):
    """What one reading came to.

    facts   with the rank of the rule
    passed  to the lake
    LOST is the stale reading that takes the live value away, STALE one that finds none, CONFIRMED the repeat
    that brings it back
    """

    order: Order
    facts: list[tuple[int, Value]] = []
    faults: list[WatchFault] = []
    passed: bool = True
    too_late: bool = False

    def count(self, counters: Counters) -> None:
        name = _COUNTED[self.order]
        setattr(counters, name, getattr(counters, name) + 1)
        counters.too_late += self.too_late


class Track:
    """State of one tag, of its limits and of its windows.

    limits, windows  each with its rank among the rules
    seen             time of the last reading taken
    newest           of the last one that was neither quarantined nor stale, historical ones included
    ring             times of the last RING readings that were no repeats, at their number modulo RING
    thin             with a deadband: the good value that went to the lake last, NaN when the next one goes
                     there anyway
    changed          the live value changed since this was set to False
    """

    def __init__(
        self, tag: Tag, limits: Sequence[tuple[int, Limit]], windows: Sequence[tuple[int, Window]]
    ) -> None:
        self.tag = tag
        self.limits = [
            (rank, RateWatch(limit) if limit.kind in {"rise", "fall"} else LimitWatch(limit))
            for rank, limit in limits
        ]
        self.windows = [
            (rank, StateTrack(window) if window.state_of else WindowTrack(window)) for rank, window in windows
        ]
        self.seen = self.newest = NO_TIME
        self.received = NO_TIME
        self.value = NAN
        self.quality = STALE
        self.ring = [NO_TIME] * RING
        self.rung = 0
        self.thin = NAN
        self.changed = False

    def take(self, quality: int, historical: bool, reading: TakenReading) -> Step:
        """reading: of any quality and order"""
        if quality == STALE:
            return self._lose(reading.time)
        if reading.time - reading.received > AHEAD_US:
            return Step(Order.QUARANTINED, faults=[QUARANTINED], passed=False)
        had = reading.time in self.ring or reading.time == self.seen
        if historical or reading.time <= self.seen:
            if had:
                back = self.quality == STALE and reading.time == self.seen and not historical
                if back:
                    self._confirm(quality, reading)
                return Step(Order.CONFIRMED if back else Order.DUPLICATE, passed=False)
            step = Step(Order.HISTORICAL if historical else Order.LATE, facts=[], faults=[])
            self._ring(reading.time)
            self._move(reading.time, step)
            if quality == GOOD:
                self._count(reading, step, lag_us=0)
            return step
        step = Step(Order.TAKEN, facts=[], faults=[], passed=self._passes(quality, reading.value))
        self.seen, self.received = reading.time, reading.received
        self.value, self.quality, self.changed = reading.value, quality, True
        if not had:
            self._ring(reading.time)
        if quality == GOOD:
            for rank, watch in self.limits:
                step.facts += [(rank, fact) for fact in watch.take("value", reading)]  # type: ignore[misc]
            for _, track in self.windows:
                track.take(reading.time, reading.value)
        self._move(reading.time, step)
        if quality == GOOD and not had:
            self._count(reading, step, lag_us=max(reading.received - reading.time, 0))
        return step

    def _lose(self, at: int) -> Step:
        if self.quality == STALE:
            return Step(Order.STALE)
        self.quality, self.thin, self.changed = STALE, NAN, True
        for _, track in self.windows:
            track.lost(at)
        return Step(Order.LOST)

    def _confirm(self, quality: int, reading: TakenReading) -> None:
        """A birth after a death says a known reading again: it is stale no more, and decides nothing anew."""
        self.quality, self.changed = quality, True
        if quality == GOOD:
            for _, track in self.windows:
                track.confirmed(reading.received, reading.value)

    def _ring(self, time: int) -> None:
        self.ring[self.rung % RING] = time
        self.rung += 1

    def _passes(self, quality: int, value: float) -> bool:
        if not self.tag.deadband:
            return True
        if quality != GOOD:
            self.thin = NAN
            return True
        if abs(value - self.thin) <= self.tag.deadband:
            return False
        self.thin = value
        return True

    def _move(self, time: int, step: Step) -> None:
        if time > self.newest:
            before, self.newest = self.newest, time
            for rank, track in self.windows:
                step.facts += [(rank, fact) for fact in track.passed(before, time)]

    def _count(self, reading: TakenReading, step: Step, lag_us: int) -> None:
        for _, track in self.windows:
            counted = track.count(reading.time, reading.value, self.newest, lag_us)
            step.too_late |= not counted
            if not counted and track.refuse(reading.time):
                step.faults.append(too_late(track.window))
