"""Rollups of what happened, and indexes for pages"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_LATENCIES = 19


def upgrade() -> None:
    numbers = ("count", "late", *(f"latency_{number}" for number in range(_LATENCIES)))
    key = ("span", "plant", "domain", "subject", "at", "kind", "outcome")
    op.create_table(
        "activity",
        sa.Column("span", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("plant", sa.String(length=100), nullable=False),
        sa.Column("domain", sa.String(length=100), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in numbers),
        sa.PrimaryKeyConstraint(*key),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_activity_at", "activity", ["span", "at"])
    _partial("ix_activity_late", "activity", ["span", "at"], "late > 0")
    op.create_table(
        "activity_marks",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    unsettled = "state IN ('sending', 'failed', 'unknown')"
    _partial("ix_calls_unsettled", "calls", ["plant", "operation", "state", "created_at"], unsettled)
    _partial("ix_calls_finished", "calls", ["finished_at"], "finished_at <> ''")
    columns = ["plant", "type", "state", "updated_at", "finished_at"]
    _partial("ix_processes_open", "processes", columns, "finished_at = ''")
    _partial("ix_processes_finished", "processes", ["finished_at"], "finished_at <> ''")
    op.create_index("ix_events_type", "events", ["type", "time", "plant"])
    op.create_index("ix_processes_state", "processes", ["state", "started_at", "process_id", "type", "plant"])
    op.create_index("ix_processes_plant", "processes", ["plant", "started_at"])
    beginnings = {"business_key": "text_pattern_ops"}
    op.create_index("ix_processes_key", "processes", ["business_key"], postgresql_ops=beginnings)
    op.create_index("ix_archived_key", "archived_processes", ["business_key"], postgresql_ops=beginnings)
    op.create_index("ix_audit_action", "audit", ["action", "at"])
    op.create_index("ix_audit_actor", "audit", ["actor", "action", "at"])
    _partial("ix_exceptions_closed", "exceptions", ["closed_at"], "closed_at <> ''")
    _partial("ix_steps_open", "process_steps", ["name"], "state IN ('waiting', 'retrying', 'reopened')")
    _partial("ix_waits_open", "process_waits", ["key"], "event_id = ''")
    _partial("ix_exceptions_desks", "exceptions", ["plant", "owner", "first_at", "state"], "state = 'open'")


def _partial(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
