"""Whose business a row of the audit is: that of the plant whose call, process or exception it is about.

What is of no plant (contracts, systems, accounts) is everybody's who may read the audit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from lineshaft.ledger.trace_search import Plants
from lineshaft.store.process_documents import unpacked
from lineshaft.store.schema import archived_processes, calls, exceptions, processes
from lineshaft.store.statements import rows_at

__all__ = ["own_rows"]

_TABLES = {
    "call": (calls, "call_id"),
    "process": (processes, "process_id"),
    "exception": (exceptions, "exception_id"),
}


def own_rows(connection: Connection, rows: Sequence[dict[str, Any]], plants: Plants) -> list[dict[str, Any]]:
    """Those that are not of another plant's; None: all. What is gone from the ledger is nobody's any more."""
    if plants is None:
        return list(rows)
    own: set[tuple[str, str]] = set()
    kinds = [_kind(row) for row in rows]
    ended: set[str] = set()
    for kind, (table, key) in _TABLES.items():
        about = {row["subject"] for row, its in zip(rows, kinds, strict=True) if its == kind}
        found = rows_at(connection, table, [{key: each} for each in about], columns=(key, "plant"))
        own |= {(kind, subject) for subject, plant in found if plant in plants}
        if kind == "process":
            ended = about - {subject for subject, _ in found}
    keys = [{"process_id": each} for each in ended]
    for subject, document in rows_at(
        connection, archived_processes, keys, columns=("process_id", "document")
    ):
        if unpacked(document).process["plant"] in plants:
            own.add(("process", subject))
    return [
        row
        for row, kind in zip(rows, kinds, strict=True)
        if kind not in _TABLES or (kind, row["subject"]) in own
    ]


def _kind(row: dict[str, Any]) -> str:
    return str(row["action"]).partition(".")[0]
