"""Windows of many tags at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineshaft.model.aggregates import ReadingsAggregate
from lineshaft.telemetry.evaluate.limit_screen import by_tag
from lineshaft.telemetry.evaluate.runs import Run
from lineshaft.telemetry.evaluate.window_columns import EMPTY, Parts, WindowColumns
from lineshaft.telemetry.readings import Ints
from lineshaft.telemetry.rules.windows import NONE, SILENCE_US, Window, aggregate

__all__ = ["Tell", "WindowFill"]

Tell: TypeAlias = Callable[[int, int, int, ReadingsAggregate], None]
"""Told of (rank, place in the run at which it became due, number, the window)."""
Refuse: TypeAlias = Callable[[int, Window], None]
"""Told of (place in the run, window of a kind that it is too late for)."""


class WindowFill:
    """The windows of one length. The readings of a run are newer than all before, and those of one tag span
    less than the ring holds, so that a window is complete before a newer one takes its cell. Of each row the
    cell of the newest window is known, up to its end."""

    def __init__(self, columns: WindowColumns, tag_of: Sequence[int], tags: int) -> None:
        self._columns = columns
        self.tag_of: Ints = np.array(tag_of, np.int64)
        self._by_tag = by_tag(tag_of, tags)
        self._complete = bool((self._by_tag >= 0).all())
        self._cell: Ints = np.zeros(len(tag_of), np.int64)
        self._until: Ints = np.full(len(tag_of), NONE)

    def fill(self, run: Run, good: Run, before: Ints, tell: Tell) -> None:
        """run: of any quality; good: those that count; before: newest times until now, by tag of the run"""
        for turn in range(self._by_tag.shape[1]):
            rows = self._by_tag[run.tags, turn]
            if good is run:
                self._add(rows, run, run, before, tell)
            elif len(good):
                self._add(self._by_tag[good.tags, turn], good, run, before, tell)
            due = self._columns.due[rows] <= run.last
            if not self._complete:
                due &= rows >= 0
            if np.count_nonzero(due):
                self._settle(np.flatnonzero(due), rows[due], run, before[due], tell)

    def _add(self, rows: Ints, good: Run, run: Run, before: Ints, tell: Tell) -> None:
        """rows: by tag of the good ones, -1 where it has none"""
        columns = self._columns
        if not self._complete and (rows < 0).any():
            has = rows >= 0
            if not has.any():
                return
            good, rows = good.only(np.repeat(has, good.lengths)), rows[has]
        if np.count_nonzero(good.last < self._until[rows]) == len(rows):
            columns.add(self._cell[rows], _whole(good, rows), good)
            return
        first = good.first // columns.every
        numbers, parts = self._parts(rows, good, first)
        cells = columns.places(parts.rows, numbers)
        fresh = columns.number[cells] != numbers
        if fresh.any():
            self._make_room(cells[fresh], run, before, tell)
            columns.clear(cells[fresh], numbers[fresh])
        columns.add(cells, parts, good)
        columns.due[rows] = np.minimum(columns.due[rows], (first + 1) * columns.every + columns.grace[rows])
        self._cell[parts.rows], self._until[parts.rows] = cells, (numbers + 1) * columns.every

    def late(self, good: Run, newest: Ints, refuse: Refuse) -> NDArray[np.bool_]:
        """good: none newer than the newest time of its tag, those of each ascending; newest: by tag. Returns
        which of them come too late for a window."""
        too_late = np.zeros(len(good), np.bool_)
        for turn in range(self._by_tag.shape[1]):
            rows = np.repeat(self._by_tag[good.tags, turn], good.lengths)
            number = good.time // self._columns.every
            forgotten = (number + 1) * self._columns.every + self._columns.lateness[rows] <= newest[good.tag]
            forgotten &= rows >= 0
            if forgotten.any():
                too_late |= forgotten
                self._refuse(forgotten, rows, number, refuse)
            kept = (rows >= 0) & ~forgotten
            if kept.any():
                self._add_late(good if kept.all() else good.only(kept), rows[kept])
        return too_late

    def _refuse(self, forgotten: NDArray[np.bool_], rows: Ints, number: Ints, refuse: Refuse) -> None:
        """Once a window."""
        places = np.flatnonzero(forgotten)
        for place, row, window in zip(
            places.tolist(), rows[places].tolist(), number[places].tolist(), strict=True
        ):
            if self._columns.refused[row] != window:
                self._columns.refused[row] = window
                refuse(place, self._columns.windows[row])

    def _add_late(self, good: Run, row_of: Ints) -> None:
        """What has the cell that one of these windows needs is forgotten. row_of: by reading"""
        columns, rows = self._columns, row_of[good.starts]
        numbers, parts = self._parts(rows, good, good.first // columns.every)
        cells = columns.places(parts.rows, numbers)
        fresh = columns.number[cells] != numbers
        columns.clear(cells[fresh], numbers[fresh])
        columns.add(cells, parts, good)
        columns.due[rows] = NONE  # to be looked at

    def _parts(self, rows: Ints, good: Run, first: Ints) -> tuple[Ints, Parts]:
        """With the numbers of their windows. rows: by tag; first: number of that of its first reading"""
        every = self._columns.every
        if good.alone or (first == good.last // every).all():
            return first, _whole(good, rows)
        number = good.time // every
        borders = np.concatenate(([True], number[1:] != number[:-1]))
        borders[good.starts] = True
        starts = np.flatnonzero(borders)
        parts = Parts(
            starts,
            np.diff(starts, append=len(good)),
            np.repeat(rows, good.lengths)[starts],
            np.minimum.reduceat(good.value, starts),
            np.maximum.reduceat(good.value, starts),
            np.maximum.reduceat(good.lag, starts),
        )
        return number[starts], parts

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
        rows, held = (cells % columns.rows).tolist(), columns.cells(cells)
        columns.told[cells] = columns.count[cells]
        columns.revision[cells] += 1
        for row, (number, cell) in zip(rows, held, strict=True):
            yield columns.ranks[row], number, aggregate(columns.windows[row], number, cell)


def _whole(run: Run, rows: Ints) -> Parts:
    """The readings of each tag as one part."""
    return Parts(run.starts, run.lengths, rows, run.lowest, run.highest, run.slowest)
