"""Keeps the table `activity`: what happened in each minute, and after two days in each hour.

Minutes are counted anew from the rows and put in the place of what was there. So it does no harm when several
nodes do it, or when one dies in the middle.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Connection, delete, func, select

from lineshaft.core.clock import Clock
from lineshaft.insight.keeping_up import OVERLAP_S, keep_up
from lineshaft.insight.rollups_count import counted, first_time
from lineshaft.insight.service_levels import ServiceLevels
from lineshaft.store import Store
from lineshaft.store.schema import LATENCY_COLUMNS, activity, activity_marks
from lineshaft.store.statements import insert_all, put

__all__ = ["HOUR", "MINUTE", "Rollups", "first_activity", "marks"]

MINUTE, HOUR = 60, 3600
_AT_ONCE = 1_000
_KEEP_MINUTES_S = 2 * 86_400
_KEEP_HOURS_S = 400 * 86_400
Row = dict[str, Any]


class Rollups:
    def __init__(self, store: Store, levels: ServiceLevels, clock: Clock) -> None:
        self._store = store
        self._levels = levels
        self._clock = clock
        self._written: dict[int, list[Row]] = {}
        self._marked = 0

    async def run(self) -> None:
        """Until cancelled."""
        await keep_up(self, self.fold, self._clock, "rollups.waiting")

    async def look(self) -> bool:
        """Count the minutes since the last look, and those just before; at most an hour. True when up to now.

        raises  TransientFault when the store is away
        """
        now = int(self._clock.now().timestamp())
        known = (await self._store.read(marks)).get("to")
        begins = _floor((now if known is None else min(known, now)) - OVERLAP_S, MINUTE)
        ends = min(_floor(now, MINUTE) + MINUTE, begins + HOUR)
        await self._count(begins, ends)
        is_all = ends > now
        upto = _floor(now, MINUTE) if is_all else ends
        if upto != self._marked:
            await self._store.write(partial(_mark, begins=begins, ends=upto))
            self._marked = upto
        return is_all

    async def look_back(self) -> bool:
        """Count the newest hour that is not counted yet; False when there is none."""
        known = (await self._store.read(marks)).get("from")
        oldest = int(self._clock.now().timestamp()) - _KEEP_HOURS_S
        if known is None or known <= oldest:
            return False
        newest = await self._store.read(partial(first_time, before=known))
        if newest is None or newest < oldest:
            await self._store.write(partial(_mark, begins=0))
            return False
        begins = _floor(newest, HOUR)
        is_old = begins < self._minutes_from()
        await self._count(begins, min(known, begins + HOUR), HOUR if is_old else MINUTE)
        await self._store.write(partial(_mark, begins=begins))
        return True

    async def fold(self) -> bool:
        """Make an hour of the oldest minutes when they are two days old, and forget the oldest hours."""
        now = int(self._clock.now().timestamp())
        oldest = await self._store.read(partial(_oldest, span=MINUTE))
        forgotten = await self._store.read(partial(_oldest, span=HOUR))
        if forgotten is not None and forgotten < now - _KEEP_HOURS_S:
            await self._store.write(partial(_forget, span=HOUR, at=forgotten))
        if oldest is None or oldest >= self._minutes_from():
            return False
        hour = _floor(oldest, HOUR)
        for plant in await self._store.read(partial(_plants, hour=hour)):
            await self._store.write(partial(_fold, plant=plant, hour=hour))
        return True

    def _minutes_from(self) -> int:
        """What is older is kept by the hour."""
        return _floor(self._clock.now().timestamp() - _KEEP_MINUTES_S, HOUR)

    async def _count(self, begins: int, ends: int, span: int = MINUTE) -> None:
        """Written in small units, so that no other writer waits long; each has whole minutes, or hours."""
        rows = await self._store.read(
            lambda connection: counted(connection, self._levels, begins, ends, span)
        )
        found: dict[int, list[Row]] = {at: [] for at in range(_floor(begins, span), ends, span)}
        for row in rows:
            found[row["at"]].append(row)
        changed: dict[int, list[Row]] = {}
        for at, some in found.items():
            if self._written.get(at) != some:
                changed[at] = some
            if sum(map(len, changed.values())) >= _AT_ONCE:
                await self._store.write(partial(_replace, span=span, found=changed))
                changed = {}
        if changed:
            await self._store.write(partial(_replace, span=span, found=changed))
        self._written = found


def marks(connection: Connection) -> dict[str, int]:
    """`from` and `to`, epoch seconds: between them it is known what happened; empty before the first look."""
    return {row.name: row.at for row in connection.execute(select(activity_marks))}


def _floor(at: float, span: int) -> int:
    return int(at // span) * span


def _mark(connection: Connection, *, begins: int, ends: int | None = None) -> None:
    known = marks(connection)
    rows = [{"name": "from", "at": min(begins, known.get("from", begins))}]
    if ends is not None:
        rows.append({"name": "to", "at": max(ends, known.get("to", ends))})
    put(connection, activity_marks, rows)


def _replace(connection: Connection, *, span: int, found: dict[int, list[Row]]) -> None:
    for at, rows in found.items():
        _forget(connection, span=span, at=at)
        insert_all(connection, activity, rows)


def _forget(connection: Connection, *, span: int, at: int) -> None:
    connection.execute(delete(activity).where(activity.c.span == span, activity.c.at == at))


def first_activity(connection: Connection) -> int | None:
    """The oldest minute or hour in which anything happened; None: nothing has yet."""
    found = [_oldest(connection, span=span) for span in (HOUR, MINUTE)]
    return min((at for at in found if at is not None), default=None)


def _oldest(connection: Connection, *, span: int) -> int | None:
    return connection.execute(select(func.min(activity.c.at)).where(activity.c.span == span)).scalar()


def _in_hour(hour: int) -> list[Any]:
    return [activity.c.span == MINUTE, activity.c.at >= hour, activity.c.at < hour + HOUR]


def _plants(connection: Connection, hour: int) -> list[str]:
    found = select(activity.c.plant).where(*_in_hour(hour)).distinct()
    return list(connection.execute(found).scalars())


def _fold(connection: Connection, *, plant: str, hour: int) -> None:
    """The minutes of one plant, in one transaction: they are never there twice, nor missing."""
    minutes = [*_in_hour(hour), activity.c.plant == plant]
    key = [activity.c[name] for name in ("domain", "subject", "kind", "outcome")]
    numbers = [func.sum(activity.c[name]).label(name) for name in ("count", "late", *LATENCY_COLUMNS)]
    rows = [
        {"span": HOUR, "plant": plant, "at": hour}
        | {name: value if isinstance(value, str) else int(value) for name, value in row._mapping.items()}
        for row in connection.execute(select(*key, *numbers).where(*minutes).group_by(*key))
    ]
    put(connection, activity, rows)
    connection.execute(delete(activity).where(*minutes))
