"""What happened last, of all kinds."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, literal, select

from lineshaft.core.standing import Recent
from lineshaft.insight.rollups_count import RECORDED
from lineshaft.insight.service_levels import CALL, EVENT, PROCESS
from lineshaft.store.schema import calls, events, processes

__all__ = ["recent"]

_NEWEST = 1_000


def recent(connection: Connection, plants: Collection[str] | None, limit: int) -> list[Recent]:
    """The newest first. plants: whose, of the newest thousand of each kind; None: all"""
    event, call, process = events.c, calls.c, processes.c
    recorded = literal(RECORDED)
    found = [
        *_of(
            connection,
            EVENT,
            (event.event_id, event.type, event.subject, event.plant, recorded, event.recorded_at),
            plants,
            limit,
        ),
        *_of(
            connection,
            CALL,
            (call.call_id, call.operation, call.document, call.plant, call.state, call.created_at),
            plants,
            limit,
        ),
        *_of(
            connection,
            PROCESS,
            (
                process.process_id,
                process.type,
                process.business_key,
                process.plant,
                process.state,
                process.started_at,
            ),
            plants,
            limit,
        ),
    ]
    return sorted(found, key=lambda each: each.at, reverse=True)[:limit]


def _of(
    connection: Connection,
    kind: str,
    columns: tuple[ColumnElement[Any], ...],
    plants: Collection[str] | None,
    limit: int,
) -> list[Recent]:
    names = ("key", "name", "about", "plant", "state", "at")
    newest = select(*(column.label(name) for column, name in zip(columns, names, strict=True)))
    newest = newest.order_by(columns[-1].desc()).limit(limit if plants is None else _NEWEST)
    rows = newest.subquery()
    question = select(rows).order_by(rows.c.at.desc()).limit(limit)
    if plants is not None:
        question = question.where(rows.c.plant.in_(plants))
    return [Recent(kind=kind, **row._mapping) for row in connection.execute(question)]
