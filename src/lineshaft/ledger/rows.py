"""Small pieces of SQL that several parts of the ledger share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["insert_new", "inserted", "note_business_keys"]

_LONGEST_KEY = 200


def insert_new(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert the rows that are not there yet."""
    if rows:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(insert(table).on_conflict_do_nothing(), rows)


def inserted(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert one row; False when it is there already. Told by RETURNING: a driver may not count inserts."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    told = insert(table).values(**row).on_conflict_do_nothing().returning(*table.primary_key)
    return connection.execute(told).first() is not None


def note_business_keys(
    connection: Connection, table: Table, kind: str, ref: str, keys: Iterable[tuple[str, str]]
) -> None:
    """Keys are cut at what a row holds, and an empty one is none."""
    distinct = {key[:_LONGEST_KEY]: field for field, key in keys if key}
    insert_new(
        connection,
        table,
        [{"key": key, "kind": kind, "ref": ref, "field": field} for key, field in distinct.items()],
    )
