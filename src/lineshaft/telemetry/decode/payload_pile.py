"""What the JSON messages of a batch say, piled up in flat lists until they become columns."""

from __future__ import annotations

from array import array
from typing import Any, TypeAlias

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from lineshaft.core.values import RawBatch
from lineshaft.telemetry.decode.bindings import Device
from lineshaft.telemetry.decode.columns import Block, Columns
from lineshaft.telemetry.decode.moments import NO_TIME, text_times
from lineshaft.telemetry.decode.notes import Notes
from lineshaft.telemetry.decode.payload_walk import grade_of
from lineshaft.telemetry.decode.sample import EARLIEST_US, LATEST_US
from lineshaft.telemetry.readings import GOOD, Floats, Ints

__all__ = ["GOOD_WORDS", "Message", "Pile", "Timed"]

_Number: TypeAlias = float | bool | None
_Time: TypeAlias = float | str | None


class Message(msgspec.Struct, gc=False):
    value: _Number | list[_Number] | UnsetType = UNSET
    time: _Time | list[_Time] = None
    quality: str | list[str | None] | None = None
    metric: str | list[str] | None = None
    values: dict[str, Any] | None = None


class Timed(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What nearly all arrays hold."""

    value: float
    time: _Time = None


GOOD_WORDS = frozenset((None, "good", "GOOD", "Good"))


class Pile:
    """What the messages of a batch say, in flat lists.

    tags, messages, lengths   one entry for a run of values of one tag in one message
    times, values             one for each value
    grades                    position among the values and quality, where it is not good
    """

    def __init__(self) -> None:
        self.tags: list[int] = []
        self.messages: list[int] = []
        self.lengths: list[int] = []
        self.times: list[_Time] = []
        self.values: list[_Number] = []
        self.grades: list[tuple[int, int]] = []
        self.unbound: list[tuple[int, str, str]] = []

    def _lists(self) -> tuple[list[Any], ...]:
        return self.tags, self.messages, self.lengths, self.times, self.values, self.grades, self.unbound

    def put(self, index: int, device: Device, message: Message | list[Message]) -> bool:
        """False, with nothing taken, for what has no shape of ours."""
        if isinstance(message, list) and self._plain(index, device, message):
            return True
        before = [len(one) for one in self._lists()]
        items = message if isinstance(message, list) else (message,)
        if all(self._put(index, device, item) for item in items):
            return True
        for one, length in zip(self._lists(), before, strict=True):
            del one[length:]
        return False

    def _plain(self, index: int, device: Device, items: list[Message]) -> bool:
        """Good readings of the metric that needs no name, as nearly all arrays hold; else False."""
        if device.value < 0:
            return False
        for item in items:
            if (
                item.value.__class__ is not float
                or item.metric is not None
                or item.values is not None
                or item.quality.__class__ is list
                or item.quality not in GOOD_WORDS
                or item.time.__class__ is list
            ):
                return False
        device.arrays = all(item.quality is None for item in items[:1])
        self.put_timed(index, device, items)  # type: ignore[arg-type]
        return True

    def put_timed(self, index: int, device: Device, items: list[Timed]) -> None:
        self.times += [item.time for item in items]
        self.values += [item.value for item in items]
        self.tags.append(device.value)
        self.messages.append(index)
        self.lengths.append(len(items))

    def _put(self, index: int, device: Device, message: Message) -> bool:
        value, time, quality, metric = message.value, message.time, message.quality, message.metric
        if message.values is not None:
            return (
                value is UNSET
                and metric is None
                and self._members(index, device, message.values, time, quality)
            )
        if isinstance(value, list):
            return self._column(index, device, message, value)
        if value is UNSET or isinstance(time, list) or isinstance(quality, list) or isinstance(metric, list):
            return False
        return self._one(index, device, "value" if metric is None else metric, value, time, quality)

    def _one(
        self, index: int, device: Device, metric: str, value: _Number, time: _Time, quality: str | None
    ) -> bool:
        tag = device.tags.get(metric)
        if tag is None:
            self.unbound.append((index, device.address, metric))
            return True
        if quality is not None:
            grade = grade_of(quality)
            if grade is None:
                return False
            if grade != GOOD:
                self.grades.append((len(self.values), grade))
        self.tags.append(tag)
        self.messages.append(index)
        self.lengths.append(1)
        self.times.append(time)
        self.values.append(value)
        return True

    def _members(self, index: int, device: Device, values: dict[str, Any], time: Any, quality: Any) -> bool:
        if isinstance(time, list) or isinstance(quality, list):
            return False
        for metric, value in values.items():
            if metric in device.tags and value.__class__ not in (float, int, bool, type(None)):
                return False
            if not self._one(index, device, metric, value, time, quality):
                return False
        return True

    def _column(self, index: int, device: Device, message: Message, values: list[_Number]) -> bool:
        times, qualities, metrics = message.time, message.quality, message.metric
        length = len(values)
        if not isinstance(times, list):
            if not isinstance(metrics, list):
                return False
            times = [times] * length
        if len(times) != length or (isinstance(qualities, list) and len(qualities) != length):
            return False
        if isinstance(metrics, list):
            if not isinstance(qualities, list):
                qualities = [qualities] * length
            return len(metrics) == length and all(
                self._one(index, device, *parts)
                for parts in zip(metrics, values, times, qualities, strict=True)
            )
        tag = device.value if metrics is None else device.tags.get(metrics, -1)
        if tag < 0:
            self.unbound += [(index, device.address, metrics or "value")] * length
            return True
        if qualities is not None:
            for position, quality in enumerate(
                qualities if isinstance(qualities, list) else [qualities] * length
            ):
                grade = GOOD if quality is None else grade_of(quality)
                if grade is None:
                    return False
                if grade != GOOD:
                    self.grades.append((len(self.values) + position, grade))
        self.tags.append(tag)
        self.messages.append(index)
        self.lengths.append(length)
        self.times += times
        self.values += values
        return True

    def settle(self, batch: RawBatch, columns: Columns, notes: Notes) -> list[int]:
        """Everything as one block, but for messages with a value or a time that cannot be: these are
        returned."""
        lengths = np.array(self.lengths, np.int64)
        message = np.repeat(np.array(self.messages, np.int32), lengths)
        quality = np.full(len(self.values), GOOD, np.uint8)
        if self.grades:
            positions, grades = zip(*self.grades, strict=True)
            quality[list(positions)] = grades
        stored = np.array(batch.stored_us, np.int64)
        time = _times(self.times, stored[message])
        value = _numbers(self.values)
        wrong = (time < EARLIEST_US) | (time > LATEST_US) | np.isinf(value)
        wrong |= (quality == GOOD) & np.isnan(value)
        tag = np.repeat(np.array(self.tags, np.int32), lengths)
        block = Block(message, tag, time, value, quality, np.zeros(len(value), np.bool_))
        refused: set[int] = set()
        if wrong.any():
            refused = set(message[wrong].tolist())
            block = block.of(~np.isin(message, list(refused)))
        columns.block(block)
        for index, address, metric in self.unbound:
            if index not in refused:
                notes.unbound(index, address, metric)
        for one in self._lists():
            one.clear()
        return list(refused)


def _numbers(values: list[_Number]) -> Floats:
    """NaN where there is none, infinity for what is too large."""
    try:
        return np.frombuffer(array("d", values))  # type: ignore[type-var]
    except (TypeError, OverflowError):
        return np.array([_number(value) for value in values], np.float64)


def _number(value: _Number) -> float:
    try:
        return np.nan if value is None else float(value)
    except OverflowError:
        return np.inf


def _times(times: list[_Time], stored: Ints) -> Ints:
    """µs since 1970, of the device or else of the backbone; NO_TIME for what is none."""
    try:
        return _of_milliseconds(array("d", times))  # type: ignore[arg-type]
    except TypeError:
        if set(map(type, times)) == {str}:
            return text_times(times)  # type: ignore[arg-type]
    mixed = stored.copy()
    texts = [at for at, time in enumerate(times) if isinstance(time, str)]
    counts = [at for at, time in enumerate(times) if isinstance(time, float)]
    mixed[texts] = text_times([times[at] for at in texts])  # type: ignore[misc]
    mixed[counts] = _of_milliseconds(array("d", (times[at] for at in counts)))  # type: ignore[misc]
    return mixed


def _of_milliseconds(milliseconds: array[float]) -> Ints:
    microseconds = np.rint(np.frombuffer(milliseconds) * 1000)
    possible = np.abs(microseconds) < 2.0**62
    return np.where(possible, microseconds, NO_TIME).astype(np.int64)
