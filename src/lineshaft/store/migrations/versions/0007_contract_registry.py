"""Contract versions that are live, and who consumes or produces them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contract_versions",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("version", sa.String(length=20), nullable=False),
        sa.Column("major", sa.Integer(), nullable=False),
        *_texts("kind", "owner", "state", "sunset", "digest", "document"),
        sa.Column("live", sa.Integer(), server_default="0", nullable=False),
        *_texts("at", "actor", "reason"),
        sa.PrimaryKeyConstraint("name", "version"),
    )
    op.create_table(
        "contract_parties",
        sa.Column("party", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("major", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        *_texts("fields", "contact", "origin", "at", "actor"),
        sa.PrimaryKeyConstraint("party", "name", "major", "role"),
    )


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), server_default="", nullable=False) for name in names]
