"""Workers, what people ask of a process, steps in branches, the archive"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def upgrade() -> None:
    for table in ("process_steps", "process_waits"):
        with op.batch_alter_table(table) as batch:
            batch.alter_column(
                "step",
                existing_type=sa.Integer(),
                type_=sa.String(length=100),
                existing_nullable=False,
                postgresql_using="step::text",
            )
    op.add_column("process_steps", _text("corrected"))
    for name in ("worker", "wanted", "at_step", "parent_id", "forked_from"):
        op.add_column("processes", _text(name))
    wanted, child = sa.text("wanted <> ''"), sa.text("parent_id <> ''")
    op.create_index(
        "ix_processes_wanted", "processes", ["process_id"], sqlite_where=wanted, postgresql_where=wanted
    )
    op.create_index(
        "ix_processes_parent", "processes", ["parent_id"], sqlite_where=child, postgresql_where=child
    )
    op.create_table(
        "process_actions",
        sa.Column("action_id", sa.String(length=36), nullable=False),
        sa.Column("process_id", sa.String(length=36), nullable=False),
        *(_text(name) for name in ("at", "actor", "action", "step", "reason", "detail")),
        sa.PrimaryKeyConstraint("action_id"),
    )
    op.create_index("ix_actions_process", "process_actions", ["process_id"])
    op.create_table(
        "archived_processes",
        sa.Column("process_id", sa.String(length=36), nullable=False),
        _text("type"),
        sa.Column("business_key", sa.String(length=200), nullable=False),
        *(_text(name) for name in ("state", "correlation_id", "finished_at")),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("process_id"),
    )
    op.create_index("ix_archived_correlation", "archived_processes", ["correlation_id"])
    op.create_index("ix_archived_finished", "archived_processes", ["finished_at"])
    op.create_table(
        "workers",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
