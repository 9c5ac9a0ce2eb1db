"""All windows of one length as columns: a ring of slots, in each one cell for every tag and rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lineshaft.telemetry.evaluate.runs import Run
from lineshaft.telemetry.evaluate.saved_columns import pack, pack_names, places, unpack
from lineshaft.telemetry.readings import Floats, Ints
from lineshaft.telemetry.rules.windows import NONE, Cell, Window, WindowTrack

__all__ = ["EMPTY", "NEVER", "Parts", "WindowColumns"]

EMPTY = -1
NEVER = 2**62
_BLANK = [EMPTY, 0, NONE, 0, 0, 0]
_NO_VALUES = [0.0, np.inf, -np.inf, 0.0]
_KINDS = [np.dtype((np.int64, 6)), np.dtype((np.float64, 4))]


class Parts(NamedTuple):
    """Of a run the readings of one row and window, next to each other."""

    starts: Ints
    lengths: Ints
    rows: Ints
    lowest: Floats
    highest: Floats
    slowest: Ints


class WindowColumns:
    """The fields of `Cell` of the same names; cell = number of the window % slots * rows + row.

    windows  with their ranks among the rules; a row for each
    number   of the window that a cell holds, EMPTY for none. A forgotten one may still be there. It and the
             fields of `Cell` are columns of two arrays, so that a cell lies together
    refused  by row
    due      by row: before the newest time of the tag reaches it there is nothing to tell
    longest  µs: within such a time no two windows share a slot
    """

    def __init__(self, windows: Sequence[tuple[int, Window]]) -> None:
        self.windows = [window for _, window in windows]
        self.ranks = [rank for rank, _ in windows]
        self.every = self.windows[0].every_us
        self.rows = len(windows)
        lateness = max(window.lateness_us for window in self.windows)
        self.slots = -(-lateness // self.every) + 2
        self.longest = (self.slots - 1) * self.every
        self._name = f"windows/{self.every}"
        self._names = pack_names([window.key for window in self.windows])
        self._index = {window.key: row for row, window in enumerate(self.windows)}
        self.grace: Ints = np.array([window.grace_us for window in self.windows])
        self.lateness: Ints = np.array([window.lateness_us for window in self.windows])
        self.refused: Ints = np.full(self.rows, NONE)
        self.due: Ints = np.full(self.rows, NEVER)
        cells = self.slots * self.rows
        self._ints: Ints = np.tile(np.array(_BLANK), (cells, 1))
        self._floats: Floats = np.zeros((cells, 4))
        self.number, self.count, self.last_time, self.told, self.revision, self.lag_us = self._ints.T
        self.sum, self.min, self.max, self.last = self._floats.T

    def places(self, rows: Ints, numbers: Ints) -> Ints:
        """Cells of these windows. Written without %, which numpy is slow at."""
        slots: Ints = numbers - numbers // self.slots * self.slots
        return slots * self.rows + rows

    def clear(self, places: Ints, numbers: Ints) -> None:
        """Make these cells those of these windows, for readings to come."""
        self._ints[places], self._floats[places] = _BLANK, _NO_VALUES
        self.number[places] = numbers

    def add(self, places: Ints, parts: Parts, run: Run) -> None:
        """Count each part of the run in the cell at its place. Sums are made one by one, in order."""
        ints, floats = self._ints[places], self._floats[places]
        _, count, last_time, _, _, lag_us = ints.T
        total, low, high, last = floats.T
        np.minimum(low, parts.lowest, out=low)
        np.maximum(high, parts.highest, out=high)
        count += parts.lengths
        if len(places) == len(run):
            total += run.value
            time, value = run.time, run.value
        else:
            np.add.at(total, np.repeat(np.arange(len(places)), parts.lengths), run.value)
            ends = parts.starts + parts.lengths - 1
            time, value = run.time[ends], run.value[ends]
        np.copyto(last, value, where=time > last_time)
        np.maximum(last_time, time, out=last_time)
        np.maximum(lag_us, parts.slowest, out=lag_us)
        self._ints[places], self._floats[places] = ints, floats

    def cells(self, places: Ints | slice) -> list[tuple[int, Cell]]:
        """With the numbers of their windows."""
        both = zip(self._ints[places].tolist(), self._floats[places].tolist(), strict=True)
        return [
            (number, Cell(count, total, low, high, last, last_time, told, revision, lag_us))
            for (number, count, last_time, told, revision, lag_us), (total, low, high, last) in both
        ]

    def load(self, row: int, track: WindowTrack, newest: int) -> None:
        track.refused = int(self.refused[row])
        track.cells = {
            number: cell
            for number, cell in self.cells(slice(row, None, self.rows))
            if number != EMPTY and not track.window.forgotten(number, newest)
        }

    def store(self, row: int, track: WindowTrack) -> None:
        self.refused[row] = track.refused
        ints, floats = [_BLANK] * self.slots, [[0.0] * 4] * self.slots
        for number, cell in track.cells.items():
            slot = number % self.slots
            ints[slot] = [number, cell.count, cell.last_time, cell.told, cell.revision, cell.lag_us]
            floats[slot] = [cell.sum, cell.min, cell.max, cell.last]
        self._ints[row :: self.rows], self._floats[row :: self.rows] = ints, floats
        self.due[row] = NONE  # to be looked at

    def plan(self, rows: Ints, newest: Ints) -> None:
        """Set `due`; newest: by row of these."""
        number, dirty = self.of(self.number, rows), self.of(self.count, rows) > self.of(self.told, rows)
        end = (number + 1) * self.every
        closes, forgotten = end + self.grace[rows], end + self.lateness[rows]
        waits = np.where(closes > newest, closes, np.where(dirty & (forgotten > newest), forgotten, NEVER))
        self.due[rows] = np.where(number == EMPTY, NEVER, waits).min(axis=0)

    def of(self, column: NDArray[Any], rows: Ints) -> NDArray[Any]:
        """(slots, rows): the cells of these rows."""
        found: NDArray[Any] = column[np.arange(0, len(column), self.rows)[:, np.newaxis] + rows]
        return found

    def saved(self, newest: Ints) -> dict[str, bytes]:
        """newest: by row. Slots that are empty throughout are left out."""
        found = {f"{self._name}/names": self._names, f"{self._name}/refused": pack([self.refused])}
        for slot in range(self.slots):
            cells = slice(slot * self.rows, (slot + 1) * self.rows)
            number = self.number[cells]
            held = (number != EMPTY) & ((number + 1) * self.every + self.lateness > newest)
            if held.any():
                held = held[:, np.newaxis]
                ints = np.where(held, self._ints[cells], _BLANK)
                found[f"{self._name}/{slot}"] = pack([ints, np.where(held, self._floats[cells], 0.0)])
        return found

    def restore(self, saved: Mapping[str, bytes], newest: Ints) -> None:
        """Also from another number of slots. raises PermanentFault"""
        here, there, count = places(saved, f"{self._name}/names", self._index)
        if not count:
            return
        (refused,) = unpack(f"{self._name}/refused", saved, [np.int64], count)
        self.refused[here] = refused[there]
        for key in saved:
            if key.startswith(f"{self._name}/") and key.rpartition("/")[2].isdecimal():
                ints, floats = (column[there] for column in unpack(key, saved, _KINDS, count))
                number = ints[:, 0]
                held = (number + 1) * self.every + self.lateness[here] > newest[here]
                held &= number != EMPTY
                cells = self.places(here, number)[held]
                self._ints[cells], self._floats[cells] = ints[held], floats[held]
        self.plan(here, newest[here])
