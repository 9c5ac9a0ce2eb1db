"""What became of a call, for who asked for it over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from lineshaft.store import Store
from lineshaft.store.rows import plain
from lineshaft.store.schema import calls

__all__ = ["call_row"]

_TOLD = (
    "call_id",
    "operation",
    "system",
    "plant",
    "state",
    "document",
    "attempts",
    "error_code",
    "error",
    "owner",
    "created_at",
    "finished_at",
)


async def call_row(store: Store, call_id: str) -> dict[str, Any] | None:
    """Its row without request and reply, which are the business of who sees the trace."""

    def ask(connection: Connection) -> dict[str, Any] | None:
        asked = select(*(calls.c[name] for name in _TOLD)).where(calls.c.call_id == call_id)
        row = connection.execute(asked).one_or_none()
        return plain(row) if row else None

    return await store.read(ask)
