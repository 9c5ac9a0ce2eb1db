"""The data messages of a batch that are alike, of one device or of several, found and read together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import compress
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np

from lineshaft.core.values import RawBatch
from lineshaft.telemetry.decode.bindings import Device
from lineshaft.telemetry.decode.columns import Columns
from lineshaft.telemetry.decode.notes import Notes
from lineshaft.telemetry.readings import Ints
from lineshaft.telemetry.sparkplug.bound import Bound, Reader, bound_of, read_bound
from lineshaft.telemetry.sparkplug.session import Birth
from lineshaft.telemetry.sparkplug.template import Bytes, Place, Template, template_of, varints

__all__ = ["Bulk", "Quick"]

# Below these together is no gain over protobuf one by one.
_ROWS, _BYTES = 2, 2000
# A template takes as long to make as some 5 messages take one by one: a batch of few makes few.
_PATIENCE, _WORTH, _MADE_AT_ONCE = 1, 5, 8
_MOST_MADE = 8
_ENOUGH = 2**18  # bytes, which then still fit into a processor's cache
_MOST_KNOWN = 20_000


class Quick(NamedTuple):
    """A message that fits a template: row of its group. seq, sent_ms: as Cursor has them"""

    group: _Group
    made: _Made
    row: int
    seq: int | None
    sent_ms: int


class _Made(msgspec.Struct, eq=False):
    """A template of one address, and what it is bound to by the last birth.

    layout  equal numbers: payloads are read together
    """

    address: str
    template: Template
    layout: int
    bound: tuple[Birth, Bound | None] | None = None


class _Group(msgspec.Struct, eq=False):
    """Messages of one layout. rows: their payloads; message: their places in the batch"""

    rows: Bytes
    message: Ints
    sent_ms: Ints


class _Known(msgspec.Struct):
    """What is known of one address and length: integers of other widths make other templates.

    made      those of the last messages first
    patience  so many more messages that fit none are let go by until another template is made; twice as many
              each time, so that payloads which never are alike cost little
    """

    patience: int
    made: list[_Made] = []
    misses: int = 1


class _Take(msgspec.Struct, eq=False):
    group: _Group
    doubted: bool
    rows: list[int] = []
    bounds: list[Bound] = []


_Members: TypeAlias = list[int]
"""Messages of one address and length, by their places in the batch."""


class Bulk:
    def __init__(self) -> None:
        self._known: dict[tuple[str, int], _Known] = {}
        self._layouts: dict[tuple[object, ...], int] = {}
        self._readers: dict[tuple[object, ...], Reader] = {}
        self._takes: dict[tuple[int, int, bool], _Take] = {}

    def find(
        self, batch: RawBatch, indices: Sequence[int], address_of: Callable[[str], str | None]
    ) -> dict[int, Quick]:
        """Those of the messages that fit a template.

        address_of  of a topic, None where its messages are not data
        """
        alike: defaultdict[tuple[str, int], _Members] = defaultdict(list)
        for index in indices:
            alike[batch.topics[index], len(batch.payloads[index])].append(index)
        quick: dict[int, Quick] = {}
        piles: dict[int, list[tuple[_Made, _Members]]] = {}
        sizes: Counter[int] = Counter()
        left: list[tuple[str, int, _Known, _Members]] = []
        for (topic, length), members in alike.items():
            address = address_of(topic)
            if address is not None:
                known = self._of(address, length)
                if known.made:
                    layout = known.made[0].layout
                    piles.setdefault(layout, []).append((known.made[0], members))
                    sizes[layout] += length * len(members)
                    if sizes[layout] > _ENOUGH:
                        _fit(batch, piles.pop(layout), quick)
                        del sizes[layout]
                left.append((address, length, known, members))
        for pile in piles.values():
            _fit(batch, pile, quick)
        makes = _MADE_AT_ONCE
        for address, length, known, members in left:
            others = [index for index in members if index not in quick]
            if len(others) < len(members):
                known.misses = max(1, known.misses // 2)
            if len(others) * length >= _BYTES // 2:
                makes -= self._match(
                    batch, address, known, others, quick, may_make=makes > 0 or len(others) >= _WORTH
                )
        return quick

    def _of(self, address: str, length: int) -> _Known:
        known = self._known.get((address, length))
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                for each in (self._known, self._layouts, self._readers):
                    each.clear()
            known = self._known[address, length] = _Known(_PATIENCE)
        return known

    def _match(
        self,
        batch: RawBatch,
        address: str,
        known: _Known,
        members: _Members,
        quick: dict[int, Quick],
        *,
        may_make: bool,
    ) -> bool:
        """The templates but the first, and a new one where it is time; returns whether one was made."""
        for made in known.made[1:]:
            if len(members) < _ROWS:
                break
            _fit(batch, [(made, members)], quick)
            members = [index for index in members if index not in quick]
        is_made = False
        if may_make and members and known.patience < len(members):
            known.misses *= 2
            known.patience = known.misses
            is_made = True
            if template := template_of(batch.payloads[members[0]]):
                layout = self._layouts.setdefault(template.layout, len(self._layouts))
                known.made = [_Made(address, template, layout), *known.made[: _MOST_MADE - 1]]
                _fit(batch, [(known.made[0], members)], quick)
                members = [index for index in members if index not in quick]
        known.patience -= len(members)
        return is_made

    def take(self, quick: Quick, birth: Birth, device: Device | None, doubted: bool) -> bool:
        """Read this message with the others at `settle`; False when it has to be read by itself."""
        made = quick.made
        if made.bound is None or made.bound[0] is not birth:
            made.bound = birth, bound_of(made.template, birth, made.address, device, self._readers)
        bound = made.bound[1]
        if bound is None:
            return False
        key = id(quick.group), id(bound.reader), doubted
        take = self._takes.get(key)
        if take is None:
            take = self._takes[key] = _Take(quick.group, doubted)
        take.rows.append(quick.row)
        take.bounds.append(bound)
        return True

    def settle(self, batch: RawBatch, columns: Columns, notes: Notes) -> list[int]:
        """The readings of all messages taken; those that have to be read by themselves are returned."""
        takes, self._takes = self._takes, {}
        left: list[int] = []
        for take in takes.values():
            group, rows = take.group, np.array(take.rows)
            message = group.message[rows]
            stored = np.array([batch.stored_us[index] for index in message.tolist()], np.int64)
            block, right = read_bound(
                take.bounds,
                group.rows[rows],
                group.sent_ms[rows],
                stored,
                message.astype(np.int32),
                take.doubted,
            )
            columns.block(block)
            left += message[~right].tolist()
            for bound, index, is_right in zip(take.bounds, message.tolist(), right.tolist(), strict=True):
                if is_right:
                    for name in bound.unbound:
                        notes.unbound(index, bound.address, name)
        return left


def _fit(batch: RawBatch, pile: Sequence[tuple[_Made, _Members]], quick: dict[int, Quick]) -> None:
    """Those that fit go to `quick`. pile: templates of one layout, with the messages that may fit them"""
    template = pile[0][0].template
    indices = [index for _, members in pile for index in members]
    counts = [len(members) for _, members in pile]
    rows = np.frombuffer(b"".join([batch.payloads[index] for index in indices]), np.uint8)
    rows = rows.reshape(len(indices), len(template.mask))
    pattern = np.repeat(np.stack([made.template.pattern for made, _ in pile]), counts, axis=0)
    fitting = ((rows & template.mask) == pattern).all(axis=1)
    if not fitting.any():
        return
    made_of = [made for made, members in pile for _ in members]
    fit, at = rows[fitting], np.array(indices)[fitting]
    group = _Group(fit, at, _varint(fit, template.stamp))
    sent_ms = group.sent_ms.tolist()
    seqs = [None] * len(fit) if template.seq is None else _varint(fit, template.seq).tolist()
    for row, (index, made) in enumerate(zip(at.tolist(), compress(made_of, fitting), strict=True)):
        quick[index] = Quick(group, made, row, seqs[row], sent_ms[row])


def _varint(rows: Bytes, place: Place | None) -> Ints:
    if place is None:
        return np.zeros(len(rows), np.int64)
    return varints(rows, [place.start], place.width)[:, 0].astype(np.int64)
