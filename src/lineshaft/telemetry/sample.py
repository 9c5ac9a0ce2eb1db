"""What decoding yields, whatever the protocol: samples of named metrics, and what was wrong with the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from lineshaft.core.values import ExceptionKind, Quality

__all__ = ["MAX_PAYLOAD_BYTES", "Decoded", "Fault", "Sample", "device_time", "from_epoch_ms", "shown"]

MAX_PAYLOAD_BYTES = 1 << 20

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Before this no device of ours was built: an unset clock, or seconds where milliseconds belong.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One value of one metric, in the unit of the device, not yet bound to a tag.

    value   finite when quality is good; NaN when the device says that it has none
    time    as the device gives it, else the time of receipt; UTC
    """

    metric: str
    value: float
    time: datetime
    quality: Quality = Quality.GOOD
    historical: bool = False


class Fault(msgspec.Struct, frozen=True):
    """Why a message, or the one metric named, cannot be used.

    cause   the place, what is wrong and the next step; no value, so that equal faults count as one row
    """

    cause: str
    metric: str = ""
    kind: ExceptionKind = ExceptionKind.MALFORMED_READING


class Decoded(msgspec.Struct):
    """One device message, decoded.

    address    the topic under which the tag list knows the device
    stale      addresses whose metrics have lost their source
    repeated   a message that was taken before: nothing else is set
    """

    address: str
    samples: list[Sample] = []
    faults: list[Fault] = []
    stale: list[str] = []
    repeated: bool = False


def from_epoch_ms(milliseconds: float) -> datetime:
    """raises ValueError, worded for a cause, when no device time can be meant"""
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except (OverflowError, ValueError):
        raise ValueError("is out of range; send milliseconds since 1970") from None
    return device_time(moment)


def device_time(moment: datetime) -> datetime:
    """The time in UTC. raises ValueError, worded for a cause, for a naive time or one before 2000."""
    if moment.tzinfo is None:
        raise ValueError("has no offset; send UTC with Z")
    if moment < _EARLIEST:
        raise ValueError("is before the year 2000; set the device's clock, and send epochs in milliseconds")
    try:
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range; set the device's clock") from None


def shown(name: str) -> str:
    """A name that a device made up, fit for a message: cut, and escaped where a database would choke."""
    return name[:200] if name.isprintable() else ascii(name[:200])[1:-1]
