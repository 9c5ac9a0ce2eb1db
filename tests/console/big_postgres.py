"""The big database in PostgreSQL, copied from the SQLite file, and what a question costs there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from lineshaft.store.schema import METADATA
from tests.console.watched import Asked

__all__ = ["blocks_read", "copy_big", "scans_without_choice"]

_INDEXES = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM pg_index WHERE NOT indisunique AND indrelid::regclass::text = ANY(%s)
"""


def copy_big(file: Path, url: str) -> None:
    """url: of a migrated database without rows. Each index is built once; then it is vacuumed and analysed,
    as a database is after some days."""
    tables = METADATA.sorted_tables
    source = sqlite3.connect(file)
    with psycopg.connect(url, autocommit=True) as target:
        target.execute("SET maintenance_work_mem = '512MB'")
        with target.transaction():
            indexes = target.execute(_INDEXES, [[each.name for each in tables]]).fetchall()
            for name, _ in indexes:
                target.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
            for table in tables:
                names = [column.name for column in table.columns]
                into = sql.SQL("COPY {} ({}) FROM STDIN").format(
                    sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, names))
                )
                with target.cursor().copy(into) as copy:
                    for row in source.execute(f"SELECT {', '.join(names)} FROM {table.name}"):
                        copy.write_row(row)
            for _, statement in indexes:
                target.execute(statement)
        target.execute("VACUUM ANALYZE")
    source.close()


def blocks_read(connection: psycopg.Connection[Any], asked: Asked) -> int:
    """Of 8 kB, from memory or from disk, as the planner chooses the way."""
    plan = _plan(connection, asked, "ANALYZE, BUFFERS, FORMAT JSON")
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def scans_without_choice(
    connection: psycopg.Connection[Any], asked: Asked, tables: frozenset[str]
) -> list[str]:
    """Those of the tables that no index helps with. Of some thousands of rows the planner prefers to read all
    of them, whatever there is; so it is asked what it did if that cost a fortune."""
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = _plan(connection, asked, "FORMAT JSON")
    return [
        node["Relation Name"]
        for node in _nodes(plan)
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in tables
    ]


def _plan(connection: psycopg.Connection[Any], asked: Asked, how: str) -> dict[str, Any]:
    ((found,),) = connection.execute(f"EXPLAIN ({how}) {asked.statement}", asked.parameters)
    plan: dict[str, Any] = found[0]["Plan"]
    return plan


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
