"""Recorded readings from a CSV file, to be taken through rules again.

time,tag,value,quality,received         time, received: RFC 3339, or milliseconds since 1970
2026-05-01T06:00:00Z,P07.PRESSURE,211.5,good,2026-05-01T06:00:00.2Z

Instead of `tag` the columns `topic` and `metric` may name it: the value is then in the unit of the device,
else in the tag's target unit. quality is good where it is left out; a value may be left out where it is not
good. Readings are taken in the order of their receipt; where that is left out, each is received when it was
measured.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path

import msgspec
import numpy as np

from lineshaft.core.errors import ConfigError
from lineshaft.core.values import Quality, RawBatch
from lineshaft.telemetry.decode.sample import epoch_time, text_time
from lineshaft.telemetry.readings import GOOD, QUALITIES, Readings
from lineshaft.telemetry.tags import Tag, TagList, nearest, scaling

__all__ = ["Recorded", "Recording", "read_recording"]

_COLUMNS = ("time", "tag", "topic", "metric", "value", "quality", "received")
_MOST_FINDINGS = 50
_QUALITIES = [str(quality) for quality in QUALITIES]


class Recorded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row. tag: index in the tag list; value: in its target unit, NaN without one; times in µs"""

    line: int
    tag: int
    time: int
    value: float
    quality: int
    received: int


class Recording:
    """rows: in the order of their receipt."""

    def __init__(self, file: str, tags: TagList, rows: list[Recorded]) -> None:
        self._file = file
        self._topics = [tag.topic for tag in tags]
        self.rows = rows

    def part(self, start: int, stop: int) -> Readings:
        """The rows [start, stop), each a message of its own whose position is its line in the file."""
        rows = self.rows[start:stop]
        batch = RawBatch(
            stream=self._file,
            topics=[self._topics[row.tag] for row in rows],
            payloads=[b""] * len(rows),
            stored_us=[row.received for row in rows],
            sequences=[row.line for row in rows],
        )
        return Readings(
            batch=batch,
            tag=np.array([row.tag for row in rows], np.int32),
            time=np.array([row.time for row in rows], np.int64),
            value=np.array([row.value for row in rows], np.float64),
            quality=np.array([row.quality for row in rows], np.uint8),
            historical=np.zeros(len(rows), np.bool_),
            message=np.arange(len(rows), dtype=np.int32),
        )


def read_recording(path: Path, tags: TagList) -> Recording:
    """raises  ConfigError with the findings of the whole file, the first 50 told, each `file:line: what`"""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"recording {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"recording {path} is not UTF-8", hint="save it as CSV UTF-8") from error
    reader = csv.DictReader(StringIO(text, newline=""), strict=True)
    findings: list[str] = []
    rows: list[Recorded] = []
    try:
        findings += [f"{path}:1: {what}" for what in _header(reader.fieldnames or [])]
        if not findings:
            read = _Rows(tags)
            for row in reader:
                try:
                    rows.append(read.row(reader.line_num, row))
                except ValueError as error:
                    findings.append(f"{path}:{reader.line_num}: {error}")
    except csv.Error as error:
        findings.append(f"{path}:{reader.line_num}: {error}; quote the cell or remove the character")
    if findings:
        more = len(findings) - _MOST_FINDINGS
        told = [*findings[:_MOST_FINDINGS], *([f"{path}: and {more} more"] if more > 0 else [])]
        raise ConfigError(f"recording {path} has {len(findings)} error(s)", findings=told)
    rows.sort(key=lambda row: row.received)
    return Recording(path.name, tags, rows)


def _header(names: Sequence[str]) -> Iterator[str]:
    if not names:
        yield "the file is empty; expected a header with time, tag and value"
        return
    for column in ("time", "value"):
        if column not in names:
            yield f"column {column!r} is missing; expected time, tag and value"
    if ("tag" in names) == ("topic" in names):
        yield "needs either the column 'tag', or 'topic' (and 'metric')"
    for name in names:
        if name not in _COLUMNS:
            yield f"column {name!r} is unknown{nearest(name, _COLUMNS) or '; known: ' + ', '.join(_COLUMNS)}"


class _Rows:
    def __init__(self, tags: TagList) -> None:
        self._names = {tag.tag: index for index, tag in enumerate(tags)}
        self._sources: dict[tuple[str, str], tuple[int, Tag]] = {
            (tag.topic, tag.metric): (index, tag) for index, tag in enumerate(tags)
        }

    def row(self, line: int, row: Mapping[str | None, str | None]) -> Recorded:
        """raises  ValueError, worded for a finding"""
        if None in row or None in row.values():
            raise ValueError("the row has not as many cells as the header")
        cells = {str(column): (cell or "").strip() for column, cell in row.items()}
        quality = cells.get("quality") or str(Quality.GOOD)
        if quality not in _QUALITIES:
            raise ValueError(f"quality {quality!r} is none of {', '.join(_QUALITIES)}")
        time = _time("time", cells["time"])
        received = _time("received", cells["received"]) if cells.get("received") else time
        index, factor, offset = self._tag(cells)
        grade = _QUALITIES.index(quality)
        value = _value(cells["value"], needed=grade == GOOD)
        return Recorded(
            line=line, tag=index, time=time, value=value * factor + offset, quality=grade, received=received
        )

    def _tag(self, cells: Mapping[str, str]) -> tuple[int, float, float]:
        if "tag" in cells:
            name = cells["tag"]
            if name not in self._names:
                raise ValueError(f"tag {name!r} is not in the tag list{nearest(name, self._names)}")
            return self._names[name], 1.0, 0.0
        topic, metric = cells["topic"], cells.get("metric") or "value"
        if (topic, metric) not in self._sources:
            raise ValueError(f"metric {metric!r} of topic {topic!r} is not in the tag list")
        index, tag = self._sources[topic, metric]
        return index, *scaling(tag)


def _time(column: str, cell: str) -> int:
    try:
        return epoch_time(float(cell), 1000, "milliseconds")
    except ValueError as told:
        try:
            float(cell)
        except ValueError:
            try:
                return text_time(cell)
            except ValueError as error:
                raise ValueError(f"{column} {cell!r} {error}") from None
        raise ValueError(f"{column} {cell!r} {told}") from None


def _value(cell: str, *, needed: bool) -> float:
    if not cell and not needed:
        return math.nan
    if not cell:
        raise ValueError("value is empty; fill it in, or give a quality other than good")
    try:
        value = float(cell)
    except ValueError:
        raise ValueError(f"value {cell!r} is no number; write it with a point") from None
    if needed and not math.isfinite(value):
        raise ValueError(f"value {cell!r} of quality good is not finite; give it quality bad")
    return value
