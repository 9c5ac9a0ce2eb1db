"""Whose business a row of the audit is: that of the plant whose call, process or exception it is about.

What is of no plant (contracts, systems, accounts) is everybody's who may read the audit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from lineshaft.ledger.trace_search import Plants
from lineshaft.store.process_documents import unpacked
from lineshaft.store.schema import archived_processes, calls, exceptions, processes

__all__ = ["own_rows"]

_TABLES = {
    "call": (calls, calls.c.call_id),
    "process": (processes, processes.c.process_id),
    "exception": (exceptions, exceptions.c.exception_id),
}


def own_rows(connection: Connection, rows: Sequence[dict[str, Any]], plants: Plants) -> list[dict[str, Any]]:
    """Those that are not of another plant's; None: all. What is gone from the ledger is nobody's any more."""
    if plants is None:
        return list(rows)
    own: set[tuple[str, str]] = set()
    for kind, (table, key) in _TABLES.items():
        asked = {row["subject"] for row in rows if _kind(row) == kind}
        if asked:
            found = select(key).where(key.in_(asked), table.c.plant.in_(sorted(plants)))
            own |= {(kind, subject) for subject in connection.execute(found).scalars()}
    ended = {row["subject"] for row in rows if _kind(row) == "process"} - {subject for _, subject in own}
    if ended:
        kept = archived_processes.c
        for row in connection.execute(
            select(kept.process_id, kept.document).where(kept.process_id.in_(ended))
        ):
            if unpacked(row.document).process["plant"] in plants:
                own.add(("process", row.process_id))
    return [row for row in rows if _kind(row) not in _TABLES or (_kind(row), row["subject"]) in own]


def _kind(row: dict[str, Any]) -> str:
    return str(row["action"]).partition(".")[0]
