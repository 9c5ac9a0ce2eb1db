"""How the projections are, for people: rows, how far they are, how far behind."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, func, select

from lineshaft.core.clock import Clock
from lineshaft.ledger.projections.declared import LAYOUTS
from lineshaft.ledger.projections.marks import Lag, Mark, mark_of
from lineshaft.store import Store
from lineshaft.store.schema import asset_events

__all__ = ["ProjectionStatus", "status_of"]


class ProjectionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """rows           by table
    complete_to    events recorded up to then are applied (RFC 3339); empty: none
    behind_events  recorded and not applied, at most 100,000; the first of them is behind_s old
    """

    rows: dict[str, int]
    complete_to: str
    applied: int
    applied_at: str
    rebuilding: bool
    behind_events: int
    behind_s: float


async def status_of(store: Store, clock: Clock) -> ProjectionStatus:
    def question(connection: Connection) -> tuple[Mark, dict[str, int]]:
        tables = [*(layout.table for layout in LAYOUTS.values()), asset_events]
        rows = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables
        }
        return mark_of(connection), rows

    mark, rows = await store.read(question)
    behind = await Lag(store, clock).behind()
    return ProjectionStatus(
        rows=rows,
        complete_to=mark.complete_to,
        applied=mark.applied,
        applied_at=mark.applied_at,
        rebuilding=bool(mark.replay_from),
        behind_events=behind.events,
        behind_s=behind.seconds,
    )
