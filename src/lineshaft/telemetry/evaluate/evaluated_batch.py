"""A batch while it is evaluated in columns: its readings, and what they have come to so far."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from lineshaft.telemetry.evaluate.derive import Input
from lineshaft.telemetry.evaluate.tag_rules import TagRules
from lineshaft.telemetry.evaluate.told import Place, Told
from lineshaft.telemetry.evaluate.track import Order
from lineshaft.telemetry.readings import Ints, Readings, TakenReading
from lineshaft.telemetry.rules.watch import Found

__all__ = ["Call", "EvaluatedBatch"]

Call: TypeAlias = tuple[Place, Callable[..., Found], str, TakenReading | int]
"""What a watch is to be told, with its role: a reading, or since when its device is gone."""


class EvaluatedBatch(msgspec.Struct):
    """Readings and what they have come to. stored: by message; virtual: 1 for virtual tags"""

    rules: TagRules
    readings: Readings
    stored: Ints
    virtual: int
    told: Told
    passed: NDArray[np.bool_]
    calls: list[Call] = []
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

    def note(self, tag: int, reading: TakenReading, index: int, order: Order = Order.TAKEN) -> None:
        """What watches and derivations are to be told of a reading that is taken, confirms, or is lost."""
        for rank, watch, role in self.rules.watching.get(tag, ()):
            place = self.place(index, rank)
            if order is Order.LOST:
                self.calls.append((place, watch.lost, role, reading.time))
            else:
                tell = watch.take if order is Order.TAKEN else watch.confirmed
                self.calls.append((place, tell, role, reading))
        value = nan if order is Order.LOST else reading.value
        self.inputs += [
            (reading.message, index, derivation, role, reading.time, value)
            for derivation, role in self.rules.deriving.get(tag, ())
        ]
