"""Changes of exceptions, each in one transaction with its audit entry and the events that it sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from lineshaft.core.causes import cause_pattern
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.errors import PermanentFault
from lineshaft.core.exceptions import ExceptionState
from lineshaft.core.values import Event
from lineshaft.ledger.audit import Audit, AuditEntry
from lineshaft.ledger.corrections import Carrier, carrier_of
from lineshaft.ledger.decisions import must_be_seen
from lineshaft.ledger.exception_rows import REPEATED, ExceptionRow
from lineshaft.ledger.subscriptions.again import deliver_again, drop
from lineshaft.store import Outbox, Store
from lineshaft.store.schema import exceptions

__all__ = ["ExceptionChanges"]

_AT_ONCE = 500


class ExceptionChanges:
    """Each changes a row only as it was read.

    by  who did it; they raise PermanentFault, code not_open, where somebody else was faster
    """

    def __init__(self, store: Store, outbox: Outbox, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._outbox = outbox
        self._audit = audit
        self._clock = clock

    async def corrected(
        self,
        row: ExceptionRow,
        payload: bytes,
        sha256: str,
        *,
        by: str,
        reason: str,
        seen: int | None = None,
    ) -> None:
        """seen: how many decisions about it the person knew of; None: does not matter.

        raises  ChangedMeanwhile where there are others
        """
        changes = {"corrected": payload, "revision": row.revision + 1}
        detail = {"revision": row.revision + 1, "sha256": sha256}
        await self._must(row, changes, _entry(row, "exception.fixed", by, reason, detail), seen=seen)

    async def redriven(
        self, row: ExceptionRow, ref: str, events: Sequence[Event] = (), *, by: str, reason: str
    ) -> None:
        """ref: what it went out as. What was reported of that already opens it again at once.

        A process has its correction then, and may need another one next time.
        """
        changes: dict[str, Any] = {
            "state": ExceptionState.REDRIVEN,
            "redrives": row.redrives + 1,
            "redrive_ref": ref,
        }
        if carrier_of(row) is Carrier.PROCESS:
            changes |= {"corrected": b"", "revision": 0}
        entry = _entry(row, "exception.redriven", by, reason, {"as": ref, "revision": row.revision})

        def more(connection: Connection) -> None:
            self._outbox.add(connection, events)
            if carrier_of(row) is Carrier.DELIVERY:
                deliver_again(connection, [ref])
            if ref != row.ref:
                _absorb(connection, row, ref)

        await self._must(row, changes, entry, more)
        if events:
            self._outbox.wake()

    async def discarded(self, row: ExceptionRow, *, by: str, reason: str) -> None:
        """What waits behind a delivery that need not be made goes on."""
        at = rfc3339(self._clock.now())
        changes = {"state": ExceptionState.DISCARDED, "closed_at": at}
        entry = _entry(row, "exception.discarded", by, reason, {"cause": row.cause})

        def more(connection: Connection) -> None:
            if carrier_of(row) is Carrier.DELIVERY:
                drop(connection, row.ref, at)

        await self._must(row, changes, entry, more)

    async def assigned(self, ids: Sequence[str], to: str, *, by: str, reason: str) -> None:
        """All or none. to: empty for nobody; those who have them already are not told again."""
        column = exceptions.c.exception_id

        def unit(connection: Connection) -> None:
            for begins in range(0, len(ids), _AT_ONCE):
                others = column.in_(ids[begins : begins + _AT_ONCE]) & (exceptions.c.assignee != to)
                before = connection.execute(select(column, exceptions.c.assignee).where(others)).all()
                connection.execute(update(exceptions).where(others).values(assignee=to))
                entries = [
                    AuditEntry(
                        actor=by,
                        action="exception.assigned",
                        subject=row.exception_id,
                        detail={"to": to, "from": row.assignee},
                        reason=reason,
                    )
                    for row in before
                ]
                self._audit.append(connection, entries)

        await self._store.write(unit)

    async def resolved(self, row: ExceptionRow, detail: str, *, by: str = "") -> None:
        """Nothing, where somebody else has noted it. by: the writer of the audit itself, if nobody else."""
        changes = {"state": ExceptionState.RESOLVED, "closed_at": rfc3339(self._clock.now())}
        what = {"as": row.redrive_ref, "outcome": detail}
        entry = _entry(row, "exception.resolved", by or self._audit.chain, "", what)
        await self._change(row, changes, entry)

    async def reopened(self, row: ExceptionRow) -> None:
        """A redrive that came to nothing. Nothing, where it is open."""
        here = _as_read(row)
        changes = {"state": ExceptionState.OPEN, "last_at": rfc3339(self._clock.now())}
        await self._store.write(
            lambda connection: connection.execute(update(exceptions).where(here).values(changes)) and None
        )

    async def _must(
        self,
        row: ExceptionRow,
        changes: Mapping[str, Any],
        entry: AuditEntry,
        more: Any = None,
        seen: int | None = None,
    ) -> None:
        if not await self._change(row, changes, entry, more, seen):
            raise PermanentFault(
                f"exception {row.exception_id} was changed by somebody else meanwhile",
                code="not_open",
                hint="look at it again with `lineshaft exceptions show`",
            )

    async def _change(
        self,
        row: ExceptionRow,
        changes: Mapping[str, Any],
        entry: AuditEntry,
        more: Any = None,
        seen: int | None = None,
    ) -> bool:
        def unit(connection: Connection) -> bool:
            changed = connection.execute(update(exceptions).where(_as_read(row)).values(**changes)).rowcount
            if not changed and self._audit.knows(connection, entry):
                return True  # a commit of this unit whose answer was lost
            if seen is not None:
                must_be_seen(connection, row, seen)
            if not changed:
                return False
            self._audit.append(connection, [entry])
            if more is not None:
                more(connection)
            return True

        return await self._store.write(unit)


def _as_read(row: ExceptionRow) -> ColumnElement[bool]:
    same = ("exception_id", "state", "revision", "redrives")
    return and_(*(exceptions.c[name] == getattr(row, name) for name in same))


def _absorb(connection: Connection, row: ExceptionRow, ref: str) -> None:
    """What was sent may be reported before we know what it was sent as: as this exception again, which then
    stays open; or as another, which is then part of this one, unless it counts other messages, too."""
    ours = exceptions.c.exception_id == row.exception_id
    seen_again = ours & exceptions.c.kind.in_(REPEATED) & (exceptions.c.count > row.count)
    connection.execute(update(exceptions).where(seen_again).values(state=ExceptionState.OPEN))
    theirs = (exceptions.c.ref == ref) & ~ours
    cause = connection.execute(select(func.min(exceptions.c.cause)).where(theirs)).scalar()
    if cause is None:
        return
    alone = theirs & (exceptions.c.kind.not_in(REPEATED) | (exceptions.c.count == 1))
    count = connection.execute(select(func.sum(exceptions.c.count)).where(alone)).scalar() or 1
    connection.execute(delete(exceptions).where(alone))
    connection.execute(
        update(exceptions)
        .where(ours)
        .values(
            state=ExceptionState.OPEN,
            cause=cause,
            pattern=cause_pattern(cause),
            count=exceptions.c.count + int(count),
        )
    )


def _entry(row: ExceptionRow, action: str, by: str, reason: str, detail: Mapping[str, Any]) -> AuditEntry:
    return AuditEntry(actor=by, action=action, subject=row.exception_id, detail=detail, reason=reason)
