"""Run by alembic; `store.migrate` hands the connection over."""

from __future__ import annotations

from alembic import context

from lineshaft.store.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
