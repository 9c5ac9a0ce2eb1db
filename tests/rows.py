"""What is in a table, as plain dicts, in the order of its primary key."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, select

from lineshaft.store import Store

__all__ = ["rows"]


async def rows(store: Store, table: Table) -> list[dict[str, Any]]:
    everything = select(table).order_by(*table.primary_key)
    return await store.read(lambda connection: [dict(row._mapping) for row in connection.execute(everything)])
