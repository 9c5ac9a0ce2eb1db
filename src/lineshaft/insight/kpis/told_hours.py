"""Keeps the table `told_hours`: of each hour, what KPIs take of its events, decoded once.

An hour is packed when it is over, and anew when something is recorded that tells of it: so what comes late
counts as if it had come in time. Packing is the same whoever does it, and however often.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select

from lineshaft.core.clock import Clock, rfc3339
from lineshaft.insight.keeping_up import OVERLAP_S, keep_up
from lineshaft.insight.kpis.facts import FACTS, FORM
from lineshaft.insight.kpis.told import Told, moments, newest, told_in
from lineshaft.store import Store
from lineshaft.store.schema import activity_marks, told_hours
from lineshaft.store.statements import put

__all__ = ["HOUR", "ToldHours", "covered", "pack", "packed_in", "replace"]

HOUR = 3600
_AT_ONCE = 8
_Hour = tuple[str, int]
"""(kind, its begin in epoch seconds)"""


class ToldHours:
    """keep: as long as events are kept"""

    def __init__(self, store: Store, clock: Clock, keep: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._keep_s = keep.total_seconds()
        self._written: dict[_Hour, bytes] = {}

    async def run(self) -> None:
        """Until cancelled."""
        await keep_up(self, self.forget, self._clock, "told_hours.waiting")

    async def look(self) -> bool:
        """Pack the hour that is over, and those of which more was recorded since; True when up to now.

        raises  TransientFault when the store is away
        """
        now = int(self._clock.now().timestamp())
        known = await self._store.read(_marks)
        if not known:
            running = _floor(now)
            await self._store.write(partial(_mark, marks={"from": running, "to": running, "seen": now}))
            return True
        begins = min(known["seen"], now) - OVERLAP_S
        ends = min(now + 1, begins + OVERLAP_S + HOUR)
        due = await self._store.read(partial(_late, recorded=(begins, ends), known=known))
        is_over = known["to"] + HOUR <= now
        if is_over:
            due += [(kind, known["to"]) for kind in FACTS]
        await self._pack(due)
        upto = known["to"] + HOUR if is_over else known["to"]
        if upto != known["to"] or ends - known["seen"] >= OVERLAP_S / 3:
            await self._store.write(partial(_mark, marks={"to": upto, "seen": ends}))
        return ends > now and upto + HOUR > now

    async def look_back(self) -> bool:
        """Pack the newest hour that is not packed yet; False when there is none."""
        known = await self._store.read(_marks)
        oldest = self._oldest()
        if not known or known["from"] <= oldest:
            return False
        at = await self._store.read(partial(newest, before=_text(known["from"])))
        begins = max(oldest, _floor(datetime.fromisoformat(at).timestamp())) if at else oldest
        if begins > oldest:
            await self._pack([(kind, begins) for kind in FACTS])
        await self._store.write(partial(_mark, marks={"from": begins}))
        return True

    async def forget(self) -> None:
        """What is older than events are kept."""
        known = await self._store.read(_marks)
        oldest = self._oldest()
        if known and known["from"] < oldest:
            await self._store.write(partial(_forget, before=oldest))

    def _oldest(self) -> int:
        return _floor(self._clock.now().timestamp() - self._keep_s)

    async def _pack(self, hours: list[_Hour]) -> None:
        found: dict[_Hour, bytes] = {}
        for start in range(0, len(hours), _AT_ONCE):
            some = hours[start : start + _AT_ONCE]
            docs = await self._store.read(partial(_packs, hours=some))
            found |= docs
            changed = {hour: doc for hour, doc in docs.items() if self._written.get(hour) != doc}
            if changed:
                await self._store.write(partial(replace, docs=changed))
        self._written = found


def covered(connection: Connection) -> tuple[int, int]:
    """[from, to) in epoch seconds: of these hours `packed_in` has all that was told."""
    known = _marks(connection)
    return (known["from"], known["to"]) if known else (0, 0)


def packed_in(
    connection: Connection, kind: str, begins: int, ends: int, plants: Collection[str] | None
) -> Iterator[Told]:
    """As `told.told_in`, over whole hours that are covered."""
    table = told_hours.c
    asked = (
        select(table.doc)
        .where(table.form == FORM, table.kind == kind, table.at >= begins, table.at < ends)
        .order_by(table.at)
        .execution_options(in_binary=True)
    )
    every, one = _decoder(kind), _one(kind)
    for doc in connection.execute(asked).scalars().all():
        if plants is None:
            yield from every.decode(doc)
            continue
        for plant, at, fact in _RAW.decode(doc):
            if plant in plants:
                yield plant, at, one.decode(fact)


def pack(connection: Connection, kind: str, begins: int) -> bytes:
    """What was told in an hour, as JSON; empty where nothing was."""
    found = list(told_in(connection, kind, _text(begins), _text(begins + HOUR), None))
    return msgspec.json.encode(found) if found else b""


def replace(connection: Connection, docs: dict[_Hour, bytes]) -> None:
    table = told_hours.c
    for (kind, at), doc in docs.items():
        if doc:
            put(connection, told_hours, [{"form": FORM, "kind": kind, "at": at, "doc": doc}])
        else:
            here = (table.form == FORM, table.kind == kind, table.at == at)
            connection.execute(delete(told_hours).where(*here))


_RAW = msgspec.json.Decoder(list[tuple[str, datetime, msgspec.Raw]])


@cache
def _decoder(kind: str) -> msgspec.json.Decoder[Any]:
    what: Any = FACTS[kind]
    return msgspec.json.Decoder(list[tuple[str, datetime, what]])


@cache
def _one(kind: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(FACTS[kind])


def _packs(connection: Connection, *, hours: list[_Hour]) -> dict[_Hour, bytes]:
    return {(kind, at): pack(connection, kind, at) for kind, at in hours}


def _late(connection: Connection, *, recorded: tuple[int, int], known: dict[str, int]) -> list[_Hour]:
    during, told = (_text(recorded[0]), _text(recorded[1])), (_text(known["from"]), _text(known["to"]))
    found = connection.execute(moments(FACTS, during, told)).all()
    return [(kind, int(datetime.fromisoformat(f"{hour}:00+00:00").timestamp())) for kind, hour in found]


def _marks(connection: Connection) -> dict[str, int]:
    """`from`, `to`: the hours that are packed; `seen`: with all that was recorded before. Epoch seconds."""
    names = [f"{FORM}.{name}" for name in ("from", "to", "seen")]
    found = connection.execute(select(activity_marks).where(activity_marks.c.name.in_(names)))
    return {row.name.partition(".")[2]: row.at for row in found}


def _mark(connection: Connection, *, marks: dict[str, int]) -> None:
    """Of two that do it, the one that has come further counts."""
    known = _marks(connection)
    further = {name: (min if name == "from" else max)(at, known.get(name, at)) for name, at in marks.items()}
    put(connection, activity_marks, [{"name": f"{FORM}.{name}", "at": at} for name, at in further.items()])


def _forget(connection: Connection, *, before: int) -> None:
    connection.execute(delete(told_hours).where(told_hours.c.at < before))
    put(connection, activity_marks, [{"name": f"{FORM}.from", "at": before}])


def _floor(at: float) -> int:
    return int(at // HOUR) * HOUR


def _text(seconds: float) -> str:
    return rfc3339(datetime.fromtimestamp(seconds, UTC))
