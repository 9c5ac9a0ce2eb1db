"""Which instances there are, page by page, and how many in each state."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    false,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)

from lineshaft.core.clock import moment_of, rfc3339
from lineshaft.core.errors import ContractViolation
from lineshaft.processes.lookup import Plants
from lineshaft.processes.records import FINISHED, ProcessState
from lineshaft.processes.views import FACTS, facts_of, waits_of
from lineshaft.store.beginnings import begins
from lineshaft.store.rows import plain
from lineshaft.store.schema import (
    OPEN_STEP,
    OPEN_WAIT,
    business_keys,
    process_steps,
    process_waits,
    processes,
)

__all__ = ["MOST_COUNTED", "Asked", "counted", "cursor_of", "desks", "distinct", "listed"]

MOST_COUNTED = 10_000
_OPEN = tuple(state for state in ProcessState if state not in FINISHED)
_GETTING_ON = (ProcessState.RUNNING, ProcessState.RETRYING, ProcessState.PARKED)
_SEVERAL = {"": tuple(ProcessState), "open": _OPEN, "finished": FINISHED}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is empty does not matter.

    state        one of ProcessState, or `open`, or `finished`
    plants       those of these; None: of all
    owner        the desk that it is parked with
    key          a business key, how it begins, or a key that what started it has
    waiting_for  an event type, operation or role, or the key of an awaited event
    since        started then or after; until: before then; RFC 3339 in UTC, as the ledger has times
    late         seconds by type: only those that run, retry or are parked without getting on for longer
    after        as `cursor_of` gives it: those that follow on this one
    """

    state: str = ""
    type: str = ""
    plants: frozenset[str] | None = None
    owner: str = ""
    key: str = ""
    waiting_for: str = ""
    since: str = ""
    until: str = ""
    late: Mapping[str, float] | None = None
    after: str = ""
    limit: int = 50


def cursor_of(row: Mapping[str, Any]) -> str:
    """row: of `listed`"""
    return f"{row['started_at']}~{row['process_id']}"


def listed(connection: Connection, asked: Asked, now: datetime) -> list[dict[str, Any]]:
    """The newest first; not those in the archive.

    raises  ContractViolation for a cursor that is none
    """
    table = processes.c
    columns = [table[name] for name in FACTS] + [table.wake_at]
    where = _conditions(connection, asked, now)
    if asked.after:
        place = tuple_(table.started_at, table.process_id)
        where.append(place < tuple_(*map(literal, _position(asked.after))))
    found = [
        plain(row)
        for states in _looks(asked)
        for row in connection.execute(
            select(*columns)
            .where(*states, *where)
            .order_by(table.started_at.desc(), table.process_id.desc())
            .limit(asked.limit)
        )
    ]
    found.sort(key=lambda row: (row["started_at"], row["process_id"]), reverse=True)
    rows = found[: asked.limit]
    waits_for = waits_of(connection, [row["process_id"] for row in rows if row["state"] not in FINISHED])
    return [facts_of(row, now) | {"waits_for": waits_for.get(row["process_id"], [])} for row in rows]


def _looks(asked: Asked) -> list[list[ColumnElement[bool]]]:
    """The conditions of state, one for each query.

    Rows of a key are few, and found by it. Else it is one look at the index for each state, and the newest of
    what they give, so that a rare state is found without reading past all others.
    """
    state, states = processes.c.state, _states(asked)
    if asked.key or asked.waiting_for:
        return [[state.concat("").in_(states)]]  # not by the index of states
    is_narrowed = asked.state or asked.type or asked.plants is not None
    if is_narrowed or len(states) < len(ProcessState):
        return [[state == each] for each in states]
    return [[]]


def counted(connection: Connection, asked: Asked, now: datetime) -> dict[str, int]:
    """How many there are in each state, whichever state is asked for; MOST_COUNTED + 1 stands for more."""
    where, state = _conditions(connection, asked, now), processes.c.state
    possible = _possible_states(asked)
    if asked.key or asked.waiting_for:
        found = select(state, func.count()).where(state.concat("").in_(possible), *where).group_by(state)
        return {row.state: row[1] for row in connection.execute(found)}
    counts = []
    for each in possible:
        some = select(processes.c.process_id).where(state == each, *where).limit(MOST_COUNTED + 1)
        counts.append(select(literal(str(each)), func.count()).select_from(some.subquery()))
    return {row[0]: row[1] for row in connection.execute(union_all(*counts)) if row[1]}


def distinct(connection: Connection, column: Any) -> list[str]:
    """The values of a column with an index, in order: one look for each, however many rows have it."""
    value = func.min(column)
    first = select(value.label("value")).cte("found", recursive=True)
    following = select(value).where(column > first.c.value).scalar_subquery()
    found = first.union_all(select(following).where(first.c.value.is_not(None)))
    return list(connection.execute(select(found.c.value).where(found.c.value > "")).scalars())


def desks(connection: Connection, plants: Plants) -> list[str]:
    """Those with which something of these plants is parked; None: of any plant."""
    parked = select(processes.c.owner).where(processes.c.state == ProcessState.PARKED).distinct()
    if plants is not None:
        parked = parked.where(processes.c.plant.in_(sorted(plants)))
    return sorted(filter(None, connection.execute(parked).scalars()))


def _states(asked: Asked) -> tuple[str, ...]:
    possible = _possible_states(asked)
    return tuple(state for state in _SEVERAL.get(asked.state, (asked.state,)) if state in possible)


def _possible_states(asked: Asked) -> tuple[str, ...]:
    """What the filters leave, whichever state is asked for."""
    if asked.owner:
        return (ProcessState.PARKED,)
    if asked.late is not None:
        return _GETTING_ON
    return _OPEN if asked.waiting_for else tuple(ProcessState)


def _conditions(connection: Connection, asked: Asked, now: datetime) -> list[ColumnElement[bool]]:
    """All but those of the state."""
    table = processes.c
    found: list[ColumnElement[bool]] = []
    if asked.type:
        found.append(table.type == asked.type)
    if asked.plants is not None:
        found.append(table.plant.in_(sorted(asked.plants)))
    if asked.owner:
        found.append(table.owner == asked.owner)
    if asked.key:
        index = business_keys.c
        mentioning = select(index.ref).where(index.key == asked.key, index.kind == "process")
        found.append(or_(begins(connection, table.business_key, asked.key), table.process_id.in_(mentioning)))
    if asked.waiting_for:
        found.append(_waiting_for(asked.waiting_for))
    if asked.since:
        found.append(table.started_at >= asked.since)
    if asked.until:
        found.append(table.started_at < asked.until)
    if asked.late is not None:
        found.append(
            or_(
                *(
                    and_(table.type == name, table.updated_at < rfc3339(now - timedelta(seconds=seconds)))
                    for name, seconds in asked.late.items()
                ),
                false(),
            )
        )
    return found


def _waiting_for(what: str) -> ColumnElement[bool]:
    step, wait = process_steps.c, process_waits.c
    by_name = select(step.process_id).where(step.name == what, OPEN_STEP)
    by_key = select(wait.process_id).where(wait.key == what, OPEN_WAIT)
    return processes.c.process_id.in_(union_all(by_name, by_key))


def _position(cursor: str) -> tuple[str, str]:
    started_at, _, process_id = cursor.partition("~")
    moment = moment_of(started_at)
    if moment is None:
        raise ContractViolation(
            "the query breaks its contract", findings=[f"after: {cursor[:100]!r} is not the cursor of a page"]
        )
    return rfc3339(moment), process_id
