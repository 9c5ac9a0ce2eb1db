"""Statements that are written often, built once: what changes is in their parameters.

Building a SQLAlchemy statement costs several times what the database takes to run it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, Update, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["insert_new", "inserted", "put", "set_columns"]

_KEY = "key_of_"


def insert_new(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert the rows that are not there yet."""
    if rows:
        connection.execute(_ignoring(table, connection.dialect.name), rows)


def inserted(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert one row; False when it is there already. Told by RETURNING: a driver may not count inserts."""
    return connection.execute(_telling(table, connection.dialect.name), row).first() is not None


def put(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    """Insert a row, or write its columns over the one of the same primary key."""
    connection.execute(_over(table, connection.dialect.name, tuple(row)), row)


def set_columns(connection: Connection, table: Table, key: str, changes: dict[str, Any]) -> None:
    """Change columns of the row with this (single) primary key."""
    (column,) = table.primary_key
    connection.execute(_update(table, tuple(changes)), changes | {_KEY + column.name: key})


def _insert(table: Table, dialect: str) -> Any:
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)


@cache
def _ignoring(table: Table, dialect: str) -> Any:
    return _insert(table, dialect).on_conflict_do_nothing()


@cache
def _telling(table: Table, dialect: str) -> Any:
    return _insert(table, dialect).on_conflict_do_nothing().returning(*table.primary_key)


@cache
def _over(table: Table, dialect: str, columns: tuple[str, ...]) -> Any:
    statement = _insert(table, dialect)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in columns if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


@cache
def _update(table: Table, columns: tuple[str, ...]) -> Update:
    (key,) = table.primary_key
    return (
        update(table)
        .where(key == bindparam(_KEY + key.name))
        .values({name: bindparam(name) for name in columns})
    )
