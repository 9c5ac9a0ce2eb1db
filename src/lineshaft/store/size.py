"""How much room the database takes."""

from __future__ import annotations

from sqlalchemy import Connection, text

from lineshaft.store.engine import Store

__all__ = ["database_bytes"]

_SQLITE = text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
_POSTGRESQL = text("SELECT pg_database_size(current_database())")


async def database_bytes(store: Store) -> int:
    """Without SQLite's log of what is not in the file yet."""
    asked = _POSTGRESQL if store.dialect == "postgresql" else _SQLITE

    def question(connection: Connection) -> int:
        return int(connection.execute(asked).scalar_one())

    return await store.read(question)
