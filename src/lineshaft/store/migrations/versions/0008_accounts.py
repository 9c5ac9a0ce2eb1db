"""Accounts, keys and sessions"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), server_default="", nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "credentials",
        sa.Column("credential_id", sa.String(length=100), nullable=False),
        *_texts("kind"),
        sa.Column("account", sa.String(length=100), nullable=False),
        *_texts("hash", "title", "created_at", "created_by", "expires_at", "revoked_at", "last_used_at"),
        sa.PrimaryKeyConstraint("credential_id"),
    )
    op.create_index("ix_credentials_account", "credentials", ["account"])
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.String(length=64), nullable=False),
        *_texts("name", "account", "issuer", "roles", "plants", "address"),
        *_texts("created_at", "seen_at", "ends_at", "ended_at"),
        sa.PrimaryKeyConstraint("session_id"),
    )
    op.create_index("ix_sessions_ends", "sessions", ["ends_at"])
    op.create_table(
        "access_changes",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
