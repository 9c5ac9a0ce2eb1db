"""What decoding yields, whatever the protocol: samples of named metrics, and what was wrong with the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from lineshaft.core.values import ExceptionKind
from lineshaft.telemetry.readings import GOOD

__all__ = [
    "EARLIEST_US",
    "LATEST_US",
    "MAX_PAYLOAD_BYTES",
    "Fault",
    "Sample",
    "device_time",
    "epoch_time",
    "microseconds",
    "shown",
    "text_time",
]

MAX_PAYLOAD_BYTES = 1 << 20

# Before this no device of ours was built: an unset clock, or seconds where milliseconds belong.
EARLIEST_US = 946_684_800_000_000  # 2000-01-01
LATEST_US = 253_402_300_799_999_999  # the end of 9999

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One value of one metric, in the unit of the device, not yet bound to a tag.

    value    finite when quality is good; NaN when the device says that it has none
    time     µs since 1970 UTC, as the device gives it, else when the message was stored
    quality  index in QUALITIES
    """

    metric: str
    value: float
    time: int
    quality: int = GOOD


class Fault(msgspec.Struct, frozen=True):
    """Why a message, or the one metric named, cannot be used.

    cause   the place, what is wrong and the next step; no value, so that equal faults count as one row
    """

    cause: str
    metric: str = ""
    kind: ExceptionKind = ExceptionKind.MALFORMED_READING


def epoch_time(number: float, us_each: int, unit: str) -> int:
    """µs since 1970 of a count of `unit` since 1970, `us_each` µs each.

    raises  ValueError, worded for a cause, when no device time can be meant
    """
    try:
        time = round(number * us_each)
    except (OverflowError, ValueError):
        time = LATEST_US + 1
    if time > LATEST_US:
        raise ValueError(f"is out of range; send {unit} since 1970")
    return device_time(time)


def text_time(text: str) -> int:
    """µs since 1970 of RFC 3339 text. raises ValueError, worded for a cause"""
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        raise ValueError("is no RFC 3339 time; send e.g. 2024-05-01T06:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError("has no offset; send UTC with Z")
    return device_time(microseconds(moment))


def microseconds(moment: datetime) -> int:
    """Since 1970. moment: aware"""
    return (moment - _EPOCH) // _MICROSECOND


def device_time(time: int) -> int:
    """The same. raises ValueError, worded for a cause, before 2000 and after 9999"""
    if time < EARLIEST_US:
        raise ValueError("is before the year 2000; set the device's clock, and send epochs in milliseconds")
    if time > LATEST_US:
        raise ValueError("is out of range; set the device's clock")
    return time


def shown(name: str) -> str:
    """A name that a device made up, fit for a message: cut, and escaped where a database would choke."""
    return name[:200] if name.isprintable() else ascii(name[:200])[1:-1]
