"""JSON payloads of devices: one reading, an array of readings, columns, or several metrics at one time.

    {"value": 4.2, "time": "2024-05-01T06:00:00Z", "quality": "good"}
    [{"value": 4.2, "time": 1714543200000}, {"value": 4.3, "time": 1714543201000}]
    {"time": [1714543200000, 1714543201000], "value": [4.2, 4.3]}
    {"time": "2024-05-01T06:00:00Z", "values": {"pressure": 4.2, "temperature": 61}}

`time` is RFC 3339 with an offset, or milliseconds since 1970; without one, the time of receipt counts.
`quality` is good, uncertain, bad or stale; without one, good. A null value is a reading only when its quality
is not good.
"""

from __future__ import annotations

import json
import math
from datetime import datetime

import msgspec

from lineshaft.core.values import Quality
from lineshaft.telemetry.sample import (
    MAX_PAYLOAD_BYTES,
    Decoded,
    Fault,
    Sample,
    device_time,
    from_epoch_ms,
    shown,
)

__all__ = ["decode_json"]

_VALUE = "value"
_KINDS = {bool: "a boolean", str: "a string", list: "an array", dict: "an object", type(None): "null"}


class _Single(msgspec.Struct, gc=False):
    """The shape that nearly all messages have; every other one takes the walk below."""

    value: float
    time: datetime | float | None = None
    quality: Quality | None = None
    values: None = None


_single = msgspec.json.Decoder(_Single)


def decode_json(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    """Every usable sample of a payload, and a fault for each part that is not.

    received_at  aware, UTC; stands in for a missing time

    Never raises: what cannot be read is a fault, and the good readings beside it are kept.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        return _refused(topic, "the payload is larger than 1 MiB; let the device send smaller batches")
    try:
        if not payload.isascii():
            payload.decode()
        message = _single.decode(payload)
        given = message.time
        if given is None:
            time = received_at
        elif isinstance(given, float):
            time = from_epoch_ms(given)
        else:
            time = device_time(given)
        return Decoded(topic, [Sample(_VALUE, message.value, time, message.quality or Quality.GOOD)])
    except UnicodeDecodeError:
        return _refused(topic, "the payload is not UTF-8; correct the encoding on the device")
    except (msgspec.DecodeError, ValueError, RecursionError):
        return _Walk(topic, received_at).over(payload)


def _refused(topic: str, cause: str) -> Decoded:
    return Decoded(topic, faults=[Fault(cause)])


class _Walk:
    """Reads a document element by element, so that one bad reading costs only itself."""

    def __init__(self, topic: str, received_at: datetime) -> None:
        self._received_at = received_at
        self._decoded = Decoded(topic, [], [])

    def over(self, payload: bytes) -> Decoded:
        try:
            # Unlike msgspec, the standard library reads NaN and Infinity: told apart from garbage that way.
            document = json.loads(payload.decode())
        except RecursionError:
            self._fault("the payload is nested too deeply; send one of the documented shapes")
        except ValueError:
            self._fault("the payload is not JSON; send one of the documented shapes")
        else:
            if isinstance(document, list):
                for item in document:
                    self._message(item, "[*]")
            else:
                self._message(document, "")
        return self._decoded

    def _message(self, message: object, place: str) -> None:
        dot = f"{place}." if place else ""
        if not isinstance(message, dict):
            self._fault(
                f"{place or 'the payload'} is {_kind(message)}; expected an object with value or values"
            )
        elif ("value" in message) == ("values" in message):
            both = "both value and values" if "value" in message else "neither value nor values"
            self._fault(f"{place or 'the payload'} has {both}; send one of them")
        elif "value" in message and isinstance(message["value"], list):
            self._columns(message, dot)
        elif "value" in message:
            self._sample(_VALUE, message["value"], message.get("time"), message.get("quality"), dot=dot)
        elif isinstance(message["values"], dict):
            inside = f"{dot}values."
            for metric, value in message["values"].items():
                self._sample(
                    metric, value, message.get("time"), message.get("quality"), dot=dot, inside=inside
                )
        else:
            self._fault(f"{dot}values is {_kind(message['values'])}; expected an object of metric: number")

    def _columns(self, message: dict[str, object], dot: str) -> None:
        values, times, qualities = message["value"], message.get("time"), message.get("quality")
        assert isinstance(values, list)  # noqa: S101 - the caller looked
        if not isinstance(times, list) or len(times) != len(values):
            self._fault(f"{dot}time is no array as long as {dot}value; send one time for each value")
            return
        if not isinstance(qualities, list):
            qualities = [qualities] * len(values)
        if len(qualities) != len(values):
            self._fault(f"{dot}quality is not as long as {dot}value; send one for all or one for each value")
            return
        for value, time, quality in zip(values, times, qualities, strict=True):
            self._sample(_VALUE, value, time, quality, dot=dot)

    def _sample(
        self, metric: str, value: object, time: object, quality: object, *, dot: str, inside: str = ""
    ) -> None:
        """dot: place of time and quality; inside: place of the value, where it is another."""
        place = f"{dot}quality"
        try:
            grade = _quality(quality)
            place = f"{dot}time"
            moment = _time(time, self._received_at)
            place = f"{inside or dot}{shown(metric)}"
            number = _number(value, grade)
        except ValueError as error:
            self._fault(f"{place} {error}", metric)
        else:
            self._decoded.samples.append(Sample(metric, number, moment, grade))

    def _fault(self, cause: str, metric: str = "") -> None:
        self._decoded.faults.append(Fault(cause, metric))


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")


def _quality(value: object) -> Quality:
    if value is None:
        return Quality.GOOD
    try:
        return Quality(str(value).lower())
    except ValueError:
        raise ValueError(f"is unknown; send one of {', '.join(Quality)}") from None


def _time(value: object, received_at: datetime) -> datetime:
    if value is None:
        return received_at
    if isinstance(value, str):
        try:
            moment = msgspec.convert(value, datetime)
        except msgspec.ValidationError:
            raise ValueError("is no RFC 3339 time; send e.g. 2024-05-01T06:00:00Z") from None
        return device_time(moment)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return from_epoch_ms(value)
    raise ValueError(f"is {_kind(value)}; send RFC 3339 text or milliseconds since 1970")


def _number(value: object, quality: Quality) -> float:
    if value is None and quality is not Quality.GOOD:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"is {_kind(value)}; send a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("is not a finite number; send null with quality bad when there is no value")
    return number
