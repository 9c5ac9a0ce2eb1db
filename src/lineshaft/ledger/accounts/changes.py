"""The number that tells every process that what it remembers of credentials and sessions is old."""

from __future__ import annotations

from sqlalchemy import Connection, select, text

from lineshaft.store.schema import access_changes

__all__ = ["changed", "changes"]

_CHANGED = text(
    "INSERT INTO access_changes (name, number) VALUES ('access', 1) "
    "ON CONFLICT (name) DO UPDATE SET number = access_changes.number + 1"
)


def changed(connection: Connection) -> None:
    """In the unit of work that makes, revokes or ends something."""
    connection.execute(_CHANGED)


def changes(connection: Connection) -> int:
    return connection.execute(select(access_changes.c.number)).scalar() or 0
