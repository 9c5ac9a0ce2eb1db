"""From readings taken to readings of virtual tags, message by message."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import isnan, nan
from typing import TypeAlias

import numpy as np

from lineshaft.core.values import RawBatch
from lineshaft.telemetry.evaluate.told import Told
from lineshaft.telemetry.readings import GOOD, STALE, Readings
from lineshaft.telemetry.rules.watch import Derivation, WatchFault

__all__ = ["Input", "Row", "derive", "readings_of"]

Input: TypeAlias = tuple[int, int, int, str, int, float]
"""(message, index of the reading, place of the derivation, role, time, value), value NaN: device gone"""
Row: TypeAlias = tuple[int, int, float, int]
"""(tag, time, value, message), value NaN: stale"""


def derive(
    derivations: Sequence[Derivation], virtual: Sequence[int], inputs: Sequence[Input], told: Told
) -> list[Row]:
    """In order of the messages, then of the derivations, then of time. A virtual tag is stale when an
    input is.

    virtual  tag of each derivation
    inputs   of good quality and taken or confirmed, in order of the readings
    """
    rows: list[Row] = []
    for (message, gone), of_message in groupby(inputs, key=lambda one: (one[0], isnan(one[5]))):
        if gone:
            places: dict[int, int] = {}
            for _, _, place, role, time, _ in of_message:
                derivations[place].lost(role, time)
                places.setdefault(place, time)
            rows += [(virtual[place], time, nan, message) for place, time in places.items()]
            continue
        values: dict[tuple[int, int], dict[str, float]] = {}
        for _, _, place, role, time, value in of_message:
            values.setdefault((place, time), {})[role] = value
        for (place, time), of_time in sorted(values.items()):
            result = derivations[place].take(time, of_time)
            if isinstance(result, WatchFault):
                told.fault(message, result)
            elif result is not None:
                rows.append((virtual[place], result[0], result[1] + 0.0, message))
    return rows


def readings_of(batch: RawBatch, rows: Sequence[Row]) -> Readings:
    tag, time, value, message = zip(*rows, strict=True) if rows else ((),) * 4
    return Readings(
        batch=batch,
        tag=np.array(tag, np.int32),
        time=np.array(time, np.int64),
        value=np.array(value, np.float64),
        quality=np.array([STALE if isnan(one) else GOOD for one in value], np.uint8),
        historical=np.zeros(len(rows), np.bool_),
        message=np.array(message, np.int32),
    )
