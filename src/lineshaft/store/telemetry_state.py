"""Small named values that telemetry saves, so that a restart goes on where it was."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, delete, select

from lineshaft.store.engine import Store
from lineshaft.store.schema import telemetry_state
from lineshaft.store.statements import put

__all__ = ["TelemetryState"]


class TelemetryState:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self) -> dict[str, bytes]:
        def question(connection: Connection) -> dict[str, bytes]:
            rows = connection.execute(select(telemetry_state.c.name, telemetry_state.c.value))
            return {name: bytes(value) for name, value in rows}

        return await self._store.read(question)

    async def save(self, changed: Mapping[str, bytes], gone: Collection[str]) -> None:
        """All in one transaction, durable when it returns."""

        def unit(connection: Connection) -> None:
            put(connection, telemetry_state, [{"name": name, "value": changed[name]} for name in changed])
            if gone:
                connection.execute(delete(telemetry_state).where(telemetry_state.c.name.in_(gone)))

        await self._store.write(unit)
