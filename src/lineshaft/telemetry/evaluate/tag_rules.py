"""The rules as evaluation needs them: by tag, each with its rank, which orders what they tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lineshaft.telemetry.evaluate.saved_columns import pack_each, unpack_each
from lineshaft.telemetry.evaluate.tag_columns import LimitColumns, TagColumns
from lineshaft.telemetry.evaluate.time_in_state import StateTrack
from lineshaft.telemetry.evaluate.track import Track
from lineshaft.telemetry.evaluate.window_columns import WindowColumns
from lineshaft.telemetry.rules.limits import Limit
from lineshaft.telemetry.rules.rule_set import RuleSet
from lineshaft.telemetry.rules.watch import Derivation, Watch
from lineshaft.telemetry.rules.windows import Window

__all__ = ["State", "TagRules"]


class TagRules:
    """Ranks: limits on values, limits on speed, windows, then all other rules.

    levels,
    rates        limits on values and on speed; level_tags, rate_tags: their tags
    limits,
    windows      by tag, with ranks
    watches      in order of rank, new ones
    watching     by tag: (rank, watch, role)
    derivations  new ones; deriving: by tag: (place among them, role)
    virtual      tag of each derivation
    """

    def __init__(self, rules: RuleSet) -> None:
        self.tags = list(rules.tags)
        index = {tag.tag: number for number, tag in enumerate(self.tags)}
        self.levels = rules.levels()
        self.rates = rules.rates()
        self.level_tags = [index[limit.tag.tag] for limit in self.levels]
        self.rate_tags = [index[limit.tag.tag] for limit in self.rates]
        all_windows = rules.windows()
        self.limits: dict[int, list[tuple[int, Limit]]] = {}
        self.windows: dict[int, list[tuple[int, Window]]] = {}
        for rank, limit in enumerate([*self.levels, *self.rates]):
            self.limits.setdefault(index[limit.tag.tag], []).append((rank, limit))
        first = len(self.levels) + len(self.rates)
        for rank, window in enumerate(all_windows, first):
            self.windows.setdefault(index[window.tag.tag], []).append((rank, window))
        self.watches: list[Watch] = rules.watches()
        self.watching: dict[int, list[tuple[int, Watch, str]]] = {}
        for rank, watch in enumerate(self.watches, first + len(all_windows)):
            for name, role in watch.inputs.items():
                self.watching.setdefault(index[name], []).append((rank, watch, role))
        self.derivations: list[Derivation] = rules.derivations()
        self.deriving: dict[int, list[tuple[int, str]]] = {}
        for place, derivation in enumerate(self.derivations):
            for name, role in derivation.inputs.items():
                self.deriving.setdefault(index[name], []).append((place, role))
        self.virtual = [index[derivation.tag.tag] for derivation in self.derivations]

    def state_tags(self) -> list[int]:
        """Those whose windows tell the time in each state."""
        return [
            index
            for index, windows in self.windows.items()
            if any(window.state_of is not None for _, window in windows)
        ]

    def track(self, index: int) -> Track:
        """A new one."""
        return Track(self.tags[index], self.limits.get(index, ()), self.windows.get(index, ()))


class State:
    """Everything that is saved: columns, and the rules that hold their state themselves.

    grids      the windows by length, without those of state tags; grid_tags: tag of each row
    """

    def __init__(self, rules: TagRules) -> None:
        self.tags = TagColumns([tag.tag for tag in rules.tags])
        self.levels = LimitColumns("levels", rules.levels, 0)
        self.rates = LimitColumns("rates", rules.rates, len(rules.levels))
        by_length: dict[int, list[tuple[int, Window]]] = {}
        tag_of: dict[int, int] = {}
        for index, windows in rules.windows.items():
            for rank, window in windows:
                tag_of[rank] = index
                if window.state_of is None:
                    by_length.setdefault(window.every_us, []).append((rank, window))
        self.grids = [WindowColumns(sorted(windows)) for _, windows in sorted(by_length.items())]
        self.grid_tags = [[tag_of[rank] for rank in grid.ranks] for grid in self.grids]
        self._rows = {rank: (grid, row) for grid in self.grids for row, rank in enumerate(grid.ranks)}
        self._rules = rules

    def load(self, index: int, track: Track) -> None:
        """Into a track what the columns hold of its tag; windows of state tags stay as they are in it."""
        self.tags.load(index, track)
        for rank, watch in track.limits:
            columns = self._limits(rank)
            columns.load(rank - columns.first, watch)
        for rank, held in track.windows:
            if not isinstance(held, StateTrack):
                grid, row = self._rows[rank]
                grid.load(row, held, track.newest)

    def store(self, index: int, track: Track) -> None:
        self.tags.store(index, track)
        for rank, watch in track.limits:
            columns = self._limits(rank)
            columns.store(rank - columns.first, watch)
        for rank, held in track.windows:
            if not isinstance(held, StateTrack):
                grid, row = self._rows[rank]
                grid.store(row, held)

    def saved(self, tracks: Iterable[Track]) -> dict[str, bytes]:
        """tracks: those of all state tags at least"""
        found = self.tags.saved() | self.levels.saved() | self.rates.saved()
        for grid, tags in zip(self.grids, self.grid_tags, strict=True):
            found |= grid.saved(self.tags.newest[tags])
        each = {watch.key: watch.saved() for watch in self._rules.watches}
        each |= {derivation.key: derivation.saved() for derivation in self._rules.derivations}
        each |= {held.key: held.saved() for held in _state_tracks(tracks)}
        return found | pack_each(each)

    def restore(self, saved: Mapping[str, bytes], tracks: Iterable[Track]) -> None:
        """Into new ones. raises PermanentFault"""
        self.tags.restore(saved)
        self.levels.restore(saved)
        self.rates.restore(saved)
        for grid, tags in zip(self.grids, self.grid_tags, strict=True):
            grid.restore(saved, self.tags.newest[tags])
        each = unpack_each(saved)
        parts: list[Watch | Derivation | StateTrack] = [*self._rules.watches, *self._rules.derivations]
        for part in [*parts, *_state_tracks(tracks)]:
            if part.key in each:
                part.restore(each[part.key])

    def _limits(self, rank: int) -> LimitColumns:
        return self.levels if rank < self.rates.first else self.rates


def _state_tracks(tracks: Iterable[Track]) -> list[StateTrack]:
    return [held for track in tracks for _, held in track.windows if isinstance(held, StateTrack)]
