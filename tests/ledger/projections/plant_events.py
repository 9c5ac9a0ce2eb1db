"""Events of a small plant, for projections."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from lineshaft.contracts.catalogue import EVENTS
from lineshaft.contracts.examples import example
from lineshaft.core.ids import business_key
from lineshaft.core.values import Event
from lineshaft.ledger import EventLog
from lineshaft.ledger.projections import ProjectionReads, Projections
from lineshaft.ledger.projections.declared import LAYOUTS, facts_of, is_projected
from lineshaft.ledger.projections.folding import Row, RowKey, State, fold, row_doc
from lineshaft.ledger.projections.told import Told
from lineshaft.store import Store
from lineshaft.store.schema import asset_events, projection_parts
from tests.clocks import ManualClock
from tests.rows import rows

__all__ = ["AT", "PROJECTED", "Plant", "docs", "folded", "pieces", "told"]

AT = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
PROJECTED = sorted(kind for kind, contract in EVENTS.items() if is_projected(contract))


def told(
    kind: str,
    at_s: float = 0.0,
    *,
    event_id: str = "",
    plant: str = "leipzig",
    source: str = "/northspring/leipzig/erp/1",
    sequence: str = "",
    **changes: Any,
) -> Event:
    """An example of the type with some fields changed; None leaves one out."""
    contract = EVENTS[f"{kind}.v1"]
    document = {name: value for name, value in (example(contract) | changes).items() if value is not None}
    data = contract.schema.convert(document)
    time = AT + timedelta(seconds=at_s)
    made = contract.make(
        data, plant=plant, source=source, identity=(repr(sorted(document.items())), str(at_s)), time=time
    )
    # the payload as it was given: a value type may add what was left out
    return msgspec.structs.replace(
        made,
        id=business_key("test", event_id) if event_id else made.id,
        sequence=sequence,
        data=msgspec.json.encode(document),
    )


def folded(events: list[Event]) -> dict[RowKey, Row]:
    state = State()
    for event in events:
        fold(state, facts_of(Told(event)))
    return state.rows


def docs(rows: dict[RowKey, Row]) -> dict[RowKey, bytes]:
    return {key: row_doc(row) for key, row in rows.items()}


def pieces(value: str) -> dict[str, str]:
    return {"value": value, "unit": "C62"}


class Plant:
    """A store with its event log and projections."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = ManualClock(AT + timedelta(minutes=10))
        self.log = EventLog(store, EVENTS, self.clock)
        self.projections = Projections(store, EVENTS, self.clock)
        self.reads = ProjectionReads(store, self.clock)

    async def hears(self, *events: Event) -> None:
        await self.log.record(events)
        await self.projections.apply(events)

    async def everything(self) -> dict[str, list[dict[str, Any]]]:
        tables = [*(layout.table for layout in LAYOUTS.values()), asset_events, projection_parts]
        return {table.name: await rows(self.store, table) for table in tables}
