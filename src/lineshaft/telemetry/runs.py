"""Readings sorted by tag, and what of them is so plain that columns can be evaluated at once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lineshaft.telemetry.evaluation import AHEAD_US
from lineshaft.telemetry.readings import GOOD, STALE, Floats, Ints, Readings
from lineshaft.telemetry.tag_columns import TagColumns

__all__ = ["Arranged", "Run", "arrange"]

Bools = NDArray[np.bool_]


class Run:
    """Columns of readings sorted by tag, those of each tag in the order of their coming.

    index           in the Readings
    lag             received - time
    starts, ends    of each tag, ends exclusive; tags: the tag of each start
    """

    def __init__(self, *columns: NDArray[Any]) -> None:
        """columns: index, tag, time, value, quality, received, lag"""
        self._columns = columns
        self.index, self.tag, self.time, self.value, self.quality, self.received, self.lag = columns
        self.starts = np.flatnonzero(_changes(self.tag))
        self.ends: Ints = np.append(self.starts[1:], len(self.tag))[: len(self.starts)]
        self.tags = self.tag[self.starts]

    def __len__(self) -> int:
        return len(self.index)

    def only(self, kept: Bools) -> Run:
        return Run(*(column[kept] for column in self._columns))

    def good(self) -> Run:
        good = self.quality == GOOD
        return self if good.all() else self.only(good)

    @cached_property
    def lengths(self) -> Ints:
        return self.ends - self.starts

    @cached_property
    def first(self) -> Ints:
        """Time of the first reading of each tag."""
        return self.time[self.starts]

    @cached_property
    def last(self) -> Ints:
        """Time of the last reading of each tag."""
        return self.time[self.ends - 1]

    @cached_property
    def lowest(self) -> Floats:
        """Value, by tag."""
        return self.reduced(np.minimum, self.value)

    @cached_property
    def highest(self) -> Floats:
        return self.reduced(np.maximum, self.value)

    @cached_property
    def slowest(self) -> Ints:
        """Lag, by tag."""
        return self.reduced(np.maximum, self.lag)

    def reduced(self, what: np.ufunc, column: NDArray[Any]) -> NDArray[Any]:
        """By tag. Of few readings a tag, all second ones at once, all third ones and so on is faster."""
        longest = int(self.lengths.max())
        if longest > _FEW:
            return what.reduceat(column, self.starts)
        found = column[self.starts]
        for turn in range(1, longest):
            has = np.flatnonzero(self.lengths > turn)
            found[has] = what(found[has], column[self.starts[has] + turn])
        return found


class Arranged(msgspec.Struct, frozen=True):
    """All as indices in the Readings, but for `plain`.

    plain        newer than all before of their tag, neither stale nor historical nor ahead of their receipt
    others       all readings of the tags that have one that is not plain, in the order of their coming,
                 without repeats of plain ones and without `quarantined`
    """

    plain: Run
    others: Ints
    duplicates: Ints
    quarantined: Ints


_FEW = 12
_NOTHING: Ints = np.zeros(0, np.int64)


def arrange(readings: Readings, received: Ints, tags: TagColumns, longest: Ints, apart: Bools) -> Arranged:
    """received: by reading; by tag: longest, µs that its plain readings may span; apart, never plain"""
    small = len(longest) <= 2**16  # sorted by radix then
    order = np.argsort(readings.tag.astype(np.uint16) if small else readings.tag, kind="stable")
    tag = readings.tag[order]
    time, received = readings.time[order], received[order]
    run = Run(
        order, tag, time, readings.value[order] + 0.0, readings.quality[order], received, received - time
    )
    historical = readings.historical[order]
    ahead = (run.lag < -AHEAD_US) & (run.quality != STALE)
    quarantined = _NOTHING
    if ahead.any():
        quarantined = np.sort(run.index[ahead])
        run, historical = run.only(~ahead), historical[~ahead]
        if not len(run):
            return Arranged(run, _NOTHING, _NOTHING, quarantined)
    starts, tag = run.starts, run.tags
    before = np.empty_like(run.time)
    before[1:] = run.time[:-1]
    before[starts] = tags.newest[tag]
    odd = historical | (run.quality == STALE)
    newer = run.time > before
    too_long = (run.last - run.first >= longest[tag]) | apart[tag]
    if newer.all() and not odd.any() and not too_long.any():
        return Arranged(run, _NOTHING, _NOTHING, quarantined)
    same = (run.time == before) & ~odd
    same[starts] &= (tags.newest[tag] == tags.seen[tag]) & (tags.quality[tag] != STALE)
    strange = np.logical_or.reduceat(odd | ~(newer | same), starts) | too_long
    other = np.repeat(strange, run.lengths)
    return Arranged(
        run.only(~other & ~same), np.sort(run.index[other]), run.index[same & ~other], quarantined
    )


def _changes(tag: NDArray[Any]) -> Bools:
    changes = np.ones(len(tag), np.bool_)
    np.not_equal(tag[1:], tag[:-1], out=changes[1:])
    return changes
