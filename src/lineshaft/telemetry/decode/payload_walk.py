"""A JSON payload read element by element, so that one bad reading costs only itself and says what it is."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from lineshaft.core.values import Quality
from lineshaft.telemetry.decode.sample import MAX_PAYLOAD_BYTES, Fault, Sample, epoch_time, shown, text_time
from lineshaft.telemetry.readings import GOOD, QUALITIES

__all__ = ["document_of", "grade_of", "number_of", "time_of", "walk"]

_VALUE = "value"
_KINDS = {bool: "a boolean", str: "a string", list: "an array", dict: "an object", type(None): "null"}
_GRADES = {str(quality): grade for grade, quality in enumerate(QUALITIES)}


def walk(payload: bytes, stored_us: int) -> tuple[Sequence[Sample], Sequence[Fault]]:
    """Every usable sample of a payload, and a fault for each part that is not. Never raises.

    stored_us  stands in for a missing time
    """
    steps = _Walk(stored_us)
    try:
        document = document_of(payload)
    except ValueError as error:
        return (), (Fault(str(error)),)
    if isinstance(document, list):
        for item in document:
            steps.message(item, "[*]")
    else:
        steps.message(document, "")
    return steps.samples, steps.faults


def document_of(payload: bytes) -> Any:
    """raises ValueError, worded for a cause"""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError("the payload is larger than 1 MiB; let the device send smaller batches")
    try:
        # Unlike msgspec, the standard library reads NaN and Infinity: told apart from garbage that way.
        return json.loads(payload.decode())
    except UnicodeDecodeError:
        raise ValueError("the payload is not UTF-8; correct the encoding on the device") from None
    except RecursionError:
        raise ValueError("the payload is nested too deeply; send one of the documented shapes") from None
    except ValueError:
        raise ValueError("the payload is not JSON; send one of the documented shapes") from None


class _Walk:
    def __init__(self, stored_us: int) -> None:
        self._stored_us = stored_us
        self.samples: list[Sample] = []
        self.faults: list[Fault] = []

    def message(self, message: object, place: str) -> None:
        dot = f"{place}." if place else ""
        if not isinstance(message, dict):
            self._fault(
                f"{place or 'the payload'} is {_kind(message)}; expected an object with value or values"
            )
        elif (_VALUE in message) == (message.get("values") is not None):
            both = "both value and values" if _VALUE in message else "neither value nor values"
            self._fault(f"{place or 'the payload'} has {both}; send one of them")
        elif _VALUE not in message:
            self._members(message, dot)
        elif isinstance(message[_VALUE], list):
            self._columns(message, message[_VALUE], dot)
        else:
            metric = message.get("metric")
            self._sample(
                metric, message[_VALUE], message.get("time"), message.get("quality"), dot, f"{dot}value"
            )

    def _members(self, message: dict[str, Any], dot: str) -> None:
        values = message["values"]
        if not isinstance(values, dict):
            self._fault(f"{dot}values is {_kind(values)}; expected an object of metric: number")
        elif message.get("metric") is not None:
            self._fault(f"{dot}metric is there beside values; the members of values name the metrics")
        else:
            for metric, value in values.items():
                place = f"{dot}values.{shown(metric)}"
                self._sample(metric, value, message.get("time"), message.get("quality"), dot, place)

    def _columns(self, message: dict[str, Any], values: list[Any], dot: str) -> None:
        times, qualities, metrics = message.get("time"), message.get("quality"), message.get("metric")
        if isinstance(metrics, list) and not isinstance(times, list):
            times = [times] * len(values)
        if not isinstance(times, list) or len(times) != len(values):
            self._fault(f"{dot}time is no array as long as {dot}value; send one time for each value")
            return
        columns = [values, times]
        for name, column in (("quality", qualities), ("metric", metrics)):
            columns.append(column if isinstance(column, list) else [column] * len(values))
            if len(columns[-1]) != len(values):
                self._fault(
                    f"{dot}{name} is not as long as {dot}value; send one for all or one for each value"
                )
                return
        for value, time, quality, metric in zip(*columns, strict=True):
            self._sample(metric, value, time, quality, dot, f"{dot}value")

    def _sample(
        self, metric: object, value: object, time: object, quality: object, dot: str, place: str
    ) -> None:
        """dot: place of time, quality and metric; place: of the value."""
        name = _VALUE
        try:
            where = f"{dot}metric"
            if metric is not None:
                if not isinstance(metric, str):
                    raise ValueError(f"is {_kind(metric)}; send the name of a metric")
                name = metric
            where = f"{dot}quality"
            grade = GOOD if quality is None else _grade(quality)
            where = f"{dot}time"
            moment = self._stored_us if time is None else time_of(time)
            where = place
            number = number_of(value, grade)
        except ValueError as error:
            self._fault(f"{where} {error}", name)
        else:
            self.samples.append(Sample(name, number, moment, grade))

    def _fault(self, cause: str, metric: str = "") -> None:
        self.faults.append(Fault(cause, metric))


def grade_of(quality: str) -> int | None:
    """Index in QUALITIES, None for no word of ours."""
    grade = _GRADES.get(quality)
    return _GRADES.get(quality.lower()) if grade is None else grade


def time_of(value: object) -> int:
    """µs since 1970 of RFC 3339 text or milliseconds. raises ValueError, worded for a cause"""
    if isinstance(value, str):
        return text_time(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return epoch_time(value, 1000, "milliseconds")
    raise ValueError(f"is {_kind(value)}; send RFC 3339 text or milliseconds since 1970")


def number_of(value: object, grade: int) -> float:
    """NaN for null where quality allows it. raises ValueError, worded for a cause"""
    if value is None and grade != GOOD:
        return math.nan
    if not isinstance(value, int | float):
        raise ValueError(f"is {_kind(value)}; send a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("is not a finite number; send null with quality bad when there is no value")
    return number


def _grade(quality: object) -> int:
    grade = grade_of(quality) if isinstance(quality, str) else None
    if grade is None:
        raise ValueError(f"is unknown; send one of {', '.join(Quality)}")
    return grade


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")
