"""Which exceptions are open, came and went, and what waits for the backbone: for monitoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, select

from lineshaft.core.exceptions import ExceptionState
from lineshaft.store.schema import CLOSED, exceptions, outbox
from lineshaft.store.workers import living_workers

__all__ = ["Gauges", "gauges"]

Pair = tuple[str, str]


class Gauges(msgspec.Struct, frozen=True, kw_only=True):
    """exceptions   owner and kind → how many are open; opened, closed: how many did in the time asked for
    outbox       events on their way to the backbone, at most
    workers      that live, on this database
    """

    exceptions: Mapping[Pair, int]
    opened: Mapping[Pair, int]
    closed: Mapping[Pair, int]
    outbox: int
    workers: int


def gauges(connection: Connection, plant: str, after: str, until: str) -> Gauges:
    """By indexes alone. after, until: between which exceptions count as opened or closed, as kept."""
    is_open = exceptions.c.state == ExceptionState.OPEN
    is_new = (exceptions.c.first_at > after) & (exceptions.c.first_at <= until)
    has_closed = and_(CLOSED, exceptions.c.closed_at > after)
    still, over = (_by_desk(connection, plant, each, is_new) for each in (is_open, has_closed))
    return Gauges(
        exceptions=_by_desk(connection, plant, is_open),
        opened=Counter(still) + Counter(over),
        closed=_by_desk(connection, plant, has_closed, exceptions.c.closed_at <= until),
        outbox=_outbox(connection),
        workers=len(living_workers(connection)),
    )


def _by_desk(connection: Connection, plant: str, *these: ColumnElement[bool]) -> dict[Pair, int]:
    question = (
        select(exceptions.c.owner, exceptions.c.kind, func.count())
        .where(exceptions.c.plant == plant, *these)
        .group_by(exceptions.c.owner, exceptions.c.kind)
    )
    return {(owner, kind): count for owner, kind, count in connection.execute(question)}


def _outbox(connection: Connection) -> int:
    """By the first and the last number: counting a million rows would take its time."""
    first, last = (connection.execute(select(edge(outbox.c.seq))).scalar() for edge in (func.min, func.max))
    return 0 if first is None or last is None else int(last - first + 1)
