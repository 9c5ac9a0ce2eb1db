"""Windows of many tags at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from lineshaft.model.aggregates import ReadingsAggregate
from lineshaft.telemetry.limit_screen import by_tag
from lineshaft.telemetry.readings import Ints
from lineshaft.telemetry.runs import Run
from lineshaft.telemetry.window_columns import EMPTY, WindowColumns
from lineshaft.telemetry.windows import SILENCE_US, aggregate

__all__ = ["Tell", "WindowFill"]

Tell: TypeAlias = Callable[[int, int, int, ReadingsAggregate], None]
"""Told of (rank, place in the run at which it became due, number, the window)."""


class WindowFill:
    """The windows of one length. The readings of a run are newer than all before, and those of one tag span
    less than the ring holds, so that a window is complete before a newer one takes its cell."""

    def __init__(self, columns: WindowColumns, tag_of: Sequence[int], tags: int) -> None:
        self._columns = columns
        self.tag_of: Ints = np.array(tag_of, np.int64)
        self._by_tag = by_tag(tag_of, tags)

    def fill(self, run: Run, good: Run, before: Ints, tell: Tell) -> None:
        """run: of any quality; good: those that count; before: newest times until now, by tag of the run"""
        for turn in range(self._by_tag.shape[1]):
            rows = self._by_tag[run.tags, turn]
            if good is run:
                self._add(rows, run, run, before, tell)
            elif len(good):
                self._add(self._by_tag[good.tags, turn], good, run, before, tell)
            due = self._columns.due[rows] <= run.last
            due &= rows >= 0
            if due.any():
                self._settle(np.flatnonzero(due), rows[due], run, before[due], tell)

    def _add(self, rows: Ints, good: Run, run: Run, before: Ints, tell: Tell) -> None:
        """rows: by tag of the good ones, -1 where it has none"""
        columns = self._columns
        if (rows < 0).any():
            has = rows >= 0
            if not has.any():
                return
            good, rows = good.only(np.repeat(has, good.lengths)), rows[has]
        first = good.first // columns.every
        if (first == good.last // columns.every).all():
            starts, lengths, cells_of, numbers = good.starts, good.lengths, rows, first
            lowest, highest, slowest = good.lowest, good.highest, good.slowest
        else:
            number = good.time // columns.every
            borders = np.concatenate(([True], number[1:] != number[:-1]))
            borders[good.starts] = True
            starts = np.flatnonzero(borders)
            lengths = np.diff(starts, append=len(good))
            cells_of, numbers = np.repeat(rows, good.lengths)[starts], number[starts]
            lowest = np.minimum.reduceat(good.value, starts)
            highest = np.maximum.reduceat(good.value, starts)
            slowest = np.maximum.reduceat(good.lag, starts)
        cells = columns.places(cells_of, numbers)
        fresh = columns.number[cells] != numbers
        if fresh.any():
            self._make_room(cells[fresh], run, before, tell)
            columns.clear(cells[fresh], numbers[fresh])
            columns.min[cells[fresh]], columns.max[cells[fresh]] = np.inf, -np.inf
        columns.min[cells] = np.minimum(columns.min[cells], lowest)
        columns.max[cells] = np.maximum(columns.max[cells], highest)
        columns.count[cells] += lengths
        if len(starts) == len(good):
            columns.sum[cells] += good.value
        else:
            np.add.at(columns.sum, np.repeat(cells, lengths), good.value)  # one by one, as they came
        lasts = starts + lengths - 1
        columns.last[cells], columns.last_time[cells] = good.value[lasts], good.time[lasts]
        columns.lag_us[cells] = np.maximum(columns.lag_us[cells], slowest)
        columns.due[rows] = np.minimum(columns.due[rows], (first + 1) * columns.every + columns.grace[rows])

    def _make_room(self, cells: Ints, run: Run, before: Ints, tell: Tell) -> None:
        """Tell what is untold in cells that are taken for newer windows: it is due within the run."""
        columns = self._columns
        untold = cells[(columns.number[cells] != EMPTY) & (columns.count[cells] > columns.told[cells])]
        groups = np.searchsorted(run.tags, self.tag_of[untold % columns.rows])
        self._tell(untold, groups, before[groups], run, tell)

    def _settle(self, groups: Ints, rows: Ints, run: Run, before: Ints, tell: Tell) -> None:
        """Tell what is due of these rows, and set when more will be; groups, before: of each row."""
        columns, newest = self._columns, run.last[groups]
        number = columns.of(columns.number, rows)
        end = (number + 1) * columns.every
        closes = end + columns.grace[rows]
        due = (closes > before) & (closes <= newest) | (end + columns.lateness[rows] <= newest)
        due &= (number != EMPTY) & (columns.of(columns.count, rows) > columns.of(columns.told, rows))
        slots, at = np.nonzero(due)
        if len(at):
            self._tell(slots * columns.rows + rows[at], groups[at], before[at], run, tell)
        columns.plan(rows, newest)

    def _tell(self, cells: Ints, groups: Ints, before: Ints, run: Run, tell: Tell) -> None:
        """Each at the first reading of its tag that makes it due."""
        columns = self._columns
        row, end = cells % columns.rows, (columns.number[cells] + 1) * columns.every
        closes = end + columns.grace[row]
        border = np.where(closes > before, closes, end + columns.lateness[row]).tolist()
        starts, ends = run.starts[groups].tolist(), run.ends[groups].tolist()
        for turn, (rank, number, told) in enumerate(self._told(cells)):
            start = starts[turn]
            place = start + int(run.time[start : ends[turn]].searchsorted(border[turn]))
            tell(rank, place, number, told)

    def tick(self, now: int, newest: Ints) -> Iterator[tuple[int, int, ReadingsAggregate]]:
        """(rank, number, window); newest: by tag"""
        columns = self._columns
        open_cells = np.flatnonzero((columns.number != EMPTY) & (columns.count > columns.told))
        row, number = open_cells % columns.rows, columns.number[open_cells]
        border = (number + 1) * columns.every + columns.grace[row]
        passed = newest[self.tag_of[row]]
        due = (border + SILENCE_US + columns.lag_us[open_cells] <= now) | (border <= passed)
        due &= (number + 1) * columns.every + columns.lateness[row] > passed
        return self._told(open_cells[due])

    def _told(self, cells: Ints) -> Iterator[tuple[int, int, ReadingsAggregate]]:
        columns = self._columns
        rows, numbers = (cells % columns.rows).tolist(), columns.number[cells].tolist()
        held = columns.cells(cells)
        columns.told[cells] = columns.count[cells]
        columns.revision[cells] += 1
        for row, number, cell in zip(rows, numbers, held, strict=True):
            yield columns.ranks[row], number, aggregate(columns.windows[row], number, cell)
