"""Every operational and transactional event, kept with its business keys for `trace` and the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from lineshaft.contracts.event import EventContract
from lineshaft.contracts.schema import business_keys as keys_of
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.errors import ContractViolation
from lineshaft.core.values import Event
from lineshaft.ledger.key_index import key_rows
from lineshaft.store import Store
from lineshaft.store.schema import business_keys, events
from lineshaft.store.statements import insert_new

__all__ = ["EventLog", "keys_in"]


class EventLog:
    def __init__(self, store: Store, contracts: Mapping[str, EventContract[Any]], clock: Clock) -> None:
        self._store = store
        self._contracts = contracts
        self._clock = clock

    async def record(self, batch: Sequence[Event]) -> None:
        """Durable when it returns. An event seen before changes nothing."""
        recorded_at = rfc3339(self._clock.now())
        rows = [self._row(event, recorded_at) for event in batch]
        keys = key_rows(
            "event",
            [
                (event.id, keys_in(self._contracts.get(event.type), event.subject, event.data))
                for event in batch
            ],
        )

        def unit(connection: Connection) -> None:
            insert_new(connection, events, rows)
            insert_new(connection, business_keys, keys)

        await self._store.write(unit)

    @staticmethod
    def _row(event: Event, recorded_at: str) -> dict[str, str]:
        return {
            "event_id": event.id,
            "type": event.type,
            "eventclass": event.eventclass,
            "source": event.source,
            "subject": _as_kept(event.subject),
            "plant": event.plant,
            "time": rfc3339(event.time),
            "sequence": event.sequence,
            "recorded_at": recorded_at,
            "correlation_id": event.correlationid,
            "causation_id": event.causationid,
            "traceparent": event.traceparent,
            "data": _as_kept(event.data.decode(errors="replace")),
        }


def _as_kept(text: str) -> str:
    """PostgreSQL has no text with NUL in it."""
    return text.replace("\0", "\ufffd")


def keys_in(contract: EventContract[Any] | None, subject: str, data: bytes) -> list[tuple[str, str]]:
    """(field, key) of all that an event mentions; only its subject where its payload cannot be read."""
    if contract is None:
        return [("subject", subject)]
    try:
        return [("subject", subject), *keys_of(contract.schema.decode(data))]
    except ContractViolation:  # reported by the consumer that needs the payload
        return [("subject", subject)]
