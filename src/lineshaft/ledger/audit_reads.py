"""The audit's rows as people ask for them, newest first, a page at a time.

No page reads more than some thousands of rows, whatever it is asked for: a list by actor or action is merged
from one index range per kind of action, of which there are some dozens.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, and_, func, or_, select

from lineshaft.ledger.audit_subjects import own_rows
from lineshaft.ledger.trace_search import Plants
from lineshaft.store import Store
from lineshaft.store.schema import audit

__all__ = [
    "AuditPage",
    "AuditQuestion",
    "AuditReads",
    "actions_known",
    "actors_known",
    "audit_page",
    "audit_rows",
]

Place = tuple[str, str, int]
_BATCH, _MOST_BATCH = 51, 2_000
_MOST_LOOKED_AT = 5_000
_MOST_KNOWN = 200
_LONGEST_SEQ = 19
_COLUMNS = [column.name for column in audit.c]


class AuditQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """action        one, or all of a thing as `call.*`
    since, until  RFC 3339 in UTC as the store has it, the second not included; empty: any time
    """

    actor: str = ""
    action: str = ""
    subject: str = ""
    since: str = ""
    until: str = ""


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """rows: with `detail` as what its JSON says; next: place of the page after it, None: there is none.

    Where rows of other plants are left out, a page may be short and have another one after it.
    """

    rows: list[dict[str, Any]]
    next: Place | None = None


def audit_rows(connection: Connection, *, limit: int = 50, **asked: str) -> list[dict[str, Any]]:
    """asked: as AuditQuestion has it"""
    return audit_page(connection, AuditQuestion(**asked), limit=limit).rows


def audit_page(
    connection: Connection,
    asked: AuditQuestion,
    *,
    after: Place | None = None,
    plants: Plants = None,
    limit: int = 50,
) -> AuditPage:
    """after: `next` of the page before; plants: see audit_subjects."""
    found: list[dict[str, Any]] = []
    place, looked_at, more = after, 0, True
    most = max(_MOST_LOOKED_AT, 2 * limit)
    rows = _newest(connection, asked, after)
    while len(found) <= limit and (plants is None or looked_at < most):
        size = max(limit + 1 - len(found), min(looked_at, most - looked_at, _MOST_BATCH))
        batch = list(islice(rows, size))
        if not batch:
            more = False
            break
        looked_at += len(batch)
        found += own_rows(connection, batch, plants)
        place = _place(batch[-1])
    if len(found) > limit:
        found = found[:limit]
        place = _place(found[-1])
    for row in found:
        row["detail"] = msgspec.json.decode(row["detail"])
    return AuditPage(rows=found, next=place if more else None)


def _place(row: dict[str, Any]) -> Place:
    return row["at"], row["chain"], row["seq"]


def _newest(connection: Connection, asked: AuditQuestion, after: Place | None) -> Iterator[dict[str, Any]]:
    if asked.subject:
        wanted = _of_action(asked.action)
        for row in _ranged(connection, asked, after, subject=asked.subject):
            if asked.actor in ("", row["actor"]) and wanted(row["action"]):
                yield row
        return
    wanted, actor = _of_action(asked.action), {"actor": asked.actor} if asked.actor else {}
    actions = [each for each in actions_known(connection, **actor) if wanted(each)]
    ranges = [_ranged(connection, asked, after, action=action, **actor) for action in actions]
    yield from heapq.merge(*ranges, key=_place, reverse=True)


def _of_action(asked: str) -> Callable[[str], bool]:
    if asked.endswith("*"):
        return lambda action: action.startswith(asked[:-1])
    return lambda action: asked in ("", action)


def _ranged(
    connection: Connection, asked: AuditQuestion, after: Place | None, **equal: str
) -> Iterator[dict[str, Any]]:
    """Rows with these columns in the time asked for, from the place on, read as they are needed."""
    column = audit.c
    where = [column[name] == value for name, value in equal.items()]
    where += [column.at >= asked.since] if asked.since else []
    where += [column.at < asked.until] if asked.until else []
    ordered = select(audit).order_by(column.at.desc(), column.chain.desc(), column.seq.desc())
    size = _BATCH
    while True:
        batch = connection.execute(ordered.where(*where, *_before(after)).limit(size)).all()
        for row in batch:
            yield dict(zip(_COLUMNS, row, strict=True))
        if len(batch) < size:
            return
        size = min(4 * size, _MOST_BATCH)
        after = (batch[-1].at, batch[-1].chain, batch[-1].seq)


def _before(place: Place | None) -> Iterator[Any]:
    if place is None:
        return
    at, chain, seq = place
    column = audit.c
    yield column.at <= at
    yield or_(column.at < at, column.chain < chain, and_(column.chain == chain, column.seq < seq))


def actors_known(connection: Connection) -> list[str]:
    """By name, the first two hundred."""
    return _known(connection, audit.c.actor)


def actions_known(connection: Connection, actor: str = "") -> list[str]:
    """By name, the first two hundred; those of an actor, if one is given."""
    return _known(connection, audit.c.action, *([audit.c.actor == actor] if actor else []))


def _known(connection: Connection, column: Column[str], *where: Any) -> list[str]:
    """What occurs in a column, by a look into the index for each."""
    smallest = select(func.min(column)).where(*where)
    known = smallest.cte("known", recursive=True)
    (value,) = known.c
    following = smallest.where(column > value).scalar_subquery()
    known = known.union_all(select(following).where(value.is_not(None)))
    (value,) = known.c
    return list(connection.execute(select(value).where(value.is_not(None)).limit(_MOST_KNOWN)).scalars())


class AuditReads:
    """Implements console.screens.audit.AuditReads."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def page(
        self, asked: Mapping[str, str], after: str, plants: Plants, limit: int
    ) -> tuple[list[dict[str, Any]], str]:
        page = await self._store.read(
            lambda connection: audit_page(
                connection, AuditQuestion(**asked), after=_placed(after), plants=plants, limit=limit
            )
        )
        return page.rows, " ".join(map(str, (page.next[0], page.next[2], page.next[1]))) if page.next else ""

    async def known(self) -> tuple[list[str], list[str]]:
        return await self._store.read(
            lambda connection: (actors_known(connection), actions_known(connection))
        )


def _placed(text: str) -> Place | None:
    """From `at seq chain`; what is no place is the beginning."""
    at, _, rest = text.partition(" ")
    seq, _, chain = rest.partition(" ")
    return (at, chain, int(seq)) if seq.isdecimal() and len(seq) < _LONGEST_SEQ else None
