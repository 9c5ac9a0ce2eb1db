"""A template bound to the tags of a device by a birth: columns of readings out of many payloads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lineshaft.telemetry.decode.bindings import Device
from lineshaft.telemetry.decode.columns import Block
from lineshaft.telemetry.decode.sample import EARLIEST_US, LATEST_US
from lineshaft.telemetry.readings import GOOD, UNCERTAIN, Floats, Ints
from lineshaft.telemetry.sparkplug.metric import BOOLEAN, FLOATS, INTEGERS, is_protocol, quality
from lineshaft.telemetry.sparkplug.session import Birth
from lineshaft.telemetry.sparkplug.template import Bytes, Place, Template, varints

__all__ = ["Bound", "Reader", "bound_of", "read_bound"]

_INT, _LONG, _FLOAT, _DOUBLE, _BOOLEAN = 10, 11, 12, 13, 14
_UINT32 = np.uint64(0xFFFF_FFFF)


class _Column(NamedTuple):
    """One metric with a tag. datatype: of the metric or its birth; named: it does not hang on an alias"""

    tag: int
    grade: int
    historical: bool
    named: bool
    datatype: int
    stamp: Place | None
    value: tuple[int, Place] | None


class Reader:
    """Takes the numbers of the columns out of payloads; the same for all devices whose payloads are alike."""

    def __init__(self, columns: list[_Column]) -> None:
        self._columns = columns
        groups: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        stamps: defaultdict[int, list[int]] = defaultdict(list)
        for at, column in enumerate(columns):
            if column.value is not None:
                groups[column.value[0], column.value[1].width].append(at)
            if column.stamp is not None:
                stamps[column.stamp.width].append(at)
        self._groups, self._stamps = dict(groups), dict(stamps)

    def read(self, payloads: Bytes, sent_ms: Ints, stored_us: Ints) -> tuple[Floats, Ints, NDArray[np.bool_]]:
        """Of payloads, one a row, values and times; and of each payload whether it can be read so."""
        value, possible = self._values(payloads)
        time = self._times(payloads, sent_ms, stored_us)
        right = np.all((time >= EARLIEST_US) & (time <= LATEST_US) & possible, axis=1)
        return value, time, right

    def _values(self, payloads: Bytes) -> tuple[Floats, NDArray[np.bool_]]:
        value = np.full((len(payloads), len(self._columns)), np.nan)
        possible = np.ones(value.shape, np.bool_)
        for (field, width), at in self._groups.items():
            starts = self._starts(at)
            if field in (_FLOAT, _DOUBLE):
                raw = payloads.take(np.array(starts)[:, None] + np.arange(width), axis=1)
                value[:, at] = raw.view("<f8" if field == _DOUBLE else "<f4")[:, :, 0]
                possible[:, at] = np.isfinite(value[:, at])
            elif field == _BOOLEAN:
                value[:, at] = varints(payloads, starts, width) != 0
            else:
                number = varints(payloads, starts, width)
                for place, column in enumerate(at):
                    value[:, column], possible[:, column] = _integers(
                        number[:, place], field, self._columns[column].datatype
                    )
        return value, possible

    def _starts(self, at: list[int]) -> list[int]:
        return [value[1].start for value in (self._columns[column].value for column in at) if value]

    def _times(self, payloads: Bytes, sent_ms: Ints, stored_us: Ints) -> Ints:
        """µs since 1970; out of any range where a timestamp is."""
        times = np.zeros((len(payloads), len(self._columns)), np.int64)
        for width, at in self._stamps.items():
            starts = [stamp.start for stamp in (self._columns[column].stamp for column in at) if stamp]
            times[:, at] = varints(payloads, starts, width).astype(np.int64)
        times = np.where(times == 0, sent_ms[:, None], times)
        times = np.where(times > LATEST_US // 1000, -1, times) * 1000
        return np.where(times == 0, stored_us[:, None], times)


class Bound:
    """The metrics of one address. unbound: names of those without a tag"""

    def __init__(self, address: str, columns: list[_Column], unbound: list[str], reader: Reader) -> None:
        self.address = address
        self.unbound = unbound
        self.reader = reader
        self.tag = np.array([column.tag for column in columns], np.int32)
        self.grade = np.array([column.grade for column in columns], np.uint8)
        self.historical = np.array([column.historical for column in columns], np.bool_)
        by_alias = np.array([not column.named for column in columns], np.bool_)
        self.doubted = np.where(by_alias & (self.grade == GOOD), np.uint8(UNCERTAIN), self.grade)


def read_bound(
    bounds: Sequence[Bound],
    payloads: Bytes,
    sent_ms: Ints,
    stored_us: Ints,
    message: NDArray[np.int32],
    doubted: bool,
) -> tuple[Block, NDArray[np.bool_]]:
    """Every reading of the payloads that can be read so, one a row; and which these payloads are.

    bounds   of each payload, all with one reader
    message  index of each in the batch
    """
    value, time, right = bounds[0].reader.read(payloads, sent_ms, stored_us)
    ranks: dict[Bound, int] = {}
    which = np.array([ranks.setdefault(bound, len(ranks)) for bound in bounds])[right]
    different = list(ranks)
    grades = [bound.doubted if doubted else bound.grade for bound in different]
    block = Block(
        np.repeat(message[right], len(bounds[0].tag)),
        np.stack([bound.tag for bound in different])[which].ravel(),
        time[right].ravel(),
        value[right].ravel(),
        np.stack(grades)[which].ravel(),
        np.stack([bound.historical for bound in different])[which].ravel(),
    )
    return block, right


def bound_of(
    template: Template,
    birth: Birth,
    address: str,
    device: Device | None,
    readers: dict[tuple[object, ...], Reader],
) -> Bound | None:
    """None where a metric has to be looked at by itself: it has no name, or no number.

    device   of the address, None where it has no tags
    readers  those there are; a new one is put there
    """
    if device is None:
        return Bound(address, [], [""] if birth.speaks_of_machine(template.metrics) else [], Reader([]))
    columns: list[_Column] = []
    unbound: list[str] = []
    for metric, stamp, value in zip(template.metrics, template.stamps, template.values, strict=True):
        name = birth.name_of(metric)
        if not isinstance(name, str):
            return None
        if is_protocol(name):
            continue
        tag = device.tags.get(name)
        if tag is None:
            unbound.append(name)
            continue
        datatype = metric.datatype or birth.datatypes.get(name, 0)
        empty = metric.is_null or metric.WhichOneof("value") is None
        if not empty and (value is None or not _fits(value[0], datatype)):
            return None
        grade = quality(metric, np.nan if empty else 0.0)
        columns.append(
            _Column(
                tag,
                grade,
                metric.is_historical,
                bool(metric.name),
                datatype,
                stamp,
                None if empty else value,
            )
        )
    made_like = tuple((column.datatype, column.stamp, column.value) for column in columns)
    return Bound(address, columns, unbound, readers.setdefault(made_like, Reader(columns)))


def _fits(field: int, datatype: int) -> bool:
    if field in (_FLOAT, _DOUBLE):
        return datatype in FLOATS or datatype == 0
    if field == _BOOLEAN:
        return datatype in (BOOLEAN, 0)
    return datatype in INTEGERS


def _integers(raw: NDArray[np.uint64], field: int, datatype: int) -> tuple[Floats, NDArray[np.bool_]]:
    """As `sparkplug_metric.number` reads them one by one, and which are in the range of the datatype."""
    bits, signed = INTEGERS[datatype]
    number = ((raw & _UINT32) if field == _INT else raw).astype(np.int64)
    if bits == 64:
        return number.astype(np.float64), np.ones(len(raw), np.bool_)
    half, whole = 1 << (bits - 1), 1 << bits
    value = np.where(signed & (number >= half) & (number < whole), number - whole, number)
    in_range = number < whole
    if signed and field == _INT:
        negative = (number >= whole) & (number >= (1 << 32) - half)
        value = np.where(negative, number - (1 << 32), value)
        in_range |= negative
    return value.astype(np.float64), in_range
