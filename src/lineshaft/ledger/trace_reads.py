"""What the trace is asked for: stories, keys, where one could begin, and single calls."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from lineshaft.ledger.registry.contract_rows import live_versions
from lineshaft.ledger.trace import trace
from lineshaft.ledger.trace_search import Plants, keys_like, of_plants
from lineshaft.store import Store
from lineshaft.store.rows import plain
from lineshaft.store.schema import calls, processes

__all__ = ["TraceReads"]

_NEWEST = ("process_id", "type", "business_key", "state", "started_at")
_CALL = ("call_id", "operation", "system", "plant", "idempotency_key", "request")


class TraceReads:
    """Implements console.screens.trace.TraceReads. plants: whose rows; None: those of every plant."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def trace(self, key: str, plants: Plants) -> dict[str, Any]:
        return await self._store.read(lambda connection: trace(connection, key, plants))

    async def keys_like(self, begins: str, plants: Plants) -> list[str]:
        return await self._store.read(lambda connection: keys_like(connection, begins, plants))

    async def newest(self, plants: Plants, limit: int) -> list[dict[str, Any]]:
        """The processes that began last."""
        asked = (
            select(*(processes.c[name] for name in _NEWEST))
            .where(of_plants(processes.c.plant, plants))
            .order_by(processes.c.started_at.desc())
            .limit(limit)
        )
        return await self._store.read(lambda connection: [plain(row) for row in connection.execute(asked)])

    async def versions(self) -> dict[str, str]:
        return await self._store.read(live_versions)

    async def call(self, call_id: str, plants: Plants) -> dict[str, Any] | None:
        """With its request as it was kept, empty once its time is over."""

        def ask(connection: Connection) -> dict[str, Any] | None:
            asked = select(*(calls.c[name] for name in _CALL)).where(
                calls.c.call_id == call_id, of_plants(calls.c.plant, plants)
            )
            row = connection.execute(asked).first()
            return plain(row) if row else None

        return await self._store.read(ask)
