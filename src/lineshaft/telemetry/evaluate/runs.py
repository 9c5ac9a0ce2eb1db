"""Readings sorted by tag, and what of them is so plain that columns can be evaluated at once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lineshaft.telemetry.evaluate.evaluation import AHEAD_US
from lineshaft.telemetry.evaluate.tag_columns import TagColumns
from lineshaft.telemetry.readings import GOOD, STALE, Floats, Ints, Readings

__all__ = ["Arranged", "Run", "arrange"]

Bools = NDArray[np.bool_]


class Run:
    """Columns of readings sorted by tag, those of each tag in the order of their coming.

    index           in the Readings
    lag             received - time, 0 of late and historical ones
    starts, ends    of each tag, ends exclusive; tags: the tag of each start
    alone           there is one reading of each tag
    """

    def __init__(self, *columns: NDArray[Any]) -> None:
        """columns: index, tag, time, value, quality, historical, received, lag"""
        self._columns = columns
        self.index, self.tag, self.time, self.value = columns[:4]
        self.quality, self.historical, self.received, self.lag = columns[4:]
        count, changes = len(self.tag), _changes(self.tag)
        self.alone = np.count_nonzero(changes) == count
        self.starts: Ints = np.arange(count) if self.alone else changes.nonzero()[0]
        self.ends: Ints = np.empty_like(self.starts)
        self.ends[:-1], self.ends[-1:] = self.starts[1:], count
        self.tags = self.tag if self.alone else self.tag[self.starts]

    def __len__(self) -> int:
        return len(self.index)

    def only(self, kept: Bools) -> Run:
        return Run(*(column[kept] for column in self._columns))

    def live(self) -> Run:
        return self.only(~self.historical) if np.count_nonzero(self.historical) else self

    def good(self) -> Run:
        good = self.quality == GOOD
        return self if np.count_nonzero(good) == len(good) else self.only(good)

    @cached_property
    def lengths(self) -> Ints:
        return self.ends - self.starts

    @cached_property
    def first(self) -> Ints:
        """Time of the first reading of each tag."""
        return self.time if self.alone else self.time[self.starts]

    @cached_property
    def last(self) -> Ints:
        """Time of the last reading of each tag."""
        return self.time if self.alone else self.time[self.ends - 1]

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
        if self.alone:
            return column
        longest = int(self.lengths.max())
        if longest > _FEW:
            return what.reduceat(column, self.starts)
        found = column[self.starts]
        for turn in range(1, longest):
            has = np.flatnonzero(self.lengths > turn)
            found[has] = what(found[has], column[self.starts[has] + turn])
        return found


_FEW = 12
_NOTHING: Ints = np.zeros(0, np.int64)


class Arranged(msgspec.Struct, frozen=True):
    """All as indices in the Readings, but for `plain`.

    plain        newer than all before of their tag, neither stale nor ahead of their receipt
    late         late or historical, not newer than all before of their tag, no repeats, ascending in time
    gone         stale
    others       all readings of the tags that have some of more than one of these kinds, or of none, in the
                 order of their coming, without `duplicates` and `quarantined`
    duplicates   repeats of plain ones
    back         those of them that confirm a stale tag
    """

    plain: Run
    quarantined: Ints
    late: Run | None = None
    gone: Run | None = None
    others: Ints = _NOTHING
    duplicates: Ints = _NOTHING
    back: Ints = _NOTHING


def arrange(readings: Readings, received: Ints, tags: TagColumns, longest: Ints, apart: Bools) -> Arranged:
    """received: by reading; by tag: longest, µs that plain ones span less than, 0 where `apart`"""
    small = len(longest) <= 2**16  # sorted by radix then
    order = np.argsort(readings.tag.astype(np.uint16) if small else readings.tag, kind="stable")
    tag = readings.tag[order]
    time, received = readings.time[order], received[order]
    quality, historical = readings.quality[order], readings.historical[order]
    lag = received - time
    ahead = (lag < -AHEAD_US) & (quality != STALE)
    if np.count_nonzero(historical):
        lag[historical] = 0
    run = Run(order, tag, time, readings.value[order] + 0.0, quality, historical, received, lag)
    quarantined = _NOTHING
    if np.count_nonzero(ahead):
        quarantined = np.sort(run.index[ahead])
        run = run.only(~ahead)
        if not len(run):
            return Arranged(run, quarantined)
    starts, tag = run.starts, run.tags
    before = tags.newest[tag]
    if not run.alone:
        of_tags, before = before, np.empty_like(run.time)
        before[1:] = run.time[:-1]
        before[starts] = of_tags
    stale = run.quality == STALE
    newer = run.time > before
    too_long = run.last - run.first >= longest[tag]
    if np.count_nonzero(newer > stale) == len(run) and not np.count_nonzero(too_long):
        return Arranged(run, quarantined)
    live = ~(run.historical | stale)
    same = (run.time == before) & live
    same[1:] &= live[:-1]
    same[starts] = live[starts] & (run.first == tags.seen[tag]) & (tags.newest[tag] == tags.seen[tag])
    strange = np.logical_or.reduceat(stale | ~(newer | same), starts) | too_long
    back = same[starts] & ~strange & (tags.quality[tag] == STALE)
    is_late = _late(run, strange & ~apart[tag], tags)
    gone = np.logical_and.reduceat(stale, starts) & ~apart[tag]
    plain = np.repeat(~strange, run.lengths)
    late = run.only(np.repeat(is_late, run.lengths))
    late.lag[:] = 0
    return Arranged(
        run.only(plain & ~same),
        quarantined,
        late,
        run.only(np.repeat(gone, run.lengths)),
        np.sort(run.index[np.repeat(strange & ~is_late & ~gone, run.lengths)]),
        run.index[same & plain],
        run.index[starts[back]],
    )


def _late(run: Run, late: Bools, tags: TagColumns) -> Bools:
    """Which of these tags have late or historical readings only, ascending and none of them had before."""
    if not late.any():
        return late
    old = (run.time <= tags.seen[run.tag]) | run.historical
    old &= (run.time <= tags.newest[run.tag]) & (run.quality != STALE)
    ascends = np.ones(len(run), np.bool_)
    np.greater(run.time[1:], run.time[:-1], out=ascends[1:])
    ascends[run.starts] = True
    late = late & np.logical_and.reduceat(old & ascends, run.starts)
    some = run.only(np.repeat(late, run.lengths))
    if len(some):
        had = (tags.ring[some.tag] == some.time[:, np.newaxis]).any(axis=1)
        had |= some.time == tags.seen[some.tag]
        late[late] = ~np.logical_or.reduceat(had, some.starts)
    return late


def _changes(tag: NDArray[Any]) -> Bools:
    changes = np.ones(len(tag), np.bool_)
    np.not_equal(tag[1:], tag[:-1], out=changes[1:])
    return changes
