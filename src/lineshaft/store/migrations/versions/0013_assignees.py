"""Who looks after an exception, and what it is grouped by"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lineshaft.core.causes import cause_pattern

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_GROUPS = ("state", "owner", "pattern", "kind", "assignee")
_COUNTED = ("last_at", "exception_id", "plant", "count", "first_at")


def upgrade() -> None:
    for name in ("assignee", "pattern"):
        op.add_column("exceptions", sa.Column(name, sa.Text(), server_default="", nullable=False))
    _find_patterns()
    op.drop_index("ix_exceptions_open", "exceptions")
    op.create_index("ix_exceptions_open", "exceptions", ["state", "last_at", "exception_id"])
    op.create_index("ix_exceptions_groups", "exceptions", [*_GROUPS, *_COUNTED])


def _find_patterns() -> None:
    rows = sa.table("exceptions", sa.column("exception_id"), sa.column("cause"), sa.column("pattern"))
    connection = op.get_bind()
    found = [
        {"its_id": row.exception_id, "its_pattern": cause_pattern(row.cause)}
        for row in connection.execute(sa.select(rows.c.exception_id, rows.c.cause))
    ]
    if found:
        one = sa.update(rows).where(rows.c.exception_id == sa.bindparam("its_id"))
        connection.execute(one.values(pattern=sa.bindparam("its_pattern")), found)
