"""Plants: the condition of their machines, the places of their equipment, the workers of their nodes"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_EXECUTE = 6  # of PackML


def upgrade() -> None:
    op.add_column("workers", _text("plant"))
    op.add_column("workers", sa.Column("seen_at", sa.Float, nullable=False, server_default="0"))
    op.add_column("asset_status", _text("condition"))
    op.add_column("asset_status", _key("equipment_id", server_default=""))
    _fill()
    op.create_index(
        "ix_asset_status_plant", "asset_status", ["plant", "condition", "equipment_id", "id", "at"]
    )
    op.create_table(
        "equipment_places",
        _key("id"),
        _key("plant", 100),
        _text("at"),
        sa.Column("doc", sa.LargeBinary, nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("id", "plant"),
    )
    op.create_index("ix_equipment_places_plant", "equipment_places", ["plant", "id"])


def _fill() -> None:
    connection = op.get_bind()
    names = ("id", "plant", "condition", "equipment_id", "doc")
    table = sa.table("asset_status", *(sa.column(name) for name in names))
    for row in connection.execute(sa.select(table)).all():
        doc = json.loads(row.doc)
        found = {
            "condition": _condition(doc),
            "equipment_id": (_latest(doc, "ids") or {}).get("equipment_id", ""),
        }
        here = (table.c.id == row.id) & (table.c.plant == row.plant)
        connection.execute(sa.update(table).where(here).values(**found))


def _condition(doc: dict[str, Any]) -> str:
    kinds = {slot.partition(":")[0] for slot in doc.get("items", {})}
    state = (_latest(doc, "state") or {}).get("state")
    if "downtime" in kinds:
        return "down"
    if "alarm" in kinds:
        return "alarm"
    return "" if not state else "running" if state == _EXECUTE else "standing"


def _latest(doc: dict[str, Any], slot: str) -> Any:
    said = doc.get("registers", {}).get(slot, {}).values()
    return max(said, key=lambda entry: (entry[0][2], entry[0]))[1] if said else None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _key(name: str, length: int = 200, **more: Any) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False, **more)
