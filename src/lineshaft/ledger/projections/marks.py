"""How far the projections are, and how far behind the event log that is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from lineshaft.core.clock import Clock
from lineshaft.store import Store
from lineshaft.store.rows import converter, plain
from lineshaft.store.schema import events, projection_marks

__all__ = ["BEGINNING", "MARK", "Behind", "Lag", "Mark", "mark_of"]

MARK = "events"
BEGINNING = "0"  # before every time
_FRESH_S = 1.0
_MOST_COUNTED = 100_000


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """up_to, replay_from: when events were recorded that are applied; empty: none, and none under way."""

    up_to: str = ""
    replay_from: str = ""
    applied: int = 0
    applied_at: str = ""

    @property
    def complete_to(self) -> str:
        return (self.replay_from or self.up_to).removeprefix(BEGINNING)


_mark = converter(Mark)


def mark_of(connection: Connection) -> Mark:
    found = connection.execute(select(projection_marks).where(projection_marks.c.name == MARK)).first()
    return _mark(plain(found)) if found else Mark()


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """Recorded events that are not applied: how many (100,000 stands for more), and the age of the first."""

    events: int
    seconds: float


class Lag:
    """Asked of the store once a second, however many want to know."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._first: datetime | None = None
        self._asked_at = -_FRESH_S

    async def seconds(self) -> float:
        now = self._clock.monotonic()
        if now - self._asked_at >= _FRESH_S:
            self._first = await self._store.read(_first_missing)
            self._asked_at = now
        return self._age(self._first)

    async def behind(self) -> Behind:
        def question(connection: Connection) -> tuple[int, datetime | None]:
            missing = _missing(connection).limit(_MOST_COUNTED).subquery()
            count = connection.execute(select(func.count()).select_from(missing)).scalar_one()
            return count, _first_missing(connection)

        count, first = await self._store.read(question)
        return Behind(events=count, seconds=self._age(first))

    def _age(self, first: datetime | None) -> float:
        return round(max(0.0, (self._clock.now() - first).total_seconds()), 3) if first else 0.0


def _missing(connection: Connection) -> Any:
    return select(events.c.recorded_at).where(events.c.recorded_at > mark_of(connection).complete_to)


def _first_missing(connection: Connection) -> datetime | None:
    found = connection.execute(_missing(connection).order_by(events.c.recorded_at).limit(1)).scalar()
    return datetime.fromisoformat(found) if found else None
