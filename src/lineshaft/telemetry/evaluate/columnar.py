"""Evaluation in columns: what is plain at once, the few other readings one by one, as the reference does."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan

import numpy as np
from numpy.typing import NDArray

from lineshaft.core.values import Value
from lineshaft.model.aggregates import ReadingsAggregate
from lineshaft.telemetry.evaluate.derive import derive, readings_of
from lineshaft.telemetry.evaluate.evaluated_batch import EvaluatedBatch
from lineshaft.telemetry.evaluate.evaluation import Counters, Live, Results
from lineshaft.telemetry.evaluate.limit_screen import LimitScreen, RateScreen
from lineshaft.telemetry.evaluate.runs import Run, arrange
from lineshaft.telemetry.evaluate.tag_rules import State, TagRules
from lineshaft.telemetry.evaluate.told import Told
from lineshaft.telemetry.evaluate.track import QUARANTINED, RING, Order, Track
from lineshaft.telemetry.evaluate.window_fill import WindowFill
from lineshaft.telemetry.readings import GOOD, STALE, Ints, Readings, TakenReading
from lineshaft.telemetry.rules.limits import Limit, breach
from lineshaft.telemetry.rules.rule_set import RuleSet
from lineshaft.telemetry.rules.windows import Window, too_late

__all__ = ["ColumnarEvaluation"]


class ColumnarEvaluation:
    """See `Evaluation`."""

    def __init__(self, rules: RuleSet) -> None:
        self.counters = Counters()
        self._rule_set = rules
        self._start()

    def take(self, readings: Readings) -> Results:
        self._used = True
        told = Told(readings.batch)
        stored = np.array(readings.batch.stored_us, np.int64)
        base = self._evaluated(readings, stored, 0, told)
        rows = derive(self._rules.derivations, self._rules.virtual, sorted(base.inputs), told)
        derived = self._evaluated(readings_of(readings.batch, rows), stored, 1, told)
        self.counters.derived += len(rows)
        for place, tell, role, what in sorted(base.calls + derived.calls, key=lambda call: call[0]):
            told.found(place, tell(role, what))
        return Results(told.facts(), told.faults(), base.passed, derived.readings, derived.passed)

    def tick(self, now: int) -> Results:
        self._used = True
        newest = self._state.tags.newest
        windows = [told for fill in self._fills for told in fill.tick(now, newest)]
        for index in self._state_tags:
            for rank, held in self.track(index).windows:
                of_rank = enumerate(held.tick(now, int(newest[index])))
                windows += [(rank, number, fact) for number, fact in of_rank]
        windows.sort(key=lambda told: told[:2])
        facts: list[Value] = [fact for _, _, fact in windows]
        return Results(facts + [fact for watch in self._rules.watches for fact in watch.tick(now)])

    def live(self) -> Live:
        tags, changed = self._state.tags, np.flatnonzero(self.changed)
        self.changed[:] = False
        return Live(tags.value, tags.seen, tags.received, tags.quality, changed)

    def saved(self) -> dict[str, bytes]:
        return self._state.saved(map(self.track, self._state_tags))

    def restore(self, saved: Mapping[str, bytes]) -> None:
        if self._used:
            self._start()
        self._used = True
        self._state.restore(saved, map(self.track, self._state_tags))
        self._levels.restored()
        self.changed[:] = True

    def _start(self) -> None:
        self._used = False
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
        self._longest[self._apart] = 0
        self._deadband = np.array([tag.deadband for tag in rules.tags])
        self._deadbands = bool(self._deadband.any())
        self._asked = np.zeros(count, np.bool_)
        self._asked[[*rules.watching, *rules.deriving]] = True
        self._asking = bool(self._asked.any())

    def track(self, index: int) -> Track:
        if index not in self._tracks:
            self._tracks[index] = self._rules.track(index)
        return self._tracks[index]

    def _evaluated(self, readings: Readings, stored: Ints, virtual: int, told: Told) -> EvaluatedBatch:
        batch = EvaluatedBatch(self._rules, readings, stored, virtual, told, np.ones(len(readings), np.bool_))
        if not len(readings):
            return batch
        received = stored[readings.message]
        arranged = arrange(readings, received, self._state.tags, self._longest, self._apart)
        if len(arranged.duplicates):
            self.counters.duplicates += len(arranged.duplicates)
            batch.passed[arranged.duplicates] = False
            self._back(arranged.back, batch)
        if len(arranged.quarantined):
            self.counters.quarantined += len(arranged.quarantined)
            batch.passed[arranged.quarantined] = False
            for message in np.unique(readings.message[arranged.quarantined]).tolist():
                told.fault(message, QUARANTINED)
        if arranged.plain:
            self._plain(arranged.plain, batch)
        if arranged.late:
            self._late(arranged.late, batch)
        if arranged.gone:
            self._gone(arranged.gone, batch)
        by_tag: dict[int, list[int]] = {}
        for index in arranged.others.tolist():
            by_tag.setdefault(int(readings.tag[index]), []).append(index)
        for tag, indices in by_tag.items():
            self._one_by_one(tag, indices, batch)
        return batch

    def _plain(self, run: Run, batch: EvaluatedBatch) -> None:
        tags, live, good = self._state.tags, run.live(), run.good()
        before = tags.newest[run.tags]
        tags.newest[run.tags] = run.last
        self._ring(run)
        self.counters.historical += len(run) - len(live)
        if live:
            self._live(live, good if live is run else live.good(), batch)

        def told(rank: int, place: int, number: int, window: ReadingsAggregate) -> None:
            batch.told.fact(batch.place(int(run.index[place]), rank, number), window)

        for fill in self._fills:
            fill.fill(run, good, before, told)

    def _live(self, run: Run, good: Run, batch: EvaluatedBatch) -> None:
        """What is not historical of plain readings, and of that what is good."""
        tags, lasts = self._state.tags, run.ends - 1
        self.counters.taken += len(run)
        tags.seen[run.tags] = run.last
        tags.value[run.tags], tags.received[run.tags] = run.value[lasts], run.received[lasts]
        tags.quality[run.tags] = run.quality[lasts]
        self.changed[run.tags] = True
        if self._deadbands:
            self._thin(run, batch)

        def broken(rank: int, limit: Limit, start: int, value: float, place: int) -> None:
            index = int(good.index[place])
            batch.told.fact(batch.place(index, rank), breach(limit, start, value, batch.reading(index)))

        if good:
            self._levels.screen(good, broken)
            self._rates.screen(good, broken)
            if self._asking:
                self._ask(good, batch)

    def _late(self, run: Run, batch: EvaluatedBatch) -> None:
        historical = int(np.count_nonzero(run.historical))
        self.counters.historical += historical
        self.counters.late += len(run) - historical
        self._ring(run)
        good = run.good()

        def refuse(place: int, window: Window) -> None:
            batch.told.fault(int(batch.readings.message[good.index[place]]), too_late(window))

        if good:
            refused = [fill.late(good, self._state.tags.newest, refuse) for fill in self._fills]
            self.counters.too_late += int(np.count_nonzero(np.logical_or.reduce(refused))) if refused else 0

    def _gone(self, run: Run, batch: EvaluatedBatch) -> None:
        tags, self.counters.stale = self._state.tags, self.counters.stale + len(run)
        lost = tags.quality[run.tags] != STALE
        self._set_quality(run.tags[lost], STALE)
        tags.thin[run.tags[lost]] = nan
        self._note_each(run.index[run.starts[lost]], batch, Order.LOST)

    def _back(self, indices: Ints, batch: EvaluatedBatch) -> None:
        quality = batch.readings.quality[indices]
        self._set_quality(batch.readings.tag[indices], quality)
        self._note_each(indices[quality == GOOD], batch, Order.CONFIRMED)

    def _set_quality(self, tags: NDArray[np.int32], quality: NDArray[np.uint8] | int) -> None:
        self._state.tags.quality[tags] = quality
        self.changed[tags] = True

    def _note_each(self, indices: Ints, batch: EvaluatedBatch, order: Order) -> None:
        for index in indices[self._asked[batch.readings.tag[indices]]].tolist():
            batch.note(int(batch.readings.tag[index]), batch.reading(index), index, order)

    def _ring(self, run: Run) -> None:
        """Of each tag the last RING times, in the order of their coming."""
        tags = self._state.tags
        number = tags.rung[run.tags]
        tags.rung[run.tags] = number + run.lengths
        if not run.alone:
            number = np.arange(len(run)) + np.repeat(number - run.starts, run.lengths)
        tags.ring[run.tag, number & (RING - 1)] = run.time  # of equal places the last one stays

    def _thin(self, run: Run, batch: EvaluatedBatch) -> None:
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

    def _ask(self, good: Run, batch: EvaluatedBatch) -> None:
        """Note what watches and derivations are to be told."""
        for group in np.flatnonzero(self._asked[good.tags]).tolist():
            tag, start, end = int(good.tags[group]), int(good.starts[group]), int(good.ends[group])
            indices = good.index[start:end].tolist()
            if tag in self._rules.deriving or not self._newest_only(tag):
                for index in indices:
                    batch.note(tag, batch.reading(index), index)
            else:
                batch.note(tag, batch.reading(indices[-1]), indices[-1])

    def _newest_only(self, tag: int) -> bool:
        return all(watch.newest_only for _, watch, _ in self._rules.watching[tag])

    def _one_by_one(self, tag: int, indices: list[int], batch: EvaluatedBatch) -> None:
        track, readings = self.track(tag), batch.readings
        self._state.load(tag, track)
        columns = (readings.quality, readings.historical, readings.time, readings.value, readings.message)
        rows = zip(indices, *(column[indices].tolist() for column in columns), strict=True)
        for index, quality, historical, time, value, message in rows:
            reading = TakenReading(
                time=time,
                value=value + 0.0,
                received=readings.batch.stored_us[message],
                batch=readings.batch,
                message=message,
            )
            step = track.take(quality, historical, reading)
            step.count(self.counters)
            batch.passed[index] = step.passed
            for rank, fact in step.facts:
                batch.told.fact(batch.place(index, rank), fact)
            for fault in step.faults:
                batch.told.fault(reading.message, fault)
            taken = quality == GOOD and step.order in (Order.TAKEN, Order.CONFIRMED)
            if taken or step.order is Order.LOST:
                batch.note(tag, reading, index, step.order)
        self._state.store(tag, track)
        self._levels.note(tag)
        self.changed[tag] |= track.changed
        track.changed = False
