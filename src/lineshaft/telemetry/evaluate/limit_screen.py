"""Limits on many tags at once: columns say which of them can change, and only those are walked through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import nextafter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineshaft.model.condition import LimitKind
from lineshaft.telemetry.evaluate.runs import Run
from lineshaft.telemetry.evaluate.tag_columns import LimitColumns
from lineshaft.telemetry.readings import Floats, Ints
from lineshaft.telemetry.rules.limits import Limit, advance
from lineshaft.telemetry.rules.windows import NONE

__all__ = ["Breach", "LimitScreen", "RateScreen", "by_tag"]

Breach: TypeAlias = Callable[[int, Limit, int, float, int], None]
"""Told of (rank, limit, start of the episode, value or speed, place in the run)."""


def by_tag(tag_of: Sequence[int], tags: int) -> Ints:
    """(tags, most rows of one tag): the rows of each tag in order, -1 where there is no more."""
    rows: list[list[int]] = [[] for _ in range(tags)]
    for row, tag in enumerate(tag_of):
        rows[tag].append(row)
    most = max(map(len, rows), default=0)
    return np.array([held + [-1] * (most - len(held)) for held in rows], np.int64).reshape(tags, most)


def _walk(
    columns: LimitColumns,
    row: int,
    places: Sequence[int] | NDArray[Any],
    values: Floats,
    run: Run,
    breach: Breach,
) -> None:
    limit, state = columns.limits[row], columns.state(row)
    for place, value in zip(places, values.tolist(), strict=True):
        before, state = state, advance(limit, state, value, int(run.time[place]))
        if state.raised and not before.raised and state.episode_start is not None:
            breach(columns.first + row, limit, state.episode_start, value, int(place))
    columns.put(row, state)


class LimitScreen:
    """Limits on values. A limit can change only if one of the values of its tag is beyond it while its event
    is not due yet, or at or within its release while it has an episode. So there are two levels for each tag:
    while its values lie between them, none of its limits can change."""

    def __init__(self, columns: LimitColumns, tag_of: Sequence[int], tags: int) -> None:
        self._columns = columns
        self._rows: dict[int, list[int]] = {}
        for row, tag in enumerate(tag_of):
            self._rows.setdefault(tag, []).append(row)
        self._tag_of: Ints = np.array(tag_of, np.int64)
        self._up: Floats = np.full(tags, np.inf)
        self._down: Floats = np.full(tags, -np.inf)
        low = np.array([limit.kind is LimitKind.LOW for limit in columns.limits], np.bool_)
        levels = np.array([limit.limit for limit in columns.limits])
        np.minimum.at(self._up, self._tag_of[~low], levels[~low])
        np.maximum.at(self._down, self._tag_of[low], levels[low])

    def restored(self) -> None:
        """Limits stand otherwise than at first."""
        for tag in np.unique(self._tag_of[self._columns.start != NONE]).tolist():
            self.note(tag)

    def note(self, tag: int) -> None:
        """Set the levels of a tag whose limits changed."""
        levels = [self._levels(row) for row in self._rows.get(tag, ())]
        self._up[tag] = min((up for up, _ in levels), default=np.inf)
        self._down[tag] = max((down for _, down in levels), default=-np.inf)

    def _levels(self, row: int) -> tuple[float, float]:
        """A value above the one or below the other changes this limit."""
        limit, state = self._columns.limits[row], self._columns.state(row)
        on = state.episode_start is not None
        if limit.kind is LimitKind.LOW:
            up = nextafter(limit.release, -np.inf) if on else np.inf
            return up, -np.inf if state.raised else limit.limit
        down = nextafter(limit.release, np.inf) if on else -np.inf
        return np.inf if state.raised else limit.limit, down

    def screen(self, run: Run, breach: Breach) -> None:
        """run: of good quality"""
        if not self._rows:
            return
        changing = (run.highest > self._up[run.tags]) | (run.lowest < self._down[run.tags])
        for group in changing.nonzero()[0].tolist():
            tag, start, end = int(run.tags[group]), int(run.starts[group]), int(run.ends[group])
            for row in self._rows[tag]:
                up, down = self._levels(row)
                if run.highest[group] > up or run.lowest[group] < down:
                    _walk(self._columns, row, range(start, end), run.value[start:end], run, breach)
            self.note(tag)


class RateScreen:
    """Limits on the speed of change."""

    def __init__(self, columns: LimitColumns, tag_of: Sequence[int], tags: int) -> None:
        self._columns = columns
        self._by_tag = by_tag(tag_of, tags)
        self._limit = np.array([limit.limit for limit in columns.limits])
        self._release = np.array([limit.release for limit in columns.limits])
        self._fall = np.array([limit.kind is LimitKind.FALL for limit in columns.limits], np.bool_)
        self._over = np.array([limit.over_us for limit in columns.limits], np.int64)

    def screen(self, run: Run, breach: Breach) -> None:
        if not len(self._limit) or not len(run):
            return
        for rows in self._by_tag[run.tags].T:
            if (rows >= 0).any():
                self._screen_one(rows, run, breach)

    def _screen_one(self, rows: Ints, run: Run, breach: Breach) -> None:
        """rows: of one limit of each tag, -1 where it has none"""
        columns = self._columns
        speed, measured = self._speeds(rows, run)
        farthest = np.fmax.reduceat(speed, run.starts)
        nearest = np.fmin.reduceat(speed, run.starts)
        changing = (farthest > self._limit[rows]) & ~columns.raised[rows]
        changing |= (nearest <= self._release[rows]) & (columns.start[rows] != NONE)
        changing &= rows >= 0
        for group in np.flatnonzero(changing).tolist():
            start, end = int(run.starts[group]), int(run.ends[group])
            places = start + np.flatnonzero(~np.isnan(speed[start:end]))
            _walk(columns, int(rows[group]), places, speed[places], run, breach)
        has = (rows >= 0) & (measured >= 0)
        columns.time[rows[has]] = run.time[measured[has]]
        columns.value[rows[has]] = run.value[measured[has]]

    def _speeds(self, rows: Ints, run: Run) -> tuple[Floats, Ints]:
        """(speed at each reading, NaN where none is measured; by tag the place of the last one measured from
        or to, -1 for none)"""
        columns = self._columns
        from_time, from_value = np.empty_like(run.time), np.empty_like(run.value)
        from_time[1:], from_value[1:] = run.time[:-1], run.value[:-1]
        from_time[run.starts], from_value[run.starts] = columns.time[rows], columns.value[rows]
        first = np.zeros(len(run), np.bool_)
        first[run.starts] = columns.time[rows] == NONE
        row_of = np.repeat(rows, run.lengths)
        over = run.time - np.where(first, run.time, from_time)
        short = (over < self._over[row_of]) & ~first
        measured = run.ends - 1
        alone = measured == run.starts
        for group in self._thinned(short, alone, rows, run):
            measured[group] = self._measure_in_turn(group, rows, run, from_time, from_value, short, first)
        over = run.time - np.where(first, run.time, from_time)
        change = run.value - from_value
        with np.errstate(all="ignore"):
            speed = np.where(self._fall[row_of], -change, change) / (over / 1e6)
        speed[first | short] = np.nan
        measured[alone & short[run.starts]] = -1
        return speed, measured

    def _thinned(
        self, short: NDArray[np.bool_], alone: NDArray[np.bool_], rows: Ints, run: Run
    ) -> Iterator[int]:
        """Tags with several readings of which some are left out."""
        some = np.logical_or.reduceat(short, run.starts) & ~alone & (rows >= 0)
        yield from np.flatnonzero(some).tolist()

    def _measure_in_turn(
        self,
        group: int,
        rows: Ints,
        run: Run,
        from_time: Ints,
        from_value: Floats,
        short: NDArray[np.bool_],
        first: NDArray[np.bool_],
    ) -> int:
        """Set from what each reading of the tag is measured, and which ones are left out."""
        start, end = int(run.starts[group]), int(run.ends[group])
        time, value = int(from_time[start]), float(from_value[start])
        over, last = int(self._over[rows[group]]), -1
        for place in range(start, end):
            short[place] = not first[place] and int(run.time[place]) - time < over
            from_time[place], from_value[place] = time, value
            if not short[place]:
                time, value, last = int(run.time[place]), float(run.value[place]), place
        return last
