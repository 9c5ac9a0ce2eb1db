"""The token of a claim; waits found by the event that ended them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("claimed_by", sa.Text(), server_default="", nullable=False))
    op.create_index("ix_waits_event", "process_waits", ["event_id"], unique=False)
