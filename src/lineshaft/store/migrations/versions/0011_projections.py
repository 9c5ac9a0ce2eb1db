"""Projections for consumer APIs; the sequence of an event in its source"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", _text("sequence"))
    op.create_table(
        "order_status",
        _key("id"),
        _key("plant", 100),
        _text("state"),
        _text("at"),
        _doc(),
        sa.PrimaryKeyConstraint("id", "plant"),
    )
    op.create_index("ix_order_status_plant", "order_status", ["plant", "id"])
    op.create_index("ix_order_status_state", "order_status", ["state", "plant", "id"])
    op.create_table(
        "asset_status",
        _key("id"),
        _key("plant", 100),
        _text("at"),
        _doc(),
        sa.PrimaryKeyConstraint("id", "plant"),
    )
    op.create_table(
        "asset_events",
        _key("asset_id"),
        _key("at", 40),
        _key("event_id"),
        *[_text(name) for name in ("plant", "type", "source", "correlation_id", "data")],
        sa.PrimaryKeyConstraint("asset_id", "at", "event_id"),
    )
    op.create_index("ix_asset_events_at", "asset_events", ["at"])
    op.create_table(
        "stock_levels",
        _key("material_definition_id"),
        _key("site"),
        _key("plant", 100),
        _text("at"),
        _doc(),
        sa.PrimaryKeyConstraint("material_definition_id", "site", "plant"),
    )
    op.create_index("ix_stock_levels_plant", "stock_levels", ["plant", "material_definition_id", "site"])
    op.create_index("ix_stock_levels_site", "stock_levels", ["site", "plant", "material_definition_id"])
    op.create_table(
        "quality_lots",
        _key("id"),
        _key("plant", 100),
        _text("state"),
        _text("at"),
        _doc(),
        sa.PrimaryKeyConstraint("id", "plant"),
    )
    op.create_table(
        "quality_outcomes",
        _key("id"),
        _key("kind", 20),
        _key("plant", 100),
        _text("state"),
        _text("material_lot_id"),
        _text("at"),
        _doc(),
        sa.PrimaryKeyConstraint("id", "kind", "plant"),
    )
    by_id = ["plant", "id", "kind"]
    op.create_index("ix_quality_outcomes_plant", "quality_outcomes", by_id)
    op.create_index("ix_quality_outcomes_state", "quality_outcomes", ["state", *by_id])
    op.create_index("ix_quality_outcomes_lot", "quality_outcomes", ["material_lot_id", *by_id])
    op.create_table(
        "projection_parts",
        _key("part_id", 36),
        sa.Column("doc", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("part_id"),
    )
    op.create_table(
        "projection_marks",
        _key("name", 20),
        _text("up_to"),
        _text("replay_from"),
        sa.Column("applied", sa.BigInteger(), server_default="0", nullable=False),
        _text("applied_at"),
        sa.PrimaryKeyConstraint("name"),
    )


def _key(name: str, length: int = 200) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _doc() -> sa.Column[bytes]:
    return sa.Column("doc", sa.LargeBinary(), server_default="", nullable=False)
