"""Evaluation one reading at a time: slow, and meant to be obviously right. What is faster has to equal it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from math import isnan, nan

import numpy as np

from lineshaft.telemetry.evaluate.derive import Input, Row, derive, readings_of
from lineshaft.telemetry.evaluate.evaluation import Counters, Live, Results
from lineshaft.telemetry.evaluate.tag_rules import State, TagRules
from lineshaft.telemetry.evaluate.told import Told
from lineshaft.telemetry.evaluate.track import Order
from lineshaft.telemetry.readings import GOOD, STALE, Readings, TakenReading
from lineshaft.telemetry.rules.rule_set import RuleSet

__all__ = ["ReferenceEvaluation"]


class ReferenceEvaluation:
    """See `Evaluation`."""

    def __init__(self, rules: RuleSet) -> None:
        self.counters = Counters()
        self._rule_set = rules
        self._start()

    def take(self, readings: Readings) -> Results:
        told, batch = Told(readings.batch), readings.batch
        passed, derived_passed, rows = [], [], list[Row]()
        for message, indices in groupby(range(len(readings)), key=lambda index: int(readings.message[index])):
            inputs: list[Input] = []
            for index in indices:
                reading = TakenReading(
                    time=int(readings.time[index]),
                    value=float(readings.value[index]) + 0.0,
                    received=batch.stored_us[message],
                    batch=batch,
                    message=message,
                )
                quality, historical = int(readings.quality[index]), bool(readings.historical[index])
                tag = int(readings.tag[index])
                passed.append(self._one(tag, reading, quality, historical, (0, index), told, inputs))
            for row in derive(self._rules.derivations, self._rules.virtual, inputs, told):
                tag, time, value, _ = row
                reading = TakenReading(
                    time=time, value=value, received=batch.stored_us[message], batch=batch, message=message
                )
                quality = STALE if isnan(value) else GOOD
                derived_passed.append(self._one(tag, reading, quality, False, (1, len(rows)), told, []))
                rows.append(row)
        self.counters.derived += len(rows)
        return Results(
            told.facts(),
            told.faults(),
            np.array(passed, np.bool_),
            readings_of(batch, rows),
            np.array(derived_passed, np.bool_),
        )

    def tick(self, now: int) -> Results:
        windows = sorted(
            ((rank, held, track) for track in self._tracks for rank, held in track.windows),
            key=lambda one: one[0],
        )
        facts = [fact for _, held, track in windows for fact in held.tick(now, track.newest)]
        return Results(facts + [fact for watch in self._rules.watches for fact in watch.tick(now)])

    def live(self) -> Live:
        tracks, changed = self._tracks, [index for index, track in enumerate(self._tracks) if track.changed]
        for index in changed:
            tracks[index].changed = False
        return Live(
            np.array([track.value for track in tracks]),
            np.array([track.seen for track in tracks], np.int64),
            np.array([track.received for track in tracks], np.int64),
            np.array([track.quality for track in tracks], np.uint8),
            np.array(changed, np.int64),
        )

    def saved(self) -> dict[str, bytes]:
        state = State(self._rules)
        for index, track in enumerate(self._tracks):
            state.store(index, track)
        return state.saved(self._tracks)

    def restore(self, saved: Mapping[str, bytes]) -> None:
        self._start()
        state = State(self._rules)
        state.restore(saved, self._tracks)
        for index, track in enumerate(self._tracks):
            state.load(index, track)
            track.changed = True

    def _start(self) -> None:
        self._rules = TagRules(self._rule_set)
        self._tracks = [self._rules.track(index) for index in range(len(self._rules.tags))]

    def _one(
        self,
        tag: int,
        reading: TakenReading,
        quality: int,
        historical: bool,
        where: tuple[int, int],
        told: Told,
        inputs: list[Input],
    ) -> bool:
        """Whether it goes to the lake. where: (1 for a virtual tag, index)"""
        step = self._tracks[tag].take(quality, historical, reading)
        step.count(self.counters)
        place = (reading.message, *where)
        for rank, fact in step.facts:
            told.fact((*place, rank, 0), fact)
        for fault in step.faults:
            told.fault(reading.message, fault)
        if step.order is Order.LOST:
            for rank, watch, role in self._rules.watching.get(tag, ()):
                told.found((*place, rank, 0), watch.lost(role, reading.time))
        elif quality == GOOD and step.order in (Order.TAKEN, Order.CONFIRMED):
            for rank, watch, role in self._rules.watching.get(tag, ()):
                tell = watch.take if step.order is Order.TAKEN else watch.confirmed
                told.found((*place, rank, 0), tell(role, reading))
        else:
            return step.passed
        value = nan if step.order is Order.LOST else reading.value
        inputs += [
            (reading.message, where[1], derivation, role, reading.time, value)
            for derivation, role in self._rules.deriving.get(tag, ())
        ]
        return step.passed
