"""A SQLite file of one simulated system: durable commits, rows as dicts, document numbers from counters."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Database", "Row"]

Row = dict[str, Any]
COUNTERS = "CREATE TABLE IF NOT EXISTS counter (prefix TEXT PRIMARY KEY, last INTEGER NOT NULL)"


class Database:
    """Used from the event loop's thread only; a commit has reached the disk when `transaction` ends."""

    def __init__(self, path: Path, schema: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA foreign_keys=ON")
        self._connection.executescript(f"{COUNTERS};{schema}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; no await may stand inside."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def rows(self, sql: str, *parameters: object) -> list[Row]:
        return [dict(row) for row in self._connection.execute(sql, parameters)]

    def row(self, sql: str, *parameters: object) -> Row | None:
        found = self._connection.execute(sql, parameters).fetchone()
        return None if found is None else dict(found)

    def execute(self, sql: str, *parameters: object) -> int:
        """The number of rows that changed."""
        return self._connection.execute(sql, parameters).rowcount

    def insert(self, table: str, row: Mapping[str, object]) -> None:
        """table and column names come from code, never from a request"""
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        self._connection.execute(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608
            tuple(row.values()),
        )

    def number(self, prefix: str, first: int) -> str:
        """The next document number, e.g. `WR-1001`; call it inside a transaction."""
        (last,) = self._connection.execute(
            "INSERT INTO counter VALUES (?, ?)"
            " ON CONFLICT (prefix) DO UPDATE SET last = last + 1 RETURNING last",
            (prefix, first),
        ).fetchone()
        return f"{prefix}-{last}"

    def close(self) -> None:
        self._connection.close()
