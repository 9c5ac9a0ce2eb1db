"""Systems that a person paused"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "system_pauses",
        sa.Column("system", sa.String(length=100), nullable=False),
        *(
            sa.Column(name, sa.Text(), server_default="", nullable=False)
            for name in ("until", "reason", "actor", "at")
        ),
        sa.PrimaryKeyConstraint("system"),
    )
