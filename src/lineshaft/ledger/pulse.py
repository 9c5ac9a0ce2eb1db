"""Whether anything changed, by topic: marks that cost a look at the end of an index each."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, func, select

from lineshaft.core.exceptions import ExceptionState
from lineshaft.store import Store
from lineshaft.store.schema import audit_heads, calls, events, exceptions, processes

__all__ = ["pulse"]


async def pulse(store: Store) -> Mapping[str, str]:
    """`events`, `calls`, `processes`, `exceptions`, `audit`: a text each, another one after a change.

    A change that leaves no trace at the end of an index comes with an audit entry or an event in all but rare
    cases; processes that run are compared by their newest change.
    """
    return await store.read(_marks)


def _marks(connection: Connection) -> dict[str, str]:
    one = connection.execute(
        select(
            select(func.max(events.c.recorded_at)).scalar_subquery().label("events"),
            select(func.max(calls.c.created_at)).scalar_subquery().label("calls"),
            select(func.max(processes.c.started_at)).scalar_subquery().label("started"),
            select(func.max(processes.c.updated_at))
            .where(processes.c.finished_at == "")
            .scalar_subquery()
            .label("updated"),
            select(func.max(exceptions.c.last_at))
            .where(exceptions.c.state == ExceptionState.OPEN)
            .scalar_subquery()
            .label("wrong"),
            select(func.sum(audit_heads.c.seq)).scalar_subquery().label("audit"),
        )
    ).one()
    recorded, audited = str(one.events or ""), str(one.audit or "")
    return {
        "events": recorded,
        "calls": f"{one.calls} {recorded} {audited}",
        "processes": f"{one.started} {one.updated} {recorded}",
        "exceptions": f"{one.wrong} {audited}",
        "audit": audited,
    }
