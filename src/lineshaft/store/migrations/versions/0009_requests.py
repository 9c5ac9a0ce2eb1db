"""Requests over HTTP, their claims and quotas"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "request_claims",
        sa.Column("claim_id", sa.String(length=36), nullable=False),
        *_texts("scope", "caller", "key", "fingerprint", "state"),
        sa.Column("status", sa.Integer(), server_default="0", nullable=False),
        *_texts("headers"),
        sa.Column("body", sa.LargeBinary(), server_default="", nullable=False),
        *_texts("claimed_by", "created_at", "finished_at"),
        sa.PrimaryKeyConstraint("claim_id"),
    )
    op.create_index("ix_request_claims_created", "request_claims", ["created_at"])
    op.create_table(
        "api_requests",
        sa.Column("request_id", sa.String(length=36), nullable=False),
        *_texts("at", "caller", "account", "method", "route", "path", "plant"),
        sa.Column("status", sa.Integer(), nullable=False),
        *_texts("code"),
        sa.Column("duration_ms", sa.Float(), nullable=False),
        *_texts("correlation_id", "ref"),
        sa.PrimaryKeyConstraint("request_id"),
    )
    op.create_index("ix_api_requests_at", "api_requests", ["at"])
    op.create_index("ix_api_requests_correlation", "api_requests", ["correlation_id"])
    op.create_table(
        "quota_use",
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("worker", sa.String(length=100), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "day", "worker"),
    )


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), server_default="", nullable=False) for name in names]
