"""PublishResponse from its bytes: asyncua builds some ten objects per change, this builds one.

source  OPC 10000-6 §5.2 (binary encoding), OPC 10000-4 §7.25 (notifications), §5.13.5 (Publish)
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import msgspec
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import (
    extensionobject_from_binary,
    nodeid_from_binary,
    struct_from_binary,
    variant_from_binary,
)

__all__ = ["Change", "Notification", "notification_of", "republished"]

_DATA_CHANGE = bytes.fromhex("01002b03")  # four-byte node id 811: DataChangeNotification, binary
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")
_NUMBERS = {1: "B", 2: "b", 3: "B", 4: "h", 5: "H", 6: "i", 7: "I", 8: "q", 9: "Q", 10: "f", 11: "d"}
_FIELDS = ((0x02, "I"), (0x04, "q"), (0x10, "H"), (0x08, "q"), (0x20, "H"))  # in the order of the wire


class Change(NamedTuple):
    """source, server: 100 ns since 1601 UTC, 0 where not given; status: 0 is good."""

    handle: int
    value: object
    status: int
    source: int
    server: int


class Notification(msgspec.Struct, frozen=True):
    """sequence: of a message with changes or an end; for a sign of life that of the next one, is_alive_only.

    sent       when the server sent it, 100 ns since 1601 UTC; the time in the message itself may be missing
    available  sequence numbers that can be had again
    ended      status code with which the server ended the subscription, 0 while it goes on
    """

    subscription: int
    available: list[int]
    sequence: int
    sent: int
    is_alive_only: bool
    changes: list[Change]
    ended: int = 0


class _Layout:
    """Where the parts of an item with a number as value stand, for one encoding mask and type."""

    def __init__(self, mask: int, kind: int) -> None:
        form, at = "<IB", {}
        position = 2
        if mask & 0x01:
            form += "B" + _NUMBERS[kind]
            at[0x01] = position + 1
            position += 2
        for bit, code in _FIELDS:
            if mask & bit:
                form += code
                at[bit] = position
                position += 1
        packed = struct.Struct(form)
        self.unpack_from = packed.unpack_from
        self.size = packed.size
        none = position  # a place of its own, beyond the row: `_row` appends a 0 there
        self.at = tuple(at.get(bit, none) for bit in (0x02, 0x04, 0x08))
        self.value = at.get(0x01, -1)


_layouts: dict[int, _Layout | None] = {}


def notification_of(buffer: Buffer) -> Notification:
    """Of a whole PublishResponse body, as the secure channel hands it over.

    raises  UaStatusCodeError where the server tells a fault; struct.error, UaError and the like for garbage
    """
    sent, data = _opened(buffer)
    subscription, count = struct.unpack_from("<Ii", data)
    available = list(struct.unpack_from(f"<{max(count, 0)}I", data, 8))
    return _message(data, 8 + 4 * max(count, 0) + 1, subscription, available, sent)


def republished(buffer: Buffer, subscription: int) -> Notification:
    """Of a RepublishResponse. raises as notification_of"""
    sent, data = _opened(buffer)
    return _message(data, 0, subscription, [], sent)


def _opened(buffer: Buffer) -> tuple[int, bytes]:
    """(when it was sent, what follows the header)"""
    nodeid_from_binary(buffer)
    (sent,) = struct.unpack_from("<q", bytes(buffer))
    struct_from_binary(ua.ResponseHeader, buffer).ServiceResult.check()
    return sent, bytes(buffer)


def _message(data: bytes, at: int, subscription: int, available: list[int], sent: int) -> Notification:
    sequence, _, parts = struct.unpack_from("<Iqi", data, at)
    at += 16
    changes: list[Change] = []
    ended = 0
    for _ in range(max(parts, 0)):
        if data[at : at + 4] == _DATA_CHANGE and data[at + 4] == 1:
            length = _I32.unpack_from(data, at + 5)[0]
            _changes(data, at + 9, changes)
            at += 9 + length
            continue
        rest = Buffer(data, at)
        other = extensionobject_from_binary(rest)
        if isinstance(other, ua.StatusChangeNotification):
            ended = other.Status.value or StatusCodes.BadNoSubscription
        at = rest.cur_pos
    return Notification(subscription, available, sequence, sent, parts <= 0, changes, ended)


def _changes(data: bytes, at: int, changes: list[Change]) -> None:
    count = _I32.unpack_from(data, at)[0]
    at += 4
    layouts = _layouts
    add = changes.append
    for _ in range(count):
        mask = data[at + 4]
        key = mask << 8 | (data[at + 5] if mask & 1 else 0)
        try:
            layout = layouts[key]
        except KeyError:
            layout = layouts[key] = _layout(mask, key & 0xFF)
        if layout is None:
            at = _any_change(data, at, mask, changes)
            continue
        row = (*layout.unpack_from(data, at), 0)
        status, source, server = layout.at
        value = layout.value
        add(Change(row[0], row[value] if value > 0 else None, row[status], row[source], row[server]))
        at += layout.size


def _layout(mask: int, kind: int) -> _Layout | None:
    """None where the value is no plain number: its length is only known by decoding it."""
    return None if mask & 0xC0 or (mask & 1 and kind not in _NUMBERS) else _Layout(mask, kind)


def _any_change(data: bytes, at: int, mask: int, changes: list[Change]) -> int:
    """An item of any type. returns where the next one begins"""
    handle = _U32.unpack_from(data, at)[0]
    buffer = Buffer(data, at + 5)
    value = variant_from_binary(buffer).Value if mask & 0x01 else None
    at = buffer.cur_pos
    fields = dict.fromkeys((0x02, 0x04, 0x08), 0)
    for bit, code in _FIELDS:
        if mask & bit:
            fields[bit] = struct.unpack_from("<" + code, data, at)[0]
            at += struct.calcsize("<" + code)
    changes.append(Change(handle, value, fields[0x02], fields[0x04], fields[0x08]))
    return at
