"""Systems that a person does not want to be called for some time."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Connection, bindparam, delete, select

from lineshaft.core.clock import Clock, rfc3339
from lineshaft.ledger.audit import Audit, AuditEntry, must_have_reason
from lineshaft.store import Store
from lineshaft.store.schema import system_pauses
from lineshaft.store.statements import put

__all__ = ["Pause", "Pauses"]

_END = delete(system_pauses).where(system_pauses.c.system == bindparam("ended"))


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """actor: who made it; at: when."""

    system: str
    until: datetime
    reason: str
    actor: str
    at: datetime


class Pauses:
    """Those that change something raise PermanentFault, code reason_missing."""

    def __init__(self, store: Store, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    async def pause(self, system: str, until: datetime, *, by: str, reason: str) -> None:
        """In place of an earlier pause of the same system."""
        must_have_reason(reason)
        row = {
            "system": system,
            "until": rfc3339(until),
            "reason": reason,
            "actor": by,
            "at": rfc3339(self._clock.now()),
        }
        detail = {"until": row["until"]}
        entry = AuditEntry(actor=by, action="system.paused", subject=system, detail=detail, reason=reason)

        def unit(connection: Connection) -> None:
            put(connection, system_pauses, [row])
            self._audit.append(connection, [entry])

        await self._store.write(unit)

    async def resume(self, system: str, *, by: str, reason: str) -> None:
        """End its pause; nothing happens to a system that has none."""
        must_have_reason(reason)
        entry = AuditEntry(actor=by, action="system.resumed", subject=system, reason=reason)

        def unit(connection: Connection) -> None:
            if connection.execute(_END, {"ended": system}).rowcount:
                self._audit.append(connection, [entry])

        await self._store.write(unit)

    async def current(self) -> dict[str, Pause]:
        """By system, those that are not over."""
        now = rfc3339(self._clock.now())

        def ask(connection: Connection) -> list[Pause]:
            found = connection.execute(select(system_pauses).where(system_pauses.c.until > now))
            return [
                Pause(
                    system=row.system,
                    until=datetime.fromisoformat(row.until),
                    reason=row.reason,
                    actor=row.actor,
                    at=datetime.fromisoformat(row.at),
                )
                for row in found
            ]

        return {pause.system: pause for pause in await self._store.read(ask)}
