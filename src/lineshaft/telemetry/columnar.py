"""Evaluation in columns: what is plain at once, the few other readings one by one, as the reference does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from lineshaft.core.values import Value
from lineshaft.model.aggregates import ReadingsAggregate
from lineshaft.telemetry.derive import Input, derive, readings_of
from lineshaft.telemetry.evaluation import Counters, Live, Results
from lineshaft.telemetry.limit_screen import LimitScreen, RateScreen
from lineshaft.telemetry.limits import Limit, breach
from lineshaft.telemetry.readings import GOOD, Ints, Readings, TakenReading
from lineshaft.telemetry.rules import RuleSet
from lineshaft.telemetry.runs import Run, arrange
from lineshaft.telemetry.tag_rules import State, TagRules
from lineshaft.telemetry.told import Place, Told, values_of
from lineshaft.telemetry.track import QUARANTINED, RING, Order, Track
from lineshaft.telemetry.watch import Watch
from lineshaft.telemetry.window_fill import WindowFill

__all__ = ["ColumnarEvaluation"]

_Call: TypeAlias = tuple[Place, Watch, str, TakenReading | int]
"""What a watch is to be told: a reading, or since when its device is gone."""


class _Batch(msgspec.Struct):
    """Readings and what they have come to. stored: by message; virtual: 1 for those of virtual tags"""

    readings: Readings
    stored: Ints
    virtual: int
    told: Told
    passed: NDArray[np.bool_]
    calls: list[_Call] = []
    inputs: list[Input] = []

    def place(self, index: int, rank: int, number: int = 0) -> Place:
        return int(self.readings.message[index]), self.virtual, index, rank, number

    def reading(self, index: int) -> TakenReading:
        message = int(self.readings.message[index])
        return TakenReading(
            time=int(self.readings.time[index]),
            value=float(self.readings.value[index]) + 0.0,
            received=int(self.stored[message]),
            batch=self.readings.batch,
            message=message,
        )


class ColumnarEvaluation:
    """See `Evaluation`."""

    def __init__(self, rules: RuleSet) -> None:
        self.counters = Counters()
        self._rule_set = rules
        self._start()

    def take(self, readings: Readings) -> Results:
        told = Told(readings.batch)
        stored = np.array(readings.batch.stored_us, np.int64)
        base = self._evaluated(readings, stored, 0, told)
        rows = derive(self._rules.derivations, self._rules.virtual, sorted(base.inputs), told)
        derived = self._evaluated(readings_of(readings.batch, rows), stored, 1, told)
        self.counters.derived += len(rows)
        for place, watch, role, what in sorted(base.calls + derived.calls, key=lambda call: call[0]):
            told.found(place, watch.lost(role, what) if isinstance(what, int) else watch.take(role, what))
        return Results(told.facts(), told.faults(), base.passed, derived.readings, derived.passed)

    def tick(self, now: int) -> Results:
        newest = self._state.tags.newest
        windows = [told for fill in self._fills for told in fill.tick(now, newest)]
        for index in self._state_tags:
            for rank, held in self.track(index).windows:
                of_rank = enumerate(held.tick(now, int(newest[index])))
                windows += [(rank, number, fact) for number, fact in of_rank]
        windows.sort(key=lambda told: told[:2])
        facts: list[Value] = [fact for _, _, fact in windows]
        return Results(facts + values_of([one for watch in self._rules.watches for one in watch.tick(now)]))

    def live(self) -> Live:
        tags, changed = self._state.tags, np.flatnonzero(self.changed)
        self.changed[:] = False
        return Live(tags.value, tags.seen, tags.received, tags.quality, changed)

    def saved(self) -> dict[str, bytes]:
        return self._state.saved(map(self.track, self._state_tags))

    def restore(self, saved: Mapping[str, bytes]) -> None:
        self._start()
        self._state.restore(saved, map(self.track, self._state_tags))
        self.changed[:] = True

    def _start(self) -> None:
        rules = self._rules = TagRules(self._rule_set)
        count = len(rules.tags)
        state = self._state = State(rules)
        self._tracks: dict[int, Track] = {}
        self.changed = np.zeros(count, np.bool_)
        self._levels = LimitScreen(state.levels, rules.level_tags, count)
        self._rates = RateScreen(state.rates, rules.rate_tags, count)
        self._fills = [
            WindowFill(grid, tags, count) for grid, tags in zip(state.grids, state.grid_tags, strict=True)
        ]
        self._longest = np.full(count, 2**62)
        for grid, tags in zip(state.grids, state.grid_tags, strict=True):
            self._longest[tags] = np.minimum(self._longest[tags], grid.longest)
        self._state_tags = rules.state_tags()
        self._apart = np.zeros(count, np.bool_)
        self._apart[self._state_tags] = True
        self._deadband = np.array([tag.deadband for tag in rules.tags])
        self._asked = np.zeros(count, np.bool_)
        self._asked[[*rules.watching, *rules.deriving]] = True

    def track(self, index: int) -> Track:
        if index not in self._tracks:
            self._tracks[index] = self._rules.track(index)
        return self._tracks[index]

    def _evaluated(self, readings: Readings, stored: Ints, virtual: int, told: Told) -> _Batch:
        batch = _Batch(readings, stored, virtual, told, np.ones(len(readings), np.bool_))
        if not len(readings):
            return batch
        received = stored[readings.message]
        arranged = arrange(readings, received, self._state.tags, self._longest, self._apart)
        self.counters.duplicates += len(arranged.duplicates)
        batch.passed[arranged.duplicates] = False
        self.counters.quarantined += len(arranged.quarantined)
        batch.passed[arranged.quarantined] = False
        for message in np.unique(readings.message[arranged.quarantined]).tolist():
            told.fault(message, QUARANTINED)
        if len(arranged.plain):
            self._plain(arranged.plain, batch)
        by_tag: dict[int, list[int]] = {}
        for index in arranged.others.tolist():
            by_tag.setdefault(int(readings.tag[index]), []).append(index)
        for tag, indices in by_tag.items():
            self._one_by_one(tag, indices, batch)
        return batch

    def _plain(self, run: Run, batch: _Batch) -> None:
        tags, lasts = self._state.tags, run.ends - 1
        self.counters.taken += len(run)
        before = tags.newest[run.tags]
        tags.seen[run.tags] = tags.newest[run.tags] = run.last
        tags.value[run.tags], tags.received[run.tags] = run.value[lasts], run.received[lasts]
        tags.quality[run.tags] = run.quality[lasts]
        self.changed[run.tags] = True
        self._ring(run)
        self._thin(run, batch)
        good = run.good()

        def broken(rank: int, limit: Limit, start: int, value: float, place: int) -> None:
            index = int(good.index[place])
            batch.told.fact(batch.place(index, rank), breach(limit, start, value, batch.reading(index)))

        self._levels.screen(good, broken)
        self._rates.screen(good, broken)

        def told(rank: int, place: int, number: int, window: ReadingsAggregate) -> None:
            batch.told.fact(batch.place(int(run.index[place]), rank, number), window)

        for fill in self._fills:
            fill.fill(run, good, before, told)
        if len(good):
            self._ask(good, batch)

    def _ring(self, run: Run) -> None:
        """Of each tag the last RING times, in the order of their coming."""
        tags = self._state.tags
        number = np.arange(len(run)) + np.repeat(tags.rung[run.tags] - run.starts, run.lengths)
        tags.ring[run.tag, number & (RING - 1)] = run.time  # of equal places the last one stays
        tags.rung[run.tags] += run.lengths

    def _thin(self, run: Run, batch: _Batch) -> None:
        """Readings within the deadband of the last one that passed do not pass."""
        deadbands = self._deadband[run.tags]
        for group in np.flatnonzero(deadbands).tolist():
            tag, deadband = int(run.tags[group]), float(deadbands[group])
            thin = float(self._state.tags.thin[tag])
            for place in range(int(run.starts[group]), int(run.ends[group])):
                value = float(run.value[place])
                if run.quality[place] != GOOD:
                    thin = float("nan")
                elif abs(value - thin) <= deadband:
                    batch.passed[run.index[place]] = False
                else:
                    thin = value
            self._state.tags.thin[tag] = thin

    def _ask(self, good: Run, batch: _Batch) -> None:
        """Note what watches and derivations are to be told."""
        for group in np.flatnonzero(self._asked[good.tags]).tolist():
            tag, start, end = int(good.tags[group]), int(good.starts[group]), int(good.ends[group])
            indices = good.index[start:end].tolist()
            if tag in self._rules.deriving or not self._newest_only(tag):
                for index in indices:
                    self._note(tag, batch.reading(index), index, batch)
            else:
                self._note(tag, batch.reading(indices[-1]), indices[-1], batch)

    def _newest_only(self, tag: int) -> bool:
        return all(watch.newest_only for _, watch, _ in self._rules.watching[tag])

    def _note(
        self, tag: int, reading: TakenReading, index: int, batch: _Batch, *, gone: bool = False
    ) -> None:
        what = reading.time if gone else reading
        batch.calls += [
            (batch.place(index, rank), watch, role, what)
            for rank, watch, role in self._rules.watching.get(tag, ())
        ]
        batch.inputs += [
            (reading.message, index, derivation, role, reading.time, None if gone else reading.value)
            for derivation, role in self._rules.deriving.get(tag, ())
        ]

    def _one_by_one(self, tag: int, indices: list[int], batch: _Batch) -> None:
        track, readings = self.track(tag), batch.readings
        self._state.load(tag, track)
        for index in indices:
            reading, quality = batch.reading(index), int(readings.quality[index])
            step = track.take(quality, bool(readings.historical[index]), reading)
            step.count(self.counters)
            batch.passed[index] = step.passed
            for rank, fact in step.facts:
                batch.told.fact(batch.place(index, rank), fact)
            for fault in step.faults:
                batch.told.fault(reading.message, fault)
            if step.order is Order.LOST:
                self._note(tag, reading, index, batch, gone=True)
            elif step.order is Order.TAKEN and quality == GOOD:
                self._note(tag, reading, index, batch)
        self._state.store(tag, track)
        self.changed[tag] |= track.changed
        track.changed = False
