"""Tumbling windows over one tag, one reading at a time.

- id: pressure-windows
  version: "1"
  property: pressure
  applies_to: {asset_class: filler}
  kind: window
  every_s: [60, 300]        # lengths, aligned to 1970-01-01 UTC
  grace_s: 2                # default 2
  lateness_s: 900           # default 900

A window holds the readings of good quality whose device time lies in it, historical and late ones included,
each time once. It is told when the newest time of its tag reaches its end plus grace_s. Of a tag that falls
silent, `tick` tells it at its end plus grace_s plus 10 s plus what its readings took to arrive at worst.
Readings that come later still change it: that is told by the next tick, and at the latest when the newest
time reaches the end plus lateness_s. From then on the window is forgotten, and what comes for it is too late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from lineshaft.core.values import moment_of
from lineshaft.model.aggregates import ReadingsAggregate
from lineshaft.telemetry.declaration import Section
from lineshaft.telemetry.rules.declared import Declared
from lineshaft.telemetry.rules.watch import Watch, WatchFault
from lineshaft.telemetry.tags import Tag

__all__ = [
    "NONE",
    "SILENCE_US",
    "Cell",
    "StateOf",
    "Window",
    "WindowTrack",
    "Windows",
    "aggregate",
    "too_late",
]

NONE = -(2**63)
"""A time before all."""
SILENCE_US = 10_000_000
_LONGEST_S = 86400

StateOf = Callable[[float], str | None]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One length of one rule on one tag.

    state_of  of state tags: name of the state that a value means, None where it means none
    """

    rule: str
    rule_version: str
    tag: Tag
    every_us: int
    grace_us: int
    lateness_us: int
    state_of: StateOf | None = None

    @property
    def key(self) -> str:
        return f"window/{self.rule}/{self.every_us // 1_000_000}/{self.tag.tag}"

    def end(self, number: int) -> int:
        return (number + 1) * self.every_us

    def closed(self, number: int, newest: int) -> bool:
        return self.end(number) + self.grace_us <= newest

    def forgotten(self, number: int, newest: int) -> bool:
        return self.end(number) + self.lateness_us <= newest


class Cell(msgspec.Struct):
    """What one window holds.

    told        `count` when it was told last
    revision    of the next telling
    lag_us      the longest that a reading which was neither late nor historical took to arrive
    """

    count: int = 0
    sum: float = 0.0
    min: float = 0.0
    max: float = 0.0
    last: float = 0.0
    last_time: int = NONE
    told: int = 0
    revision: int = 0
    lag_us: int = 0

    def add(self, time: int, value: float, lag_us: int) -> None:
        first = self.count == 0
        self.min = value if first or value < self.min else self.min
        self.max = value if first or value > self.max else self.max
        self.sum += value
        self.count += 1
        self.lag_us = max(self.lag_us, lag_us)
        if time > self.last_time:
            self.last_time, self.last = time, value


def aggregate(
    window: Window, number: int, cell: Cell, time_in_state: Mapping[str, float] | None = None
) -> ReadingsAggregate:
    return ReadingsAggregate(
        tag=window.tag.tag,
        equipment_id=window.tag.equipment_id,
        physical_asset_id=window.tag.physical_asset_id,
        property=window.tag.property,
        rule=window.rule,
        rule_version=window.rule_version,
        start_time=moment_of(number * window.every_us),
        end_time=moment_of(window.end(number)),
        revision=cell.revision,
        unit=window.tag.target_unit,
        count=cell.count,
        min=cell.min,
        max=cell.max,
        mean=cell.sum / cell.count if cell.count else cell.last,
        last=cell.last,
        time_in_state=dict(time_in_state or {}),
    )


def too_late(window: Window) -> WatchFault:
    return WatchFault(
        f"a reading of tag {window.tag.tag!r} is older than lateness_s of rule {window.rule!r} allows, and "
        "is missing in its window; let the device send sooner, or raise lateness_s"
    )


class WindowTrack:
    """The windows of one tag that are not forgotten yet, by number: start = number * length.

    refused  number of the last window for which a reading came too late
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self.cells: dict[int, Cell] = {}
        self.refused = NONE

    def count(self, time: int, value: float, newest: int, lag_us: int) -> bool:
        """False when it is too late for that. lag_us: 0 for a late or historical reading"""
        number = time // self.window.every_us
        if self.window.forgotten(number, newest):
            return False
        self.cells.setdefault(number, Cell()).add(time, value, lag_us)
        return True

    def refuse(self, time: int) -> bool:
        """Note a reading that is too late; whether it is the first of its window."""
        before, self.refused = self.refused, time // self.window.every_us
        return before != self.refused

    def take(self, time: int, value: float) -> None:
        """The state from now on, for tags that have one."""

    def lost(self, at: int) -> None:
        """The device is gone: the state is unknown from now on."""

    def confirmed(self, received: int, value: float) -> None:
        """The device is back, and in the state that it said last."""

    def passed(self, before: int, newest: int) -> Iterator[ReadingsAggregate]:
        """What is due as the newest time of the tag moves on."""
        for number in sorted(self.cells):
            closes = self.window.closed(number, newest) and not self.window.closed(number, before)
            forgotten = self.window.forgotten(number, newest)
            if closes or forgotten:
                yield from self._tell(number)
            if forgotten:
                self._forget(number)

    def tick(self, now: int, newest: int) -> Iterator[ReadingsAggregate]:
        for number in sorted(self.cells):
            silent = (
                now >= self.window.end(number) + self.window.grace_us + SILENCE_US + self.cells[number].lag_us
            )
            if silent or self.window.closed(number, newest):
                yield from self._tell(number)

    def _forget(self, number: int) -> None:
        del self.cells[number]

    def _tell(self, number: int) -> Iterator[ReadingsAggregate]:
        cell = self.cells[number]
        if cell.count > cell.told:
            yield aggregate(self.window, number, cell)
            cell.told = cell.count
            cell.revision += 1


class _Said(msgspec.Struct, frozen=True):
    every_s: list[float]
    grace_s: float
    lateness_s: float


def _read(section: Section) -> _Said:
    said = _Said(
        every_s=section.numbers("every_s", at_least=1, at_most=_LONGEST_S),
        grace_s=section.number("grace_s", default=2.0, at_least=0.0, at_most=_LONGEST_S),
        lateness_s=section.number("lateness_s", default=900.0, at_least=0.0, at_most=_LONGEST_S),
    )
    if said.grace_s > said.lateness_s:
        section.refuse("grace_s", "is more than lateness_s; a window has to be told before it is forgotten")
    return said


class Windows:
    """The kind window."""

    fields: Sequence[str] = ("every_s", "grace_s", "lateness_s")
    overridable: Sequence[str] = ("grace_s", "lateness_s")

    def read(self, declared: Declared) -> Sequence[Window]:
        return [
            Window(
                rule=declared.id,
                rule_version=declared.version,
                tag=tag,
                every_us=round(every_s * 1e6),
                grace_us=round(said.grace_s * 1e6),
                lateness_us=round(said.lateness_s * 1e6),
            )
            for tag, said in declared.by_tag(_read)
            for every_s in dict.fromkeys(said.every_s)
        ]

    def watches(self, specs: Sequence[Window]) -> Sequence[Watch]:
        """None: windows take late and historical readings too, which a watch is not given."""
        return []
