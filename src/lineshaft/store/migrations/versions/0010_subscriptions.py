"""Webhook subscriptions and their deliveries"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_UNSENT = sa.text("state <> 'delivered'")


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("subscription_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        *_texts("account", "url", "types", "subject", "plants", "secret", "owner", "state", "cause"),
        *_texts("created_by", "created_at", "held_by"),
        sa.PrimaryKeyConstraint("subscription_id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "deliveries",
        sa.Column("delivery_id", sa.String(length=36), nullable=False),
        sa.Column("subscription_id", sa.String(length=36), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        *_texts("stream"),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        *_texts("order_key", "event", "state"),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.Float(), server_default="0", nullable=False),
        sa.Column("status", sa.Integer(), server_default="0", nullable=False),
        *_texts("error", "created_at", "finished_at"),
        sa.PrimaryKeyConstraint("delivery_id"),
    )
    op.create_index(
        "ix_deliveries_unsent",
        "deliveries",
        ["subscription_id", "order_key", "seq"],
        sqlite_where=_UNSENT,
        postgresql_where=_UNSENT,
    )
    op.create_index("ix_deliveries_created", "deliveries", ["subscription_id", "created_at"])
    op.create_table(
        "delivery_positions",
        sa.Column("stream", sa.String(length=100), nullable=False),
        *_texts("created"),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream"),
    )


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), server_default="", nullable=False) for name in names]
