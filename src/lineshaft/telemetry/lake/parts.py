"""One Parquet file of a table: how it is encoded, and what the commit tells of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lineshaft.core.values import moment_of
from lineshaft.telemetry.lake.tables import LakeTable, Part

__all__ = ["MOMENT", "write_part"]

MOMENT = pa.timestamp("us", tz="UTC")
_LATEST_US = 253_402_300_799_000_000  # the last second of year 9999
_NEVER = "0001-01-01T00:00:00.000Z"
_ROWS_PER_GROUP = 1_000_000
_SORTED_ROWS_PER_GROUP = 128_000
_VALUES_AT_ONCE = 65_536
_SAMPLE = 65_536
_LARGEST_DICTIONARY = 64 * 2**20


def write_part(
    table: LakeTable, partition: Mapping[str, str], rows: pa.Table, *, is_sorted: bool = False
) -> Part:
    """Chosen by measuring readings as they come in: whole numbers and times as differences, values by name
    where they repeat and by bytes where they do not, large batches for the encoder. Statistics of tags took a
    quarter of the time, and tell nothing there.
    A sorted file is read more often than written: small groups, so that those of other tags are skipped."""
    encoded = {
        field.name: "DELTA_BINARY_PACKED"
        for field in rows.schema
        if pa.types.is_timestamp(field.type) or pa.types.is_integer(field.type)
    }
    named = [
        field.name
        for field in rows.schema
        if pa.types.is_dictionary(field.type) or pa.types.is_string(field.type)
    ]
    if "value" in rows.column_names:
        if _repeats(rows["value"]):
            named.append("value")
        else:
            encoded["value"] = "BYTE_STREAM_SPLIT"
    with table.writing(partition) as (file, path):
        pq.write_table(
            rows,
            file,
            compression="zstd",
            compression_level=3 if is_sorted else 1,
            use_dictionary=named,
            column_encoding=encoded,
            dictionary_pagesize_limit=_LARGEST_DICTIONARY,
            write_statistics=["time", "tag"] if is_sorted else ["time"],
            write_batch_size=_VALUES_AT_ONCE,
            row_group_size=_SORTED_ROWS_PER_GROUP if is_sorted else _ROWS_PER_GROUP,
            store_schema=False,
        )
        size = file.tell()
    return Part(path, size, rows.num_rows, partition, json.dumps(_stats(rows)))


def _repeats(values: pa.ChunkedArray) -> bool:
    step = max(1, len(values) // _SAMPLE)
    sample = values.take(pa.array(np.arange(0, len(values), step)))
    distinct: int = pc.count_distinct(sample).as_py()
    return distinct * 2 < len(sample)


def _stats(rows: pa.Table) -> dict[str, Any]:
    """For queries that skip files by time. Delta has milliseconds there: the bounds are rounded outwards.
    They are never left out: see Shape.configuration."""
    stats: dict[str, Any] = {"numRecords": rows.num_rows}
    if "time" in rows.column_names:
        bounds = pc.min_max(pc.cast(rows["time"], pa.int64())).as_py()
        first = moment_of(min(max(bounds["min"], 0), _LATEST_US))
        last = moment_of(min(max(bounds["max"], 0), _LATEST_US)) + timedelta(milliseconds=1)
        stats["minValues"] = {"time": f"{first:%Y-%m-%dT%H:%M:%S}.000Z" if bounds["min"] >= 0 else _NEVER}
        stats["maxValues"] = {"time": f"{last:%Y-%m-%dT%H:%M:%S}.{last.microsecond // 1000:03}Z"}
        stats["nullCount"] = {"time": 0}
    return stats
