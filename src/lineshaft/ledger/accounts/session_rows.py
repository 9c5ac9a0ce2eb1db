"""Sessions of the console: begun, seen, ended, each log-in and log-out with a line in the audit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, delete, select, update

from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.credentials import Session
from lineshaft.ledger.accounts.changes import changed
from lineshaft.ledger.audit import Audit, AuditEntry
from lineshaft.store import Store
from lineshaft.store.schema import sessions
from lineshaft.store.statements import change, insert_all

__all__ = ["StoredSessions"]

_KEPT = timedelta(days=30)
_SHOWN = 12
_END = (
    update(sessions)
    .where(sessions.c.session_id == bindparam("id"), sessions.c.ended_at == "")
    .values(ended_at=bindparam("at"))
)


class StoredSessions:
    """Implements core.credentials.Sessions. A session is forgotten thirty days after its longest time."""

    def __init__(self, store: Store, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    async def begin(self, session: Session) -> None:
        row = _row(session)
        old = delete(sessions).where(sessions.c.ends_at < rfc3339(self._clock.now() - _KEPT))
        detail = {"address": session.address, "issuer": session.issuer}
        entry = AuditEntry(
            actor=session.name, action="session.begun", subject=session.session_id[:_SHOWN], detail=detail
        )

        def unit(connection: Connection) -> None:
            if self._audit.knows(connection, entry):
                return
            connection.execute(old)
            insert_all(connection, sessions, [row])
            self._audit.append(connection, [entry])

        await self._store.write(unit)

    async def session(self, session_id: str) -> Session | None:
        wanted = select(sessions).where(sessions.c.session_id == session_id)
        row = await self._store.read(lambda connection: connection.execute(wanted).first())
        return _session(row) if row else None

    async def open(self) -> list[Session]:
        """Neither ended nor past their longest time, the newest first; idle ones, too."""
        wanted = (
            select(sessions)
            .where(sessions.c.ended_at == "", sessions.c.ends_at > rfc3339(self._clock.now()))
            .order_by(sessions.c.created_at.desc())
        )
        rows = await self._store.read(lambda connection: connection.execute(wanted).all())
        return [_session(row) for row in rows]

    async def seen(self, at: dict[str, datetime]) -> None:
        rows = [{"session_id": each, "seen_at": rfc3339(when)} for each, when in at.items()]

        def unit(connection: Connection) -> None:
            change(connection, sessions, rows, only='"seen_at" < "new_seen_at"')

        await self._store.write(unit)

    async def end(self, session_id: str, *, by: str, reason: str = "") -> bool:
        at = rfc3339(self._clock.now())
        entry = AuditEntry(actor=by, action="session.ended", subject=session_id[:_SHOWN], reason=reason)

        def unit(connection: Connection) -> bool:
            if not connection.execute(_END, {"id": session_id, "at": at}).rowcount:
                return self._audit.knows(connection, entry)
            changed(connection)
            self._audit.append(connection, [entry])
            return True

        return await self._store.write(unit)

    async def note(self, action: str, actor: str, detail: dict[str, str]) -> None:
        entry = AuditEntry(actor=actor, action=action, subject=actor, detail=detail)
        await self._store.write(lambda connection: self._audit.append(connection, [entry]))


def _row(session: Session) -> dict[str, Any]:
    return {
        "session_id": session.session_id,
        "name": session.name,
        "account": session.account,
        "issuer": session.issuer,
        "roles": msgspec.json.encode(session.roles).decode(),
        "plants": msgspec.json.encode(session.plants).decode(),
        "address": session.address,
        "created_at": rfc3339(session.created_at),
        "seen_at": rfc3339(session.seen_at),
        "ends_at": rfc3339(session.ends_at),
        "ended_at": "",
    }


def _session(row: Row[Any]) -> Session:
    return Session(
        session_id=row.session_id,
        name=row.name,
        account=row.account,
        issuer=row.issuer,
        roles=tuple(msgspec.json.decode(row.roles)),
        plants=tuple(msgspec.json.decode(row.plants)),
        address=row.address,
        created_at=datetime.fromisoformat(row.created_at),
        seen_at=datetime.fromisoformat(row.seen_at),
        ends_at=datetime.fromisoformat(row.ends_at),
        ended_at=datetime.fromisoformat(row.ended_at) if row.ended_at else None,
    )
