"""Exceptions as they are kept, chosen and counted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from lineshaft.core.errors import PermanentFault
from lineshaft.core.exceptions import NOBODY, Chosen, ExceptionState
from lineshaft.core.values import Event, ExceptionKind
from lineshaft.store import Store
from lineshaft.store.beginnings import begins
from lineshaft.store.rows import converter, plain
from lineshaft.store.schema import exceptions

__all__ = [
    "GROUPS",
    "LIGHT",
    "REPEATED",
    "Envelope",
    "ExceptionRow",
    "choose",
    "conditions",
    "count_open",
    "filters",
    "groups",
    "reach",
]

GROUPS = ("cause", "pattern", "owner", "assignee", "plant", "kind")
_ID_LENGTH = 36
_MOST_BEGINNINGS = 20
_HEAVY = ("payload", "corrected", "envelope")
LIGHT = [column for column in exceptions.columns if column.name not in _HEAVY]
"""What lists show: all but payloads."""

REPEATED = frozenset(
    {
        ExceptionKind.MALFORMED_READING,
        ExceptionKind.UNKNOWN_TAG,
        ExceptionKind.FLOOD,
        ExceptionKind.DEVICE_VIOLATION,
    }
)
"""What a device does again and again until somebody corrects it: one row, whichever message it was."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a payload came in: the event without its data, or the topic of a device message, or neither."""

    event: Event | None = None
    topic: str = ""


class ExceptionRow(msgspec.Struct, frozen=True, kw_only=True):
    exception_id: str
    kind: ExceptionKind
    plant: str
    source: str
    owner: str
    assignee: str
    cause: str
    pattern: str
    payload: bytes
    ref: str
    correlation_id: str
    state: ExceptionState
    count: int
    first_at: str
    last_at: str
    envelope: Envelope
    corrected: bytes
    revision: int
    redrives: int
    redrive_ref: str
    closed_at: str

    @property
    def current(self) -> bytes:
        """What a redrive sends: the corrected payload, else the original one."""
        return self.corrected if self.revision else self.payload


_ENVELOPE = msgspec.json.Decoder(Envelope)
_EXCEPTION_OF = converter(ExceptionRow, strict=False)
_IN_ORDER = (exceptions.c.first_at, exceptions.c.exception_id)
_AT_ONCE = 500


def conditions(chosen: Chosen) -> list[ColumnElement[bool]]:
    """All but ids and the expected number."""
    return [*reach(chosen), *filters(chosen)]


def reach(chosen: Chosen) -> list[ColumnElement[bool]]:
    """The state and times, which an index has in the order of pages."""
    row, found = exceptions.c, list[ColumnElement[bool]]()
    if chosen.state:
        found.append(row.state == chosen.state)
    if chosen.since:
        found.append(row.last_at >= chosen.since)
    if chosen.until:
        found.append(row.last_at < chosen.until)
    return found


def filters(chosen: Chosen) -> list[ColumnElement[bool]]:
    """What has to be looked at row by row."""
    row = exceptions.c
    exact = {name: getattr(chosen, name) for name in ("owner", "assignee", "pattern", "plant", "kind")}
    found = [row[name] == ("" if value == NOBODY else value) for name, value in exact.items() if value]
    for name in ("source", "cause"):
        if part := getattr(chosen, name):
            found.append(row[name].icontains(part, autoescape=True))
    if chosen.plants is not None:
        found.append(row.plant.in_(chosen.plants))
    return found


def choose(connection: Connection, chosen: Chosen) -> list[ExceptionRow]:
    """In the order in which they first happened.

    raises  PermanentFault for an id that is not there, or the beginning of several; where there are more or
            fewer than expected
    """
    found = _by_id(connection, chosen) if chosen.ids else _by_filters(connection, chosen)
    if chosen.expect not in (None, len(found)):
        raise PermanentFault(
            f"{len(found)} exceptions are chosen by now, not {chosen.expect}: nothing was done",
            code="not_as_shown",
            hint="look at the list again, and decide then",
        )
    return found


def _by_filters(connection: Connection, chosen: Chosen) -> list[ExceptionRow]:
    asked = select(exceptions).where(*conditions(chosen)).order_by(*_IN_ORDER)
    return [_row(row) for row in connection.execute(asked)]


def _by_id(connection: Connection, chosen: Chosen) -> list[ExceptionRow]:
    here = conditions(Chosen(state="", plants=chosen.plants))
    column, found = exceptions.c.exception_id, dict[str, ExceptionRow]()
    whole = [given for given in chosen.ids if len(given) == _ID_LENGTH]
    for start in range(0, len(whole), _AT_ONCE):
        some = column.in_(whole[start : start + _AT_ONCE])
        rows = connection.execute(select(exceptions).where(some, *here))
        found |= {row.exception_id: _row(row) for row in rows}
    beginnings = [given for given in chosen.ids if given not in found]
    for number, given in enumerate(beginnings):
        if number == _MOST_BEGINNINGS:
            raise PermanentFault(
                f"{len(beginnings)} exceptions are not named by their whole id",
                code="no_such_exception",
                hint=f"give whole ids; up to {_MOST_BEGINNINGS} may be beginnings",
            )
        named = begins(connection, column, given)
        alike = connection.execute(select(exceptions).where(named, *here).limit(2)).all()
        if not given or not alike:
            raise PermanentFault(
                f"there is no exception {given!r}",
                code="no_such_exception",
                hint="`lineshaft exceptions list --state all` names them all",
            )
        if len(alike) > 1:
            raise PermanentFault(
                f"several exceptions begin with {given!r}", code="no_such_exception", hint="give the whole id"
            )
        found[alike[0].exception_id] = _row(alike[0])
    return sorted(found.values(), key=lambda row: (row.first_at, row.exception_id))


def groups(connection: Connection, chosen: Chosen, by: str) -> list[dict[str, Any]]:
    """Each value of `by` (one of GROUPS) with how many exceptions it has and how often they were seen."""
    column = exceptions.c[by]
    asked = (
        select(
            column,
            func.count().label("exceptions"),
            func.sum(exceptions.c.count).label("seen"),
            func.min(exceptions.c.first_at).label("first_at"),
            func.max(exceptions.c.last_at).label("last_at"),
        )
        .where(*conditions(chosen))
        .group_by(column)
        .order_by(func.count().desc(), column)
    )
    return [dict(row._mapping) | {"seen": int(row.seen)} for row in connection.execute(asked)]


async def count_open(store: Store, plants: Collection[str] | None) -> int:
    """plants: whose; None: of all"""
    asked = select(func.count()).select_from(exceptions).where(exceptions.c.state == ExceptionState.OPEN)
    if plants is not None:
        asked = asked.where(exceptions.c.plant.in_(plants))
    return await store.read(lambda connection: connection.execute(asked).scalar_one())


def _row(row: Any) -> ExceptionRow:
    return _EXCEPTION_OF(plain(row) | {"envelope": _ENVELOPE.decode(row.envelope or "{}")})
