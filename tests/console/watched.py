"""What a database is asked: each statement, how it is planned, and how many steps it takes."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import event

from lineshaft.store import Store

__all__ = ["Asked", "Watch", "full_scans"]

_STEPS = 1000
_PARTIAL = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'"
_LATER_NAME = re.compile(r"_\d+$")  # of a table that a statement names more than once


class Asked(msgspec.Struct, frozen=True):
    """parameters: by place, or by name"""

    statement: str
    parameters: Any


class Watch:
    """Of an open store. asked: what was asked since `during` began; steps: of SQLite's virtual machine."""

    def __init__(self, store: Store) -> None:
        self.asked: list[Asked] = []
        self.steps = 0
        self._lock = threading.Lock()
        engine = store._engine
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", self._connected)
        event.listen(engine, "before_cursor_execute", self._noted)
        engine.dispose()  # connections from before count nothing

    @contextmanager
    def during(self) -> Iterator[None]:
        self.asked.clear()
        self.steps = 0
        yield

    def _connected(self, connection: Any, _: Any) -> None:
        connection.set_progress_handler(self._more, _STEPS)

    def _more(self) -> int:
        with self._lock:
            self.steps += _STEPS
        return 0

    def _noted(self, _: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if isinstance(parameters, tuple | dict):
            self.asked.append(Asked(statement, parameters))


def full_scans(file: Path, asked: Asked, tables: frozenset[str]) -> list[str]:
    """Lines of the plan that walk through a whole table, or through an index without an end in sight.

    A partial index may be walked through: it holds what is open, not all that ever was.
    """
    connection = sqlite3.connect(file)
    try:
        partial = {name for (name,) in connection.execute(_PARTIAL)}
        plan = connection.execute(f"EXPLAIN QUERY PLAN {asked.statement}", asked.parameters).fetchall()
    finally:
        connection.close()
    has_end = "LIMIT" in asked.statement
    found = []
    for *_, line in plan:
        words = line.split()
        if words[0] == "SCAN" and _table(words[1], asked.statement) in tables:
            index = words[words.index("INDEX") + 1] if "INDEX" in words else ""
            if not (index and has_end) and index not in partial:
                found.append(line)
    return found


def _table(name: str, statement: str) -> str:
    """The table behind a name that a statement gives it."""
    as_name = re.search(rf"(\w+) AS {re.escape(name)}\b", statement)
    return as_name.group(1) if as_name else _LATER_NAME.sub("", name)
