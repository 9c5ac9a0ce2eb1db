"""Exceptions as screens read them: pages, groups by cause, and what to narrow them down by.

Groups and choices are counted on an index alone, for states that keep few rows: open and redriven. Of those
that are closed, of which there are years, a page looks at some thousands, whatever is searched for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, func, select, tuple_

from lineshaft.core.clock import moment_of
from lineshaft.core.errors import ContractViolation
from lineshaft.core.exceptions import CauseGroup, Chosen, ExceptionChoices, ExceptionPage, ExceptionState
from lineshaft.ledger.exception_rows import LIGHT, conditions, filters, reach
from lineshaft.store import Store
from lineshaft.store.schema import exceptions

__all__ = ["ExceptionLists"]

_MOST_COUNTED, _MOST_LOOKED_AT = 5_000, 10_000
_CLOSED = frozenset({ExceptionState.RESOLVED, ExceptionState.DISCARDED})
_BY = ("owner", "pattern", "kind", "assignee")
_NEWEST_FIRST = (exceptions.c.last_at.desc(), exceptions.c.exception_id.desc())


class ExceptionLists:
    """Implements console.screens.exceptions.ExceptionReads."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def page(self, chosen: Chosen, *, after: str = "", limit: int = 50) -> ExceptionPage:
        """after: `next` of the page before"""
        return await self._store.read(lambda connection: _page(connection, chosen, after, limit))

    async def listing(self, chosen: Chosen, limit: int) -> list[dict[str, Any]]:
        """The newest, over as many pages as it takes."""
        rows, after = list[dict[str, Any]](), ""
        while True:
            page = await self.page(chosen, after=after, limit=limit - len(rows))
            rows, after = rows + page.rows, page.next
            if not after or len(rows) == limit:
                return rows

    async def count(self, chosen: Chosen) -> int:
        asked = select(func.count()).select_from(exceptions).where(*conditions(chosen))
        return await self._store.read(lambda connection: connection.execute(asked).scalar_one())

    async def groups(self, chosen: Chosen) -> list[CauseGroup]:
        """The largest first; of thousands of small ones not all."""
        return await self._store.read(lambda connection: _groups(connection, chosen))

    async def choices(self, plants: Collection[str] | None) -> ExceptionChoices:
        """plants: as in Chosen"""
        here = conditions(Chosen(plants=plants))

        names = ("owner", "plant", "assignee")
        asked = select(*(exceptions.c[name] for name in names)).where(*here).distinct()

        def question(connection: Connection) -> ExceptionChoices:
            found = connection.execute(asked).all()
            kept = {f"{name}s": sorted({getattr(row, name) for row in found} - {""}) for name in names}
            return ExceptionChoices(**kept)

        return await self._store.read(question)


def _page(connection: Connection, chosen: Chosen, after: str, limit: int) -> ExceptionPage:
    """Each state is read on its own, as the index begins with it.

    raises  ContractViolation for what is no place of a page
    """
    row, found, ends = exceptions.c, list[Any](), list[Any]()
    place, narrowed = tuple_(row.last_at, row.exception_id), filters(chosen)
    for state in [chosen.state] if chosen.state else ExceptionState:
        here = reach(replace(chosen, state=state))
        if after:
            here.append(place < tuple_(*_position(after)))
        if narrowed and state in _CLOSED and (end := _far_back(connection, here)):
            here.append(place >= tuple_(*end))
            ends.append(tuple(end))
        asked = select(*LIGHT).where(*here, *narrowed)
        found += connection.execute(asked.order_by(*_NEWEST_FIRST).limit(limit + 1))
    found.sort(key=_place_of, reverse=True)
    end = max(ends, default=None)
    if end is not None:  # of another state there may be more between
        found = [each for each in found if _place_of(each) >= end]
    is_full = len(found) > limit
    last = _place_of(found[limit - 1]) if is_full else end
    return ExceptionPage(
        rows=[dict(each._mapping) for each in found[:limit]],
        next="~".join(last) if last else "",
        searched="" if is_full or end is None else end[0],
    )


def _far_back(connection: Connection, here: Sequence[ColumnElement[bool]]) -> Any:
    """The place of the last row that is looked at, by the index alone; None: all are."""
    row = exceptions.c
    places = select(row.last_at, row.exception_id).where(*here).order_by(*_NEWEST_FIRST)
    return connection.execute(places.offset(_MOST_LOOKED_AT - 1).limit(1)).first()


def _place_of(row: Any) -> tuple[str, str]:
    return row.last_at, row.exception_id


def _position(after: str) -> tuple[str, str]:
    last_at, _, exception_id = after.partition("~")
    if not exception_id or moment_of(last_at) is None:
        raise ContractViolation(
            "this page cannot be found",
            findings=[f"after: {after[:100]!r} is not where a page of this list ends"],
            hint="leave it out for the first page",
        )
    return last_at, exception_id


def _groups(connection: Connection, chosen: Chosen) -> list[CauseGroup]:
    row, number = exceptions.c, func.count().label("exceptions")
    asked = (
        select(
            *(row[name] for name in _BY),
            number,
            func.sum(row.count).label("seen"),
            func.min(row.first_at).label("first_at"),
            func.max(row.last_at).label("last_at"),
            func.min(row.exception_id).label("sample"),
        )
        .where(*conditions(chosen))
        .group_by(*(row[name] for name in _BY))
        .order_by(number.desc())
        .limit(_MOST_COUNTED)
    )
    parts: dict[tuple[str, str], list[Any]] = {}
    for part in connection.execute(asked):
        parts.setdefault((part.owner, part.pattern), []).append(part)
    largest = sorted(parts.values(), key=lambda some: (-_total(some), some[0].owner, some[0].pattern))
    samples = _samples(connection, [some[0].sample for some in largest])
    return [_group(some, samples.get(some[0].sample)) for some in largest]


def _samples(connection: Connection, ids: Sequence[str]) -> dict[str, Any]:
    row = exceptions.c
    asked = select(row.exception_id, row.cause, row.source).where(row.exception_id.in_(ids))
    return {each.exception_id: each for each in connection.execute(asked)}


def _group(parts: Sequence[Any], sample: Any) -> CauseGroup:
    assignees: dict[str, int] = {}
    for part in parts:
        if part.assignee:
            assignees[part.assignee] = assignees.get(part.assignee, 0) + part.exceptions
    return CauseGroup(
        owner=parts[0].owner,
        pattern=parts[0].pattern,
        cause=sample.cause if sample is not None else parts[0].pattern,
        source=sample.source if sample is not None else "",
        kinds=sorted({part.kind for part in parts}),
        exceptions=_total(parts),
        seen=sum(int(part.seen) for part in parts),
        first_at=min(part.first_at for part in parts),
        last_at=max(part.last_at for part in parts),
        assignees=assignees,
    )


def _total(parts: Sequence[Any]) -> int:
    return sum(part.exceptions for part in parts)
