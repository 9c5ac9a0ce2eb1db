"""What the console and the command line read: the last rows, counts, and the trace."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, func, select

from lineshaft.core.exceptions import ExceptionState
from lineshaft.ledger.exception_rows import LIGHT
from lineshaft.ledger.trace import trace
from lineshaft.ledger.trace_search import Plants
from lineshaft.store import Store
from lineshaft.store.schema import calls, events, exceptions, outbox, process_waits, processes

__all__ = ["Reads"]

_SHOWN_PAYLOAD = 16 * 1024


class Reads:
    """Implements core.ports.ReadModel."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def recent_processes(self, limit: int = 50) -> list[dict[str, Any]]:
        """With `waiting_for`, the event type and key that an instance waits for, empty for none."""

        def question(connection: Connection) -> list[dict[str, Any]]:
            newest = select(processes).order_by(processes.c.started_at.desc()).limit(limit)
            found = [dict(row._mapping) for row in connection.execute(newest)]
            open_waits = select(process_waits).where(
                process_waits.c.process_id.in_([row["process_id"] for row in found]),
                process_waits.c.event_id == "",
            )
            waits = {
                wait.process_id: f"{wait.event_type} {wait.key}" for wait in connection.execute(open_waits)
            }
            return [row | {"waiting_for": waits.get(row["process_id"], "").strip()} for row in found]

        return await self._store.read(question)

    async def open_exceptions(self, limit: int = 50) -> list[dict[str, Any]]:
        return await self._rows(
            select(*LIGHT, func.substr(exceptions.c.payload, 1, _SHOWN_PAYLOAD).label("payload"))
            .where(exceptions.c.state == ExceptionState.OPEN)
            .order_by(exceptions.c.last_at.desc())
            .limit(limit)
        )

    async def counts(self) -> dict[str, int]:
        """`events`, `outbox`, `exceptions.open`, `calls.<state>` and `processes.<state>`."""

        def question(connection: Connection) -> dict[str, int]:
            found = {
                "events": connection.execute(select(func.count()).select_from(events)).scalar_one(),
                "outbox": connection.execute(select(func.count()).select_from(outbox)).scalar_one(),
                "exceptions.open": connection.execute(
                    select(func.count())
                    .select_from(exceptions)
                    .where(exceptions.c.state == ExceptionState.OPEN)
                ).scalar_one(),
            }
            for name, table in (("calls", calls), ("processes", processes)):
                for state, count in connection.execute(
                    select(table.c.state, func.count()).group_by(table.c.state)
                ):
                    found[f"{name}.{state}"] = count
            return found

        return await self._store.read(question)

    async def trace(self, key: str, plants: Plants = None) -> dict[str, Any]:
        return await self._store.read(lambda connection: trace(connection, key, plants))

    async def _rows(self, question: Select[Any]) -> list[dict[str, Any]]:
        return await self._store.read(
            lambda connection: [dict(row._mapping) for row in connection.execute(question)]
        )
