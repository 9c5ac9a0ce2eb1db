"""Readings that wait to be written: plain numpy columns, so that taking them in costs next to nothing."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from lineshaft.telemetry.readings import Floats, Ints, Readings
from lineshaft.telemetry.tags import TagList

__all__ = ["COLUMNS", "Rows", "TagColumns", "rows_of"]


class TagColumns:
    """What the lake says of a tag, by its index in the tag list.

    equipment, keep   index in `equipment_ids` and `keeps`
    """

    def __init__(self, tags: TagList) -> None:
        listed = list(tags)
        self.names = [tag.tag for tag in listed]
        self.virtual = [not tag.topic for tag in listed]
        self.equipment_ids, self.equipment = _coded(tag.equipment_id for tag in listed)
        self.keeps, self.keep = _coded(tag.keep for tag in listed)


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of equal length, `sequence` not descending.

    source        the stream, when it was made, and `derived` for virtual tags: readings of one source come in
                  the order of their messages, all of a message at once
    value         NaN: none
    received      µs since 1970 UTC, as `time`
    """

    tags: TagColumns
    source: str
    stream: str
    tag: NDArray[np.int32]
    time: Ints
    value: Floats
    quality: NDArray[np.uint8]
    historical: NDArray[np.bool_]
    received: Ints
    sequence: Ints

    def __len__(self) -> int:
        return len(self.tag)

    def after(self, sequence: int) -> Rows:
        """Those of messages after this one."""
        first = int(np.searchsorted(self.sequence, sequence, side="right"))
        if first == 0:
            return self
        return msgspec.structs.replace(self, **{name: getattr(self, name)[first:] for name in COLUMNS})


COLUMNS = ("tag", "time", "value", "quality", "historical", "received", "sequence")


def rows_of(readings: Readings, tags: TagColumns, passed: NDArray[np.bool_] | None = None) -> Rows:
    """passed: of each reading, whether it is kept; all, where it is not given. At least one reading"""
    batch = readings.batch
    derived = "/derived" if tags.virtual[readings.tag[0]] else ""
    kept = slice(None) if passed is None else passed
    message = readings.message[kept]
    return Rows(
        tags=tags,
        source=f"{batch.stream}@{batch.created}{derived}",
        stream=batch.stream,
        tag=readings.tag[kept],
        time=readings.time[kept],
        value=readings.value[kept],
        quality=readings.quality[kept],
        historical=readings.historical[kept],
        received=np.fromiter(batch.stored_us, np.int64, len(batch))[message],
        sequence=np.fromiter(batch.sequences, np.int64, len(batch))[message],
    )


def _coded(words: Iterable[str]) -> tuple[list[str], NDArray[np.int32]]:
    """The distinct words, and the index of each."""
    known: dict[str, int] = {}
    codes = [known.setdefault(word, len(known)) for word in words]
    return list(known), np.array(codes, np.int32)
