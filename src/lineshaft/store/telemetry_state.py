"""Small named values that telemetry saves, so that a restart goes on where it was."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, delete, func, select

from lineshaft.store.engine import Store
from lineshaft.store.schema import telemetry_state
from lineshaft.store.statements import put

__all__ = ["TelemetryState"]


class TelemetryState:
    """owner   the plant: several plants may keep theirs in one database, and each sees only its own"""

    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._prefix = f"{owner}/"

    async def load(self) -> dict[str, bytes]:
        size, name = len(self._prefix), telemetry_state.c.name
        ours = func.substr(name, 1, size) == self._prefix  # exact, unlike LIKE, which SQLite does in any case

        def question(connection: Connection) -> dict[str, bytes]:
            rows = connection.execute(select(name, telemetry_state.c.value).where(ours))
            return {key[size:]: bytes(value) for key, value in rows}

        return await self._store.read(question)

    async def save(self, changed: Mapping[str, bytes], gone: Collection[str]) -> None:
        """All in one transaction, durable when it returns."""
        rows = [{"name": self._prefix + name, "value": value} for name, value in changed.items()]
        leaving = [self._prefix + name for name in gone]

        def unit(connection: Connection) -> None:
            put(connection, telemetry_state, rows)
            if leaving:
                connection.execute(delete(telemetry_state).where(telemetry_state.c.name.in_(leaving)))

        await self._store.write(unit)
