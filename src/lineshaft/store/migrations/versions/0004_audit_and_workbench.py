"""Audit chains; corrections and redrives of exceptions; marks of retention"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("chain", sa.String(length=100), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.Text(), server_default="", nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("action", sa.Text(), server_default="", nullable=False),
        sa.Column("subject", sa.String(length=200), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("prev_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("hash", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("chain", "seq"),
    )
    op.create_index("ix_audit_entry", "audit", ["entry_id"], unique=True)
    op.create_index("ix_audit_subject", "audit", ["subject"], unique=False)
    op.create_table(
        "audit_heads",
        sa.Column("chain", sa.String(length=100), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("chain"),
    )
    op.create_table(
        "retention_marks",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("up_to", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    for name in ("envelope", "redrive_ref", "closed_at"):
        op.add_column("exceptions", sa.Column(name, sa.Text(), server_default="", nullable=False))
    op.add_column("exceptions", sa.Column("corrected", sa.LargeBinary(), server_default="", nullable=False))
    for name in ("revision", "redrives"):
        op.add_column("exceptions", sa.Column(name, sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_exceptions_correlation", "exceptions", ["correlation_id"], unique=False)
    redriven = sa.text("redrive_ref <> ''")
    op.create_index(
        "ix_exceptions_redrive",
        "exceptions",
        ["redrive_ref"],
        unique=False,
        sqlite_where=redriven,
        postgresql_where=redriven,
    )
