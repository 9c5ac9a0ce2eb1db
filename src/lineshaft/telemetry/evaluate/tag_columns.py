"""Order and live values of all tags, and where their limits stand, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lineshaft.telemetry.evaluate.saved_columns import pack, pack_names, places, unpack
from lineshaft.telemetry.evaluate.track import RING, Track
from lineshaft.telemetry.readings import STALE, Floats, Ints
from lineshaft.telemetry.rules.limits import WITHIN, Limit, LimitState, LimitWatch
from lineshaft.telemetry.rules.rates import RateWatch
from lineshaft.telemetry.rules.windows import NONE

__all__ = ["LimitColumns", "TagColumns"]


class TagColumns:
    """The fields of `Track` of the same names, by tag. ring: two-dimensional."""

    def __init__(self, names: Sequence[str]) -> None:
        count = len(names)
        self._names = pack_names(names)
        self._index = {name: index for index, name in enumerate(names)}
        self.seen: Ints = np.full(count, NONE)
        self.newest: Ints = np.full(count, NONE)
        self.received: Ints = np.full(count, NONE)
        self.value: Floats = np.full(count, np.nan)
        self.thin: Floats = np.full(count, np.nan)
        self.quality: NDArray[np.uint8] = np.full(count, STALE, np.uint8)
        self.ring: Ints = np.full((count, RING), NONE)
        self.rung: Ints = np.zeros(count, np.int64)

    def load(self, index: int, track: Track) -> None:
        track.seen, track.newest = int(self.seen[index]), int(self.newest[index])
        track.received, track.rung = int(self.received[index]), int(self.rung[index])
        track.value, track.thin = float(self.value[index]), float(self.thin[index])
        track.quality, track.ring = int(self.quality[index]), self.ring[index].tolist()

    def store(self, index: int, track: Track) -> None:
        self.seen[index], self.newest[index] = track.seen, track.newest
        self.received[index], self.rung[index] = track.received, track.rung
        self.value[index], self.thin[index] = track.value, track.thin
        self.quality[index], self.ring[index] = track.quality, track.ring

    def saved(self) -> dict[str, bytes]:
        return {
            "tags/names": self._names,
            "tags/live": pack([self.seen, self.newest, self.received, self.value, self.thin, self.quality]),
            "tags/ring": pack([self.rung, self.ring]),
        }

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """raises PermanentFault"""
        here, there, count = places(saved, "tags/names", self._index)
        if count:
            kinds = [np.int64] * 3 + [np.float64] * 2 + [np.uint8]
            columns = unpack("tags/live", saved, kinds, count)
            held = (self.seen, self.newest, self.received, self.value, self.thin, self.quality)
            for column, before in zip(held, columns, strict=True):
                column[here] = before[there]  # type: ignore[index]
            rung, ring = unpack("tags/ring", saved, [np.int64, np.dtype((np.int64, RING))], count)
            self.rung[here], self.ring[here] = rung[there], ring[there]


class LimitColumns:
    """Where limits stand. The rank of a limit is `first` plus its index.

    name    of what is saved
    start   start of the episode, NONE without one; raised: its event is due
    time,
    value   of the reading from which the next change is measured, for limits on speed
    """

    def __init__(self, name: str, limits: Sequence[Limit], first: int) -> None:
        count = len(limits)
        self.limits = limits
        self.first = first
        self._name = name
        self._names = pack_names([limit.key for limit in limits])
        self._index = {limit.key: index for index, limit in enumerate(limits)}
        self.start: Ints = np.full(count, NONE)
        self.raised: NDArray[np.bool_] = np.zeros(count, np.bool_)
        self.time: Ints = np.full(count, NONE)
        self.value: Floats = np.zeros(count)

    def state(self, index: int) -> LimitState:
        start = int(self.start[index])
        return WITHIN if start == NONE else LimitState(start, bool(self.raised[index]))

    def put(self, index: int, state: LimitState) -> None:
        self.start[index] = NONE if state.episode_start is None else state.episode_start
        self.raised[index] = state.raised

    def load(self, index: int, watch: LimitWatch) -> None:
        watch.state = self.state(index)
        if isinstance(watch, RateWatch):
            time = int(self.time[index])
            watch.time, watch.value = None if time == NONE else time, float(self.value[index])

    def store(self, index: int, watch: LimitWatch) -> None:
        self.put(index, watch.state)
        if isinstance(watch, RateWatch):
            self.time[index] = NONE if watch.time is None else watch.time
            self.value[index] = watch.value

    def saved(self) -> dict[str, bytes]:
        if not self.limits:
            return {}
        return {
            f"{self._name}/names": self._names,
            f"{self._name}/state": pack([self.start, self.raised, self.time, self.value]),
        }

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """raises PermanentFault"""
        here, there, count = places(saved, f"{self._name}/names", self._index)
        if count:
            kinds = [np.int64, np.bool_, np.int64, np.float64]
            start, raised, time, value = unpack(f"{self._name}/state", saved, kinds, count)
            self.start[here], self.raised[here] = start[there], raised[there]
            self.time[here], self.value[here] = time[there], value[there]
