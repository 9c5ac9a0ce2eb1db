"""From columns of readings to the table of readings: one file per retention class and day, each row once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lineshaft.telemetry.lake.parts import MOMENT, write_part
from lineshaft.telemetry.lake.pending import COLUMNS, Rows, TagColumns
from lineshaft.telemetry.lake.tables import LakeTable, Part, Shape
from lineshaft.telemetry.readings import QUALITIES, Ints

__all__ = ["READINGS", "write_readings"]

_DAY_US = 86_400_000_000
_LAST_DAY = 2_932_896  # 9999-12-31
_UNIX = date(1970, 1, 1)
_QUALITIES = pa.array([quality.value for quality in QUALITIES])

# a column that cannot be null is written in two thirds of the time
_FIELDS = pa.schema(
    [
        pa.field("time", MOMENT, nullable=False),
        pa.field("tag", pa.string(), nullable=False),
        pa.field("equipment_id", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("quality", pa.string(), nullable=False),
        pa.field("historical", pa.bool_(), nullable=False),
        pa.field("received", MOMENT, nullable=False),
        pa.field("stream", pa.string(), nullable=False),
        pa.field("sequence", pa.int64(), nullable=False),
    ]
)
READINGS = Shape("readings", _FIELDS, pa.schema([("keep", pa.string()), ("day", pa.date32())]))


def write_readings(table: LakeTable, waiting: Sequence[Rows]) -> None:
    """One commit with all rows that are not in the table yet; how far it then is goes with it."""
    marks = table.marks({rows.source for rows in waiting})
    fresh: list[Rows] = []
    for rows in waiting:
        rows = rows.after(marks[rows.source])  # noqa: PLW2901
        if len(rows):
            marks[rows.source] = int(rows.sequence[-1])
            fresh.append(rows)
    if not fresh:
        return
    parts: list[Part] = []
    try:
        for tags in dict.fromkeys(rows.tags for rows in fresh):
            parts += _written(table, tags, [rows for rows in fresh if rows.tags is tags])
    except BaseException:
        table.discard(parts)
        raise
    table.commit(parts, marks={source: upto for source, upto in marks.items() if upto})


def _written(table: LakeTable, tags: TagColumns, chunks: Sequence[Rows]) -> Iterator[Part]:
    columns = {name: np.concatenate([getattr(rows, name) for rows in chunks]) for name in COLUMNS}
    streams = sorted({rows.stream for rows in chunks})
    columns["stream"] = np.repeat(
        np.array([streams.index(rows.stream) for rows in chunks], np.int32), [len(rows) for rows in chunks]
    )
    keeps = tags.keep.take(columns["tag"])
    for (keep, number), where in _groups(keeps, columns["time"], columns["received"]):
        chosen = columns if where is None else {name: column.take(where) for name, column in columns.items()}
        partition = {"keep": tags.keeps[keep], "day": (_UNIX + timedelta(days=number)).isoformat()}
        yield write_part(table, partition, _table(chosen, tags, streams))


def _groups(
    keep: NDArray[np.int32], time: Ints, received: Ints
) -> Iterator[tuple[tuple[int, int], NDArray[np.int64] | None]]:
    """(class, day) and the indices of its rows, in their order; None for all.

    A time that no calendar has is of the day when it was received.
    """
    first, last = time.min() // _DAY_US, time.max() // _DAY_US
    if 0 <= first == last <= _LAST_DAY and keep.min() == keep.max():
        yield (int(keep[0]), int(first)), None
        return
    day = time // _DAY_US
    strange = (day < 0) | (day > _LAST_DAY)
    day[strange] = received[strange] // _DAY_US
    coded = pa.array(keep.astype(np.int64) * (_LAST_DAY + 1) + day).dictionary_encode()
    code = coded.indices.to_numpy()
    if len(coded.dictionary) <= 2**16:
        code = code.astype(np.uint16)  # numpy sorts these in a quarter of the time
    order = np.argsort(code, kind="stable")
    ends = np.cumsum(np.bincount(code))
    for index, end in enumerate(ends):
        where = order[ends[index - 1] if index else 0 : end]
        yield (int(keep[where[0]]), int(day[where[0]])), where


def _table(columns: Mapping[str, NDArray[Any]], tags: TagColumns, streams: Sequence[str]) -> pa.Table:
    tag = columns["tag"]
    value = columns["value"]
    nothing = np.isnan(value)
    made = [
        pa.array(columns["time"]).view(MOMENT),
        _coded(tag, tags.names),
        _coded(tags.equipment.take(tag), tags.equipment_ids),
        pa.array(value, mask=nothing if nothing.any() else None),
        pa.DictionaryArray.from_arrays(columns["quality"].view(np.int8), _QUALITIES),
        pa.array(columns["historical"]),
        pa.array(columns["received"]).view(MOMENT),
        _coded(columns["stream"], streams),
        pa.array(columns["sequence"]),
    ]
    fields = [field.with_type(column.type) for field, column in zip(_FIELDS, made, strict=True)]
    return pa.table(made, schema=pa.schema(fields))


def _coded(codes: NDArray[np.int32], words: Sequence[str]) -> pa.DictionaryArray:
    """A file holds all words that it is given: of a long list, only those in use."""
    if len(words) > len(codes):
        used, found = np.unique(codes, return_inverse=True)
        words = [words[index] for index in used]
        codes = found.astype(np.int32)
    return pa.DictionaryArray.from_arrays(codes, pa.array(words, pa.string()))
