"""All windows of one length as columns: a ring of slots, in each one cell for every tag and rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.telemetry.readings import Floats, Ints
from lineshaft.telemetry.saved_columns import pack, pack_names, places, unpack
from lineshaft.telemetry.windows import NONE, Cell, Window, WindowTrack

__all__ = ["EMPTY", "NEVER", "WindowColumns"]

EMPTY = -1
NEVER = 2**62
_KINDS = [np.int64, np.int64, np.float64, np.float64, np.float64, np.float64, *[np.int64] * 4]


class WindowColumns:
    """The fields of `Cell` of the same names; cell = number of the window % slots * rows + row.

    windows  with their ranks among the rules; a row for each
    number   of the window that a cell holds, EMPTY for none. A forgotten one may still be there
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
        self.number: Ints = np.full(cells, EMPTY)
        self.count: Ints = np.zeros(cells, np.int64)
        self.sum: Floats = np.zeros(cells)
        self.min: Floats = np.zeros(cells)
        self.max: Floats = np.zeros(cells)
        self.last: Floats = np.zeros(cells)
        self.last_time: Ints = np.full(cells, NONE)
        self.told: Ints = np.zeros(cells, np.int64)
        self.revision: Ints = np.zeros(cells, np.int64)
        self.lag_us: Ints = np.zeros(cells, np.int64)

    def places(self, rows: Ints, numbers: Ints) -> Ints:
        """Cells of these windows. Written without %, which numpy is slow at."""
        slots: Ints = numbers - numbers // self.slots * self.slots
        return slots * self.rows + rows

    def numbers(self, row: int) -> list[int]:
        """Of the windows in its cells, ascending."""
        return sorted(number for number in self.number[row :: self.rows].tolist() if number != EMPTY)

    def held(self, row: int, newest: int) -> list[int]:
        """Without those that are forgotten."""
        window = self.windows[row]
        return [number for number in self.numbers(row) if not window.forgotten(number, newest)]

    def clear(self, places: Ints, numbers: Ints) -> None:
        """Make these cells those of these windows."""
        self.number[places] = numbers
        for column in self._cells():
            column[places] = 0

    def cells(self, places: Ints) -> list[Cell]:
        return [
            Cell(*cell) for cell in zip(*(column[places].tolist() for column in self._cells()), strict=True)
        ]

    def load(self, row: int, track: WindowTrack, newest: int) -> None:
        track.refused = int(self.refused[row])
        numbers = np.array(self.held(row, newest), np.int64)
        cells = self.cells(self.places(np.array(row), numbers))
        track.cells = dict(zip(numbers.tolist(), cells, strict=True))

    def store(self, row: int, track: WindowTrack, newest: int) -> None:
        self.refused[row] = track.refused
        self.number[row :: self.rows] = EMPTY
        for number, cell in track.cells.items():
            place = number % self.slots * self.rows + row
            self.number[place] = number
            for column, name in zip(self._cells(), Cell.__struct_fields__, strict=True):
                column[place] = getattr(cell, name)
        self.plan(np.array([row]), np.array([newest]))

    def plan(self, rows: Ints, newest: Ints) -> None:
        """Set `due`; newest: by row of these."""
        number, dirty = self.of(self.number, rows), self.of(self.count, rows) > self.of(self.told, rows)
        end = (number + 1) * self.every
        closes, forgotten = end + self.grace[rows], end + self.lateness[rows]
        waits = np.where(closes > newest, closes, np.where(dirty & (forgotten > newest), forgotten, NEVER))
        self.due[rows] = np.where(number == EMPTY, NEVER, waits).min(axis=0)

    def of(self, column: NDArray[Any], rows: Ints) -> NDArray[Any]:
        """(slots, rows): the cells of these rows."""
        return column.reshape(self.slots, self.rows)[:, rows]

    def saved(self, newest: Ints) -> dict[str, bytes]:
        """newest: by row. Slots that are empty throughout are left out."""
        found = {f"{self._name}/names": self._names, f"{self._name}/refused": pack([self.refused])}
        for slot in range(self.slots):
            cells = slice(slot * self.rows, (slot + 1) * self.rows)
            number = self.number[cells]
            held = (number != EMPTY) & ((number + 1) * self.every + self.lateness > newest)
            if held.any():
                columns: list[NDArray[Any]] = [np.where(held, number, EMPTY)]
                columns += [np.where(held, column[cells], column.dtype.type(0)) for column in self._cells()]
                found[f"{self._name}/{slot}"] = pack(columns)
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
                number, *columns = (column[there] for column in unpack(key, saved, _KINDS, count))
                held = (number + 1) * self.every + self.lateness[here] > newest[here]
                held &= number != EMPTY
                places_here = self.places(here, number)[held]
                self.number[places_here] = number[held]
                for column, before in zip(self._cells(), columns, strict=True):
                    column[places_here] = before[held]
        self.plan(here, newest[here])

    def _cells(self) -> tuple[NDArray[Any], ...]:
        return (
            self.count,
            self.sum,
            self.min,
            self.max,
            self.last,
            self.last_time,
            self.told,
            self.revision,
            self.lag_us,
        )
