"""Statements over many rows, built once: each is one statement, however many rows it carries.

That matters twice: building a statement costs several times what the database takes to run it, and a driver
gives up Python's lock at each one, which a busy event loop is slow to hand back.

Rows are dicts, all with the same columns. SQLite takes them as one list of VALUES, PostgreSQL as one JSON
document.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Connection, CursorResult, Float, Integer, LargeBinary, Table

__all__ = ["change", "insert_all", "insert_new", "inserted", "present", "put", "rows_at"]

Row = dict[str, Any]
_FEW = 16
_MOST_PARAMETERS = 8_000  # SQLite takes 32,766
_RECORD_TYPES = {Integer: "integer", BigInteger: "bigint", Float: "double precision"}


def insert_all(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows; one whose key is there already fails the unit of work."""
    for _ in _run(connection, _insert_all, table, rows):
        pass


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows that are not there yet."""
    for _ in _run(connection, _insert_new, table, rows):
        pass


def inserted(connection: Connection, table: Table, rows: Sequence[Row]) -> set[str]:
    """Insert the rows that are not there yet; their primary keys. Of a table with one key column."""
    return {key for result in _run(connection, _inserted, table, rows) for (key,) in result}


def put(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, or write their columns over those of the same primary key. No key may occur twice."""
    for _ in _run(connection, _put, table, rows):
        pass


def change(connection: Connection, table: Table, rows: Sequence[Row], *, only: str = "") -> set[str]:
    """Write columns over the rows with these primary keys, where `only` (SQL) holds; the keys found.

    Of a table with one key column. What a row has beside the columns of the table is there for `only`;
    there, what is to be written has the prefix `new_`.
    """
    return {key for result in _run(connection, _change, table, rows, only) for (key,) in result}


def present(
    connection: Connection, column: Column[str], keys: Collection[str], *, only: str = "true"
) -> set[str]:
    """Those of these keys that the column holds in rows where `only` (SQL) is true."""
    if not keys:
        return set()
    if connection.dialect.name == "postgresql":
        found = connection.exec_driver_sql(_present(column, only, "= ANY(%s)"), (list(keys),))
    else:
        document = msgspec.json.encode(list(keys)).decode()
        found = connection.exec_driver_sql(
            _present(column, only, "IN (SELECT value FROM json_each(?))"), (document,)
        )
    return set(found.scalars())


@cache
def _present(column: Column[str], only: str, among: str) -> str:
    name = f'"{column.name}"'
    return f'SELECT {name} FROM "{column.table.name}" WHERE {only} AND {name} {among}'  # noqa: S608


def rows_at(
    connection: Connection, table: Table, keys: Sequence[Row], *, columns: Sequence[str] = ()
) -> list[Any]:
    """The rows with these keys, in any order; all their columns, or these."""
    wanted = _names(columns or [column.name for column in table.c])
    return [row for result in _run(connection, _rows_at, table, keys, wanted) for row in result]


def _run(
    connection: Connection, build: Any, table: Table, rows: Sequence[Row], *more: str
) -> Iterator[CursorResult[Any]]:
    if not rows:
        return
    columns = tuple(rows[0])
    if connection.dialect.name == "postgresql":
        statement = build(table, columns, _records(table, columns), *more)
        yield connection.exec_driver_sql(statement, (msgspec.json.encode(rows).decode(),))
        return
    start = 0
    for size in _sizes(len(rows), max(1, _MOST_PARAMETERS // len(columns))):
        some = rows[start : start + size]
        start += size
        statement = build(table, columns, _values(len(columns), len(some)), *more)
        yield connection.exec_driver_sql(statement, tuple(row[name] for row in some for name in columns))


def _sizes(rows: int, most: int) -> Iterator[int]:
    """Powers of two, then the few that are left: the driver keeps a prepared statement of each size."""
    while rows:
        size = rows if rows < _FEW else min(most, 1 << (rows.bit_length() - 1))
        yield size
        rows -= size


@cache
def _records(table: Table, columns: tuple[str, ...]) -> str:
    """PostgreSQL: the rows out of one JSON document."""
    kinds = [table.c[name].type if name in table.c else None for name in columns]
    types = ", ".join(
        f'"{name}" {_RECORD_TYPES.get(type(kind), "text")}' for name, kind in zip(columns, kinds, strict=True)
    )
    values = ", ".join(
        f"decode(\"{name}\", 'base64')" if isinstance(kind, LargeBinary) else f'"{name}"'
        for name, kind in zip(columns, kinds, strict=True)
    )
    return f"SELECT {values} FROM json_to_recordset(%s::json) AS given({types})"  # noqa: S608


@cache
def _values(columns: int, rows: int) -> str:
    one = f"({','.join('?' * columns)})"
    return "VALUES " + ",".join([one] * rows)


@cache
def _insert_all(table: Table, columns: tuple[str, ...], rows: str) -> str:
    return f"{_into(table, columns)} {rows}"


@cache
def _insert_new(table: Table, columns: tuple[str, ...], rows: str) -> str:
    return f"{_into(table, columns)} {rows} ON CONFLICT DO NOTHING"


@cache
def _inserted(table: Table, columns: tuple[str, ...], rows: str) -> str:
    (key,) = table.primary_key
    return f'{_insert_new(table, columns, rows)} RETURNING "{key.name}"'


@cache
def _put(table: Table, columns: tuple[str, ...], rows: str) -> str:
    keys = [column.name for column in table.primary_key]
    changed = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in keys)
    return f"{_into(table, columns)} {rows} ON CONFLICT ({_names(keys)}) DO UPDATE SET {changed}"


@cache
def _rows_at(table: Table, columns: tuple[str, ...], rows: str, wanted: str) -> str:
    given = f"({_named(columns, rows)}) AS given"
    return f'SELECT {wanted} FROM {given} JOIN "{table.name}" USING ({_names(columns)})'  # noqa: S608


@cache
def _change(table: Table, columns: tuple[str, ...], rows: str, only: str) -> str:
    (key,) = table.primary_key
    rows = _named([f"new_{name}" if name in table.c else name for name in columns], rows)
    changed = ", ".join(
        f'"{name}" = "new_{name}"' for name in columns if name in table.c and name != key.name
    )
    condition = f" AND {only}" if only else ""
    return (
        f'UPDATE "{table.name}" SET {changed} FROM ({rows}) AS given'  # noqa: S608
        f' WHERE "{key.name}" = "new_{key.name}"{condition} RETURNING "{key.name}"'
    )


def _named(columns: Sequence[str], rows: str) -> str:
    """The rows with names for their columns; SQLite names those of a bare list by their numbers."""
    if rows.startswith("SELECT"):
        return f"SELECT * FROM ({rows}) AS rows({_names(columns)})"  # noqa: S608
    named = ", ".join(f'column{number} AS "{name}"' for number, name in enumerate(columns, 1))
    return f"SELECT {named} FROM ({rows})"  # noqa: S608


def _into(table: Table, columns: Sequence[str]) -> str:
    return f'INSERT INTO "{table.name}" ({_names(columns)})'


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
