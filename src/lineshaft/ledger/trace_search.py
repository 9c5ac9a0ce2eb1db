"""Which stories a key leads to, and which keys there are."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    Subquery,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)

from lineshaft.core.ids import business_key
from lineshaft.store.process_documents import unpacked
from lineshaft.store.schema import (
    api_requests,
    archived_processes,
    business_keys,
    calls,
    events,
    exceptions,
    process_waits,
    processes,
)

__all__ = ["READING", "Plants", "keys_like", "of_plants", "stories_with"]

READING = ("GET", "HEAD")
"""Requests over HTTP that change nothing are in no story."""

Plants = Collection[str] | None
"""Whose rows there are for who asks; None: those of every plant."""

_MOST_STORIES = 1_000
_MOST_ARCHIVED = 200
_MOST_REFS = 50
_MOST_KEYS_SEEN = 40
_SHORTEST = 2


def of_plants(column: ColumnElement[str], plants: Plants) -> ColumnElement[bool]:
    return true() if plants is None else column.in_(sorted(plants))


def stories_with(connection: Connection, key: str, plants: Plants = None) -> list[str]:
    """Correlation ids of what mentions the key: those of processes, then of calls, then of events, each the
    newest first, at most a thousand of a kind. By subqueries: an asset is mentioned more often than a list
    may hold."""
    found = [
        *_of_processes(connection, key, plants),
        *_of_archived(connection, key, plants),
        *_of_calls(connection, key, plants),
        *_of_events(connection, key, plants),
        *_of_requests(connection, key, plants),
        *_of_exceptions(connection, key, plants),
    ]
    return list(dict.fromkeys(found))


def _mentioned(key: str | ColumnElement[str], kind: str) -> Select[Any]:
    return select(business_keys.c.ref).where(business_keys.c.key == key, business_keys.c.kind == kind)


def _any(*questions: Select[Any]) -> CompoundSelect[Any]:
    """Ids of any of these. As OR of subqueries, PostgreSQL would read the whole table."""
    return union_all(*questions)


def _column(connection: Connection, question: Select[Any]) -> list[str]:
    return [row[0] for row in connection.execute(question.limit(_MOST_STORIES))]


def _of_processes(connection: Connection, key: str, plants: Plants) -> list[str]:
    process, wait = processes.c, process_waits.c
    ids = _any(
        select(literal(key)),
        _mentioned(key, "process"),
        select(process.process_id).where(process.correlation_id == key),
        select(wait.process_id).where(wait.event_id == key),
        select(wait.process_id).where(wait.event_id != "", wait.event_id.in_(_mentioned(key, "event"))),
    )
    question = select(process.correlation_id).where(
        process.process_id.in_(ids), of_plants(process.plant, plants)
    )
    return _column(connection, question.order_by(process.started_at.desc()))


def _of_archived(connection: Connection, key: str, plants: Plants) -> list[str]:
    """The plant of an archived process is in its document only."""
    kept, index = archived_processes.c, business_keys.c
    ids = _any(
        select(literal(key)),
        _mentioned(key, "process"),
        select(kept.process_id).where(kept.correlation_id == key),
        select(index.ref).where(index.kind == "process", index.key.in_(_mentioned(key, "event"))),
    )
    question = select(kept.correlation_id).where(kept.process_id.in_(ids)).order_by(kept.finished_at.desc())
    if plants is None:
        return _column(connection, question)
    some = connection.execute(question.add_columns(kept.document).limit(_MOST_ARCHIVED))
    return [row.correlation_id for row in some if unpacked(row.document).process["plant"] in plants]


def _of_calls(connection: Connection, key: str, plants: Plants) -> list[str]:
    """A call's id derives from its idempotency key; its document number is among its business keys."""
    call = calls.c
    ids = _any(select(literal(key)), select(literal(business_key("call", key))), _mentioned(key, "call"))
    question = select(call.correlation_id).where(call.call_id.in_(ids), of_plants(call.plant, plants))
    return _column(connection, question.order_by(call.created_at.desc()))


def _of_events(connection: Connection, key: str, plants: Plants) -> list[str]:
    """An event that a process took in belongs to that process's story; the index knows it of archived
    ones."""
    event, wait, index = events.c, process_waits.c, business_keys.c
    ids = _any(
        select(literal(key)),
        select(event.event_id).where(event.correlation_id == key),
        _mentioned(key, "event"),
    )
    waiting = wait.event_id == event.event_id
    if plants is not None:
        waiting = and_(
            waiting, wait.process_id == processes.c.process_id, of_plants(processes.c.plant, plants)
        )
    taken = or_(exists().where(waiting), exists().where(index.key == event.event_id, index.kind == "process"))
    newest = (
        select(event.event_id)
        .where(event.event_id.in_(ids), of_plants(event.plant, plants))
        .order_by(event.recorded_at.desc())
        .limit(_MOST_STORIES)
    )
    question = select(event.correlation_id).where(event.event_id.in_(newest.subquery().select()), ~taken)
    return _column(connection, question.order_by(event.recorded_at.desc()))


def _of_requests(connection: Connection, key: str, plants: Plants) -> list[str]:
    request = api_requests.c
    question = select(request.correlation_id).where(
        or_(request.request_id == key, request.correlation_id == key),
        request.method.not_in(READING),
        of_plants(request.plant, plants),
    )
    return _column(connection, question)


def _of_exceptions(connection: Connection, key: str, plants: Plants) -> list[str]:
    """A payload that told no event has a story only by what its redrive went out as."""
    wrong = exceptions.c
    question = select(wrong.correlation_id, wrong.redrive_ref).where(
        wrong.exception_id == key, of_plants(wrong.plant, plants)
    )
    found: list[str] = []
    for story, ref in connection.execute(question):
        found += [story] if story else stories_with(connection, ref, plants) if ref else []
    return found


def keys_like(connection: Connection, begins: str, plants: Plants = None, most: int = 10) -> list[str]:
    """Business keys that begin with this, in the database's own order, among the next few dozen. Each costs a
    look into the index, also where thousands of rows mention it; a text of one letter finds none."""
    if len(begins) < _SHORTEST:
        return []
    following = _keys_from(begins)
    question = select(following.c.key)
    if plants is not None:
        question = question.where(_is_told(following, plants))
    # a database that sorts as a language does may have others in between
    found = [key for key in connection.execute(question).scalars() if key.startswith(begins)]
    return found[:most]


def _keys_from(begins: str) -> Subquery:
    index = business_keys.c.key
    first = select(func.min(index).label("key")).where(index >= begins).cte("following", recursive=True)
    one_more = select(func.min(index)).where(index > first.c.key).scalar_subquery()
    keys = first.union_all(select(one_more).where(first.c.key.is_not(None)))
    return select(keys.c.key).where(keys.c.key.is_not(None)).limit(_MOST_KEYS_SEEN).subquery()


def _is_told(keys: Subquery, plants: Collection[str]) -> ColumnElement[bool]:
    """That a row of these plants mentions it, among the first few of each kind."""
    kinds = (("event", events, "event_id"), ("call", calls, "call_id"), ("process", processes, "process_id"))
    told = []
    for kind, table, id in kinds:
        mentioned = _mentioned(keys.c.key, kind).limit(_MOST_REFS).correlate(keys)
        is_own = of_plants(table.c.plant, plants)
        told.append(exists().where(table.c[id].in_(mentioned), is_own).correlate(keys))
    return or_(*told)
