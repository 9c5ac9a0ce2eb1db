"""Readings as columns: what decoding hands to the rules, to the lake and to the live values."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from lineshaft.core.values import Quality, RawBatch, moment_of
from lineshaft.model.condition import Evidence

__all__ = ["BAD", "GOOD", "QUALITIES", "STALE", "UNCERTAIN", "Floats", "Ints", "Readings", "TakenReading"]

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

QUALITIES = (Quality.GOOD, Quality.UNCERTAIN, Quality.BAD, Quality.STALE)
GOOD, UNCERTAIN, BAD, STALE = range(4)


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of equal length, in the order of the messages and of the values in each.

    tag         int32; index of the tag in the tag list
    time        int64; µs since 1970 UTC as the device says, else when the message was stored
    value       float64; in the tag's target unit, NaN where the device had none. A value of good quality is
                finite
    quality     uint8; index in QUALITIES. STALE: the device is gone, `value` is NaN; says nothing of order
    historical  bool; sent as history: for windows and the lake, never for live values and limits
    message     int32; index in `batch`, where each came from
    """

    batch: RawBatch
    tag: NDArray[np.int32]
    time: Ints
    value: Floats
    quality: NDArray[np.uint8]
    historical: NDArray[np.bool_]
    message: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.tag)


class TakenReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One reading of good quality that is newer than all before it of its tag, as rules see it one by one.

    time, received   µs since 1970 UTC: of the device, and when the message was stored
    """

    time: int
    value: float
    received: int
    batch: RawBatch
    message: int

    @property
    def evidence(self) -> Evidence:
        return Evidence(
            topic=self.batch.topics[self.message],
            position=self.batch.position(self.message),
            time=moment_of(self.time),
            value=self.value,
        )
