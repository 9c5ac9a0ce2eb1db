"""An event as projections read it: its payload by canonical field names, and its place among others."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

from lineshaft.core.clock import rfc3339
from lineshaft.core.values import Event
from lineshaft.ledger.projections.folding import Part, Register, RowKey, Stamp, Sums

__all__ = ["Told", "key_text"]

_LONGEST_KEY = 200


def key_text(value: Any) -> str:
    """As a key column holds it: PostgreSQL keeps no NUL, and refuses what is too long."""
    return str(value if value is not None else "").replace("\0", "\ufffd")[:_LONGEST_KEY]


class Told:
    """payload: JSON object of an event that keeps its contract."""

    def __init__(self, event: Event) -> None:
        self.event = event
        self.payload: dict[str, Any] = event.payload
        self.time = rfc3339(event.time)

    @cached_property
    def verb(self) -> str:
        """`released` of `production.order.released.v1`."""
        return self.event.type.rsplit(".", 2)[1]

    def get(self, *names: str) -> Any:
        """The first of these fields that has a value."""
        return next((found for name in names if (found := self.payload.get(name)) is not None), None)

    def key(self, *names: str) -> str:
        return key_text(self.get(*names))

    def picked(self, *names: str) -> dict[str, Any]:
        return {name: self.payload[name] for name in names if self.payload.get(name) is not None}

    def row(self, projection: str, *key: str) -> RowKey:
        return (projection, key_text(self.event.plant), *key)

    def stamp(self, rank: int = 0, *, sequence: str | None = None) -> Stamp:
        """rank: of an end over its beginning; sequence: of the payload, where it has one of its own."""
        given = self.event.sequence if sequence is None else sequence
        return (rank, given, self.time, self.event.id)

    def register(self, row: RowKey, slot: str, value: Any) -> Register:
        """Sequences compare within a source only: each has its place."""
        return Register(row=row, slot=slot, source=self.event.source, stamp=self.stamp(), value=value)

    def last_event(self, row: RowKey) -> Register:
        """By time alone, whoever told it."""
        value = {"id": self.event.id, "type": self.event.type, "time": self.time}
        stamp = (0, "", self.time, self.event.id)
        return Register(row=row, slot="last_event", stamp=stamp, value=value)

    def part(
        self,
        row: RowKey,
        name: str,
        *identity: str,
        rank: int = 0,
        sequence: str | None = None,
        sums: Sums | None = None,
        item: Any = None,
    ) -> Part:
        """Another event may tell more of it. row: with empty keys where the event does not tell them."""
        known = row if all(row[2:]) else ()
        return Part(
            identity=(row[0], row[1], name, *identity),
            row=known,
            slot=":".join((name, *identity)),
            stamp=self.stamp(rank, sequence=sequence),
            sums=sums or {},
            item=item,
        )

    def amount(self, name: str) -> dict[str, Decimal]:
        """The quantity of a field by its unit; empty without one."""
        found = self.payload.get(name)
        if not isinstance(found, dict):
            return {}
        try:
            return {str(found["unit"]): Decimal(str(found["value"]))}
        except (KeyError, InvalidOperation):
            return {}

    def amounts(self, **fields: str) -> Sums:
        """sum → field of the payload that adds to it."""
        return {name: amount for name, field in fields.items() if (amount := self.amount(field))}
