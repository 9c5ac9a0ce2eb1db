"""What was told in some time, from the event log and the audit themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import CompoundSelect, Connection, func, literal, select

from lineshaft.insight.kpis.facts import DECISION, FACTS, Decision
from lineshaft.store.schema import EMPTY, audit, calls, events, exceptions, processes
from lineshaft.store.statements import rows_at

__all__ = ["DECISIONS", "Told", "moments", "newest", "told_in"]

Told = tuple[str, datetime, Any]
"""(plant, when, one of FACTS)"""

DECISIONS = {
    "exception.assigned": "assigned",
    "exception.fixed": "corrected",
    "exception.redriven": "redriven",
    "exception.discarded": "discarded",
    "process.retried": "retried",
    "process.corrected": "corrected",
    "process.skipped": "skipped",
    "process.aborted": "aborted",
    "process.cancelled": "cancelled",
    "process.terminated": "terminated",
    "process.approved": "approved",
    "process.refused": "refused",
    "call.reopened": "tried again",
}
_DECIDED = audit.c.action.in_(sorted(DECISIONS))
_DECODERS = {kind: msgspec.json.Decoder(what, strict=False) for kind, what in FACTS.items()}
_HOUR_LENGTH = len("2026-03-09T14")


def told_in(
    connection: Connection, kind: str, since: str, until: str, plants: Collection[str] | None
) -> Iterator[Told]:
    """In [since, until), RFC 3339 in UTC, by time; plants: whose, None: of all.

    A payload that cannot be read is the exceptions desk's business, not ours.
    """
    if kind == DECISION:
        yield from _decisions(connection, since, until, plants)
        return
    column, decoder = events.c.time, _DECODERS[kind]
    asked = (
        select(events.c.plant, column, events.c.data)
        .where(events.c.type == kind, column >= since, column < until)
        .where(*(() if plants is None else [events.c.plant.in_(sorted(plants))]))
        .order_by(column)
    )
    for plant, time, data in connection.execute(asked).all():
        try:
            yield plant, datetime.fromisoformat(time), decoder.decode(data)
        except msgspec.DecodeError:
            continue


def moments(kinds: Collection[str], recorded: tuple[str, str], told: tuple[str, str]) -> CompoundSelect[Any]:
    """(kind, hour as RFC 3339 begins) of what was recorded in a time and tells of a time.

    Found by when it was recorded: by type and time, it would be looked for in all that was ever told.
    """
    kind, time = events.c.type + EMPTY, events.c.time + EMPTY
    hour = func.substr(events.c.time, 1, _HOUR_LENGTH)
    decided = func.substr(audit.c.at, 1, _HOUR_LENGTH)
    return (
        select(kind, hour)
        .where(events.c.recorded_at >= recorded[0], events.c.recorded_at < recorded[1])
        .where(kind.in_(sorted(kinds)), time >= told[0], time < told[1])
        .union(
            select(literal(DECISION), decided)
            .where(_DECIDED, audit.c.at >= recorded[0], audit.c.at < recorded[1])
            .where(audit.c.at >= told[0], audit.c.at < told[1])
        )
    )


def newest(connection: Connection, before: str) -> str:
    """When before a time anything was told last; empty: never. One look into the index for each kind."""
    columns = [(events.c.time, events.c.type == kind) for kind in FACTS if kind != DECISION]
    columns += [(audit.c.at, audit.c.action == action) for action in DECISIONS]
    found = [
        connection.execute(select(func.max(at)).where(of, at < before)).scalar() or "" for at, of in columns
    ]
    return max(found)


def _decisions(
    connection: Connection, since: str, until: str, plants: Collection[str] | None
) -> Iterator[Told]:
    """Of the plant that the subject belongs to; one that is gone belongs to none."""
    asked = select(audit.c.action, audit.c.subject, audit.c.actor, audit.c.at).where(
        _DECIDED, audit.c.at >= since, audit.c.at < until
    )
    found = sorted(connection.execute(asked).all(), key=lambda row: row.at)
    places = _places(connection, sorted({row.subject for row in found}))
    for row in found:
        plant = places.get(row.subject, "")
        if plants is None or plant in plants:
            yield plant, datetime.fromisoformat(row.at), Decision(row.action, row.subject, row.actor)


def _places(connection: Connection, subjects: Sequence[str]) -> dict[str, str]:
    found = {}
    for rows, key in ((exceptions, "exception_id"), (processes, "process_id"), (calls, "call_id")):
        for row in rows_at(connection, rows, [{key: each} for each in subjects], columns=(key, "plant")):
            found[getattr(row, key)] = row.plant
    return found
