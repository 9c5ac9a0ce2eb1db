"""The exceptions desk: what a person has to look at, one row per kind, source and cause, counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.ids import business_key
from lineshaft.core.values import ExceptionRecord
from lineshaft.store import Store
from lineshaft.store.schema import exceptions

__all__ = ["Desk"]

_MOST_PAYLOAD = 16 * 1024


class Desk:
    """Implements core.ports.ExceptionDesk."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def report(self, records: Sequence[ExceptionRecord]) -> None:
        def unit(connection: Connection) -> None:
            for record in records:
                self.add(connection, record)

        await self._store.write(unit)

    def add(self, connection: Connection, record: ExceptionRecord) -> None:
        """Inside a unit of work. Seen again: the count and the last time change."""
        now = rfc3339(self._clock.now())
        row: dict[str, Any] = {
            "exception_id": business_key(record.kind, record.plant, record.source, record.cause, record.ref),
            "kind": record.kind,
            "plant": record.plant,
            "source": record.source,
            "owner": record.owner,
            "cause": record.cause,
            "payload": record.payload[:_MOST_PAYLOAD],
            "ref": record.ref,
            "correlation_id": record.correlation_id,
            "state": "open",
            "first_at": now,
            "last_at": now,
        }
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(
            insert(exceptions)
            .values(**row)
            .on_conflict_do_update(
                index_elements=["exception_id"],
                set_={"count": exceptions.c.count + 1, "last_at": now, "state": "open"},
            )
        )
