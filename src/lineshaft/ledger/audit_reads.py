"""The audit's rows as people ask for them, newest first."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, select

from lineshaft.store.schema import audit, audit_heads

__all__ = ["audit_rows"]


def audit_rows(
    connection: Connection, *, actor: str = "", action: str = "", subject: str = "", limit: int = 50
) -> list[dict[str, Any]]:
    """action: one, or all of a thing as `call.*`. `detail` comes as what its JSON says."""
    asked = select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if actor:
        asked = asked.where(audit.c.actor == actor)
    if subject:
        asked = asked.where(audit.c.subject == subject)
    if action.endswith("*"):
        asked = asked.where(audit.c.action.startswith(action[:-1], autoescape=True))
    elif action:
        asked = asked.where(audit.c.action == action)
    found: list[dict[str, Any]] = []
    for chain in connection.execute(select(audit_heads.c.chain)).scalars():
        found += [
            dict(row._mapping) | {"detail": msgspec.json.decode(row.detail)}
            for row in connection.execute(asked.where(audit.c.chain == chain))
        ]
    found.sort(key=lambda row: (row["at"], row["chain"], row["seq"]), reverse=True)
    return found[:limit]
