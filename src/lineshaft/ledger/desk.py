"""The exceptions desk: what a person has to look at, one row per kind, source and cause, counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, case, update
from sqlalchemy.dialects import postgresql, sqlite

from lineshaft.core.causes import cause_pattern
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.exceptions import ExceptionState
from lineshaft.core.ids import business_key
from lineshaft.core.values import ExceptionRecord
from lineshaft.ledger.exception_rows import REPEATED, Envelope
from lineshaft.store import Store
from lineshaft.store.schema import exceptions

__all__ = ["Desk"]

_MOST_PAYLOAD = 1024 * 1024


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
        """Inside a unit of work. Seen again: the count, the last time and the last payload change, and a
        correction of a payload before that is of no use any more.

        What a redrive went out as and is reported now opens the exception that was redriven, not another.
        """
        now = rfc3339(self._clock.now())
        again = {
            "count": exceptions.c.count + 1,
            "last_at": now,
            "state": ExceptionState.OPEN,
            "closed_at": "",
        }
        cause = {"cause": record.cause, "pattern": cause_pattern(record.cause)}
        if record.ref:
            redriven = exceptions.c.redrive_ref == record.ref
            changes = again | cause | {"owner": record.owner}
            if connection.execute(update(exceptions).where(redriven).values(changes)).rowcount:
                return
        kept = _kept(record) | cause | {"ref": record.ref}
        which = "" if record.kind in REPEATED else record.ref
        if record.kind in REPEATED:
            its_own = exceptions.c.corrected == kept["payload"]
            again |= {
                "corrected": case((its_own, exceptions.c.corrected), else_=b""),
                "revision": case((its_own, exceptions.c.revision), else_=0),
            }
        row: dict[str, Any] = {
            "exception_id": business_key(record.kind, record.plant, record.source, record.cause, which),
            "kind": record.kind,
            "plant": record.plant,
            "source": record.source,
            "owner": record.owner,
            "correlation_id": record.correlation_id,
            "state": ExceptionState.OPEN,
            "first_at": now,
            "last_at": now,
        }
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(
            insert(exceptions)
            .values(**row, **kept)
            .on_conflict_do_update(index_elements=["exception_id"], set_=again | kept)
        )


def _kept(record: ExceptionRecord) -> dict[str, Any]:
    """A payload that is too long is cut, and with what it came in goes the way to redrive it."""
    whole = len(record.payload) <= _MOST_PAYLOAD
    event = msgspec.structs.replace(record.event, data=b"") if record.event is not None else None
    envelope = Envelope(event=event if whole else None, topic=record.topic if whole else "")
    return {
        "payload": record.payload[:_MOST_PAYLOAD],
        "envelope": msgspec.json.encode(envelope).decode() if envelope != Envelope() else "",
    }
