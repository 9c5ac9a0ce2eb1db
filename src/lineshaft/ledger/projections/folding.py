"""How facts become rows: whatever the order in which they come, and however often, the rows are the same.

Of two facts about the same the one with the higher stamp stays. What is added up is kept by identity, so that
a fact that comes again, or is replaced, leaves the sum right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from lineshaft.core.ids import business_key

__all__ = ["Fact", "Part", "Register", "Row", "RowKey", "Stamp", "State", "fold", "latest", "row_doc"]

Stamp = tuple[int, str, str, str]
"""(rank, sequence, time, event id): rank puts an end behind its beginning, whatever their times; sequence is
text as CloudEvents compare it; time RFC 3339 in UTC."""

RowKey = tuple[str, ...]
"""(projection, plant, then the values of the row's own key)."""

Sums = dict[str, dict[str, Decimal]]
"""By name and unit."""


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """What a source says of a row. Each source has its own place: sequences compare within one only."""

    row: RowKey
    slot: str
    stamp: Stamp
    value: Any
    source: str = ""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Something with an identity that counts for a row: a confirmation, a downtime, a reservation.

    row        empty where the fact does not tell: another of the same identity does, or nothing counts
    item       what the row shows of it; None: nothing
    row_stamp  of the fact that told the row, where it is not this one
    """

    identity: tuple[str, ...]
    row: RowKey
    slot: str
    stamp: Stamp
    sums: Sums = {}
    item: Any = None
    row_stamp: Stamp | None = None

    @property
    def placed(self) -> Stamp:
        return self.row_stamp or (self.stamp if self.row else (-1, "", "", ""))

    @property
    def part_id(self) -> str:
        return business_key(*self.identity)


Fact = Register | Part


class Row(msgspec.Struct, kw_only=True):
    """at: time of the newest fact. registers: slot → source → (stamp, value)."""

    at: str = ""
    registers: dict[str, dict[str, tuple[Stamp, Any]]] = {}
    sums: Sums = {}
    items: dict[str, Any] = {}


class State(msgspec.Struct, kw_only=True):
    """Rows and parts that are known; `changed…` name those that folding has changed."""

    rows: dict[RowKey, Row] = {}
    parts: dict[str, Part] = {}
    changed_rows: set[RowKey] = msgspec.field(default_factory=set)
    changed_parts: set[str] = msgspec.field(default_factory=set)


def fold(state: State, facts: Iterable[Fact]) -> None:
    for fact in facts:
        if isinstance(fact, Register):
            _set(state, fact)
        else:
            _count(state, fact)


def latest(row: Row, slot: str) -> Any:
    """What the source said that spoke last; None where none did."""
    said = row.registers.get(slot, {}).items()
    if not said:
        return None
    _, (_, value) = max(said, key=lambda entry: (entry[1][0][2], entry[1][0], entry[0]))
    return value


def row_doc(row: Row) -> bytes:
    """Equal rows give equal bytes."""
    return msgspec.json.encode(row, order="deterministic")


def _set(state: State, fact: Register) -> None:
    row = _told(state, fact)
    said = row.registers.setdefault(fact.slot, {})
    if fact.source not in said or said[fact.source][0] < fact.stamp:
        said[fact.source] = (fact.stamp, fact.value)
        state.changed_rows.add(fact.row)


def _count(state: State, fact: Part) -> None:
    if fact.row:
        _told(state, fact)
    part_id = fact.part_id
    known = state.parts.get(part_id)
    newer = fact if known is None else _merged(known, fact)
    if newer == known:
        return
    state.parts[part_id] = newer
    state.changed_parts.add(part_id)
    if known is not None and known.row:
        _take_out(_changed(state, known.row), known)
    if newer.row:
        _put_in(_changed(state, newer.row), newer)


def _merged(known: Part, fact: Part) -> Part:
    """The newer one, at the row that was told last."""
    newer = fact if fact.stamp > known.stamp else known
    placing = max(known, fact, key=lambda part: part.placed)
    return msgspec.structs.replace(newer, row=placing.row, slot=placing.slot, row_stamp=placing.placed)


def _put_in(row: Row, part: Part) -> None:
    _add(row.sums, part.sums, 1)
    if part.item is not None:
        row.items[part.slot] = part.item


def _take_out(row: Row, part: Part) -> None:
    _add(row.sums, part.sums, -1)
    row.items.pop(part.slot, None)


def _add(sums: Sums, more: Mapping[str, Mapping[str, Decimal]], sign: int) -> None:
    """A sum of nothing is none, and 10.50 is 10.5: the way to a sum does not show."""
    for name, by_unit in more.items():
        here = sums.setdefault(name, {})
        for unit, value in by_unit.items():
            total = (here.pop(unit, Decimal(0)) + sign * value).normalize()
            if total:
                here[unit] = total
        if not here:
            del sums[name]


def _changed(state: State, key: RowKey) -> Row:
    state.changed_rows.add(key)
    return state.rows.setdefault(key, Row())


def _told(state: State, fact: Fact) -> Row:
    row = state.rows.setdefault(fact.row, Row())
    if fact.stamp[2] > row.at:
        row.at = fact.stamp[2]
        state.changed_rows.add(fact.row)
    return row
