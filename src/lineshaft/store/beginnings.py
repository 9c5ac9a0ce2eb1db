"""Rows found by how a text of theirs begins."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, and_

__all__ = ["begins"]


def begins(connection: Connection, column: Any, text: str) -> ColumnElement[bool]:
    """That a column begins with this text, in the way in which the database uses its index."""
    if connection.dialect.name == "sqlite":
        return and_(column >= text, column < f"{text}\U0010ffff")
    found: ColumnElement[bool] = column.startswith(text, autoescape=True)
    return found
