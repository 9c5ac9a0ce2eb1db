"""From readings taken to readings of virtual tags, message by message."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TypeAlias

import numpy as np

from lineshaft.core.values import RawBatch
from lineshaft.telemetry.readings import GOOD, Readings
from lineshaft.telemetry.told import Told
from lineshaft.telemetry.watch import Derivation, WatchFault

__all__ = ["Input", "Row", "derive", "readings_of"]

Input: TypeAlias = tuple[int, int, int, str, int, float | None]
"""(message, index of the reading, place of the derivation, role, time, value), value None: device gone"""
Row: TypeAlias = tuple[int, int, float, int]
"""(tag, time, value, message)"""


def derive(
    derivations: Sequence[Derivation], virtual: Sequence[int], inputs: Sequence[Input], told: Told
) -> list[Row]:
    """In order of the messages, then of the derivations, then of time.

    virtual  tag of each derivation
    inputs   of good quality and taken, in order of the readings
    """
    rows: list[Row] = []
    for message, of_message in groupby(inputs, key=lambda one: one[0]):
        values: dict[tuple[int, int], dict[str, float]] = {}
        for _, _, place, role, time, value in of_message:
            if value is None:
                derivations[place].lost(role, time)
            else:
                values.setdefault((place, time), {})[role] = value
        for (place, time), of_time in sorted(values.items()):
            result = derivations[place].take(time, of_time)
            if isinstance(result, WatchFault):
                told.fault(message, result)
            elif result is not None:
                rows.append((virtual[place], result[0], result[1] + 0.0, message))
    return rows


def readings_of(batch: RawBatch, rows: Sequence[Row]) -> Readings:
    tag, time, value, message = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Readings(
        batch=batch,
        tag=np.array(tag, np.int32),
        time=np.array(time, np.int64),
        value=np.array(value, np.float64),
        quality=np.full(len(rows), GOOD, np.uint8),
        historical=np.zeros(len(rows), np.bool_),
        message=np.array(message, np.int32),
    )
