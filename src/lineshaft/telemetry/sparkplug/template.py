"""Sparkplug B payloads of one make read all at once.

An edge node sends the same metrics again and again, and nearly all bytes of the messages are the same: field
numbers, lengths, aliases. A template is one payload taken apart byte by byte: which bytes have to be equal,
and where the values and times lie between them. Messages as long as the template whose other bytes are equal
mean the same, and their numbers are taken out in columns. Everything else goes through protobuf.

Source: the protobuf wire format: varints have 7 bits a byte, the lowest first, and bit 8 while more follow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from lineshaft.telemetry.sparkplug.sparkplug_b_pb2 import Metric, Payload

__all__ = ["Bytes", "Place", "Template", "template_of", "varints"]

Bytes = NDArray[np.uint8]

_VARINT, _FIXED64, _SIZED, _FIXED32 = 0, 1, 2, 5
_SAME, _CONTINUED, _ANY = 0xFF, 0x80, 0x00
# Of a metric: field number: wire type. Fields 10 to 19 are its value.
_WIRE = {1: 2, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 2, 9: 2, 10: 0, 11: 0, 12: 5, 13: 1, 14: 0}
_WIRE |= dict.fromkeys(range(15, 20), _SIZED)
_METRIC_TIME = 3
# Longest varint of each value field that fits without being cut.
_LONGEST = {10: 5, 11: 9, 14: 1}


class Place(NamedTuple):
    start: int
    width: int


class Template(NamedTuple):
    """mask, pattern: by byte; a payload fits if its bytes under the mask are the pattern.

    stamp, seq  of the payload, None where it has none
    metrics     of the payload that the template was made of: all but values and times is the same in others
    stamps      of each metric, None where it has none
    values      of each metric: number of the value's field and its place, None where it has none or no number
    """

    mask: Bytes
    pattern: Bytes
    stamp: Place | None
    seq: Place | None
    metrics: list[Metric]
    stamps: list[Place | None]
    values: list[tuple[int, Place] | None]

    @property
    def layout(self) -> tuple[bytes, Place | None, Place | None]:
        """What payloads of several devices have to have in common to be read together."""
        return self.mask.tobytes(), self.stamp, self.seq


def template_of(data: bytes) -> Template | None:
    """None for a payload that is damaged, or has what its columns could not say."""
    try:
        payload = Payload.FromString(data)
        return _Scan(data).template(payload)
    except (DecodeError, _OddError, IndexError):
        return None


def varints(payloads: Bytes, starts: list[int], width: int) -> NDArray[np.uint64]:
    """Of each payload and each start: shape (payloads, starts)."""
    number = np.zeros((len(payloads), len(starts)), np.uint64)
    at = np.array(starts)
    for position in range(width):
        bits = (payloads.take(at + position, axis=1) & np.uint8(0x7F)).astype(np.uint64)
        number |= bits << np.uint64(7 * position)
    return number


class _OddError(Exception):
    pass


class _Scan:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._mask = np.full(len(data), _SAME, np.uint8)
        self._stamps: list[Place | None] = []
        self._values: list[tuple[int, Place] | None] = []

    def template(self, payload: Payload) -> Template:
        at, found = 0, dict[int, Place]()
        while at < len(self._data):
            field, wire, at = self._key(at)
            if field in (1, 3) and wire == _VARINT and field not in found:
                place = found[field] = self._varint(at, 9)
                at = self._varying(place)
            elif field == 2 and wire == _SIZED:
                size, at = self._number(at)
                self._metric(at, at + size)
                at += size
            else:
                raise _OddError
        if at != len(self._data) or len(self._values) != len(payload.metrics):
            raise _OddError
        pattern = np.frombuffer(self._data, np.uint8) & self._mask
        return Template(
            self._mask,
            pattern,
            found.get(1),
            found.get(3),
            list(payload.metrics),
            self._stamps,
            self._values,
        )

    def _metric(self, at: int, end: int) -> None:
        seen: set[int] = set()
        stamp, value = None, None
        while at < end:
            field, wire, at = self._key(at)
            again = any(one >= 10 for one in seen) if field >= 10 else field in seen
            if again or _WIRE.get(field) != wire:
                raise _OddError
            seen.add(field)
            if field == _METRIC_TIME:
                stamp = self._varint(at, 9)
                at = self._varying(stamp)
            elif field in _LONGEST:
                value = field, self._varint(at, _LONGEST[field])
                at = self._varying(value[1])
            elif wire in (_FIXED32, _FIXED64):
                value = field, Place(at, 4 if wire == _FIXED32 else 8)
                at += value[1].width
                self._mask[value[1].start : at] = _ANY
            else:
                size, at = self._number(at)
                at += size if wire == _SIZED else 0
        if at != end:
            raise _OddError
        self._stamps.append(stamp)
        self._values.append(value)

    def _key(self, at: int) -> tuple[int, int, int]:
        key, at = self._number(at)
        return key >> 3, key & 7, at

    def _number(self, at: int) -> tuple[int, int]:
        """The varint there, and where it ends. raises IndexError"""
        number = shift = 0
        while True:
            byte = self._data[at]
            number |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return number, at

    def _varint(self, at: int, longest: int) -> Place:
        _, end = self._number(at)
        if end - at > longest:
            raise _OddError
        return Place(at, end - at)

    def _varying(self, place: Place) -> int:
        end = place.start + place.width
        self._mask[place.start : end] = _CONTINUED
        return end
