"""What is in a table, as plain dicts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, select

from lineshaft.store import Store

__all__ = ["rows"]


async def rows(store: Store, table: Table) -> list[dict[str, Any]]:
    return await store.read(
        lambda connection: [dict(row._mapping) for row in connection.execute(select(table))]
    )
