"""The data messages of a batch that are alike, found and read together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from lineshaft.core.values import RawBatch
from lineshaft.telemetry.bindings import Device
from lineshaft.telemetry.columns import Columns
from lineshaft.telemetry.notes import Notes
from lineshaft.telemetry.readings import Ints
from lineshaft.telemetry.sparkplug_bound import Bound, bound_of
from lineshaft.telemetry.sparkplug_session import Birth
from lineshaft.telemetry.sparkplug_template import Bytes, Place, Template, template_of, varints

__all__ = ["Bulk", "Quick"]

# Below these together is no gain over protobuf one by one.
_ROWS, _BYTES = 2, 2000
_MOST_MADE = 8
_MOST_KNOWN = 20_000


class Quick(msgspec.Struct, frozen=True):
    """A message that fits a template: row of its group. seq, sent_ms: as Cursor has them"""

    group: _Group
    row: int
    seq: int | None
    sent_ms: int


class _Made(msgspec.Struct, eq=False):
    """A template, and what it is bound to by the last birth."""

    template: Template
    bound: tuple[Birth, Bound | None] | None = None


class _Group(msgspec.Struct, eq=False):
    """Messages of one address and make. rows: their payloads; message: their places in the batch"""

    made: _Made
    address: str
    rows: Bytes
    message: Ints
    sent_ms: Ints


class _Known(msgspec.Struct):
    """What is known of one address and length: integers of other widths make other templates.

    patience  so many more messages that fit none are let go by until another template is made; twice as many
              each time, so that payloads which never are alike cost little
    """

    made: list[_Made] = []
    patience: int = 0
    misses: int = 1


class _Take(msgspec.Struct, eq=False):
    group: _Group
    bound: Bound
    doubted: bool
    rows: list[int]


class Bulk:
    def __init__(self) -> None:
        self._known: dict[tuple[str, int], _Known] = {}
        self._takes: dict[tuple[int, int, bool], _Take] = {}

    def find(
        self, batch: RawBatch, indices: Sequence[int], address_of: Callable[[str], str | None]
    ) -> dict[int, Quick]:
        """Those of the messages that fit a template.

        address_of  of a topic, None where its messages are not data
        """
        alike: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        for index in indices:
            alike[batch.topics[index], len(batch.payloads[index])].append(index)
        quick: dict[int, Quick] = {}
        for (topic, length), members in alike.items():
            if len(members) >= _ROWS and len(members) * length >= _BYTES:
                address = address_of(topic)
                if address is not None:
                    self._match(batch, address, length, members, quick)
        return quick

    def _match(
        self, batch: RawBatch, address: str, length: int, members: list[int], quick: dict[int, Quick]
    ) -> None:
        known = self._known.get((address, length))
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[address, length] = _Known()
        rows = np.frombuffer(b"".join([batch.payloads[index] for index in members]), np.uint8)
        rows, message = rows.reshape(len(members), length), np.array(members)
        for made in known.made:
            before = len(message)
            rows, message = _fitted(made, address, rows, message, quick)
            if len(message) < before:
                known.misses = max(1, known.misses // 2)
        if len(message) >= _ROWS and known.patience <= 0:
            known.misses *= 2
            known.patience = known.misses
            if template := template_of(rows[0].tobytes()):
                known.made = [_Made(template), *known.made[: _MOST_MADE - 1]]
                rows, message = _fitted(known.made[0], address, rows, message, quick)
        known.patience -= len(message)

    def take(self, quick: Quick, birth: Birth, device: Device | None, doubted: bool) -> bool:
        """Read this message with the others at `settle`; False when it has to be read by itself."""
        made = quick.group.made
        if made.bound is None or made.bound[0] is not birth:
            made.bound = birth, bound_of(made.template, birth, device)
        bound = made.bound[1]
        if bound is None:
            return False
        key = id(quick.group), id(bound), doubted
        take = self._takes.get(key)
        if take is None:
            take = self._takes[key] = _Take(quick.group, bound, doubted, [])
        take.rows.append(quick.row)
        return True

    def settle(self, batch: RawBatch, columns: Columns, notes: Notes) -> list[int]:
        """The readings of all messages taken; those that have to be read by themselves are returned."""
        takes, self._takes = self._takes, {}
        left: list[int] = []
        for take in takes.values():
            group, rows = take.group, np.array(take.rows)
            message = group.message[rows]
            stored = np.array([batch.stored_us[index] for index in message.tolist()], np.int64)
            block, right = take.bound.read(
                group.rows[rows], group.sent_ms[rows], stored, message.astype(np.int32), take.doubted
            )
            columns.block(block)
            left += message[~right].tolist()
            for name in take.bound.unbound:
                notes.unbound(int(message[0]), group.address, name, int(np.count_nonzero(right)))
        return left


def _fitted(
    made: _Made, address: str, rows: Bytes, message: Ints, quick: dict[int, Quick]
) -> tuple[Bytes, Ints]:
    """Those that fit go to `quick`, the others are returned."""
    template = made.template
    fitting = template.fits(rows)
    if fitting.any():
        fit, at = rows[fitting], message[fitting]
        group = _Group(made, address, fit, at, _varint(fit, template.stamp))
        sent_ms = group.sent_ms.tolist()
        seqs = None if template.seq is None else _varint(fit, template.seq).tolist()
        for row, index in enumerate(at.tolist()):
            quick[index] = Quick(group, row, None if seqs is None else seqs[row], sent_ms[row])
    return rows[~fitting], message[~fitting]


def _varint(rows: Bytes, place: Place | None) -> Ints:
    if place is None:
        return np.zeros(len(rows), np.int64)
    return varints(rows, [place.start], place.width)[:, 0].astype(np.int64)
