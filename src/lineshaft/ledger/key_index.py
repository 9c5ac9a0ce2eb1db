"""How events and calls are noted in the index of business keys."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Table

from lineshaft.store.statements import insert_new

__all__ = ["note_business_keys"]

_LONGEST_KEY = 200


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
