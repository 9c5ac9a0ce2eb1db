"""Small pieces of SQL that several parts of the ledger share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["insert_new", "note_business_keys"]


def insert_new(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> int:
    """Insert the rows that are not there yet; returns how many were new."""
    if not rows:
        return 0
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return connection.execute(insert(table).on_conflict_do_nothing(), rows).rowcount


def note_business_keys(
    connection: Connection, table: Table, kind: str, ref: str, keys: Iterable[tuple[str, str]]
) -> None:
    distinct = {key: field for field, key in keys}
    insert_new(
        connection,
        table,
        [{"key": key, "kind": kind, "ref": ref, "field": field} for key, field in distinct.items()],
    )
