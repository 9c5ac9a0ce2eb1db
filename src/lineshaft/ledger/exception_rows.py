"""Exceptions as they are kept, chosen, listed and counted."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from lineshaft.core.errors import PermanentFault
from lineshaft.core.values import Event, ExceptionKind
from lineshaft.store.rows import converter, plain
from lineshaft.store.schema import exceptions

__all__ = [
    "GROUPS",
    "LIGHT",
    "REPEATED",
    "Chosen",
    "Envelope",
    "ExceptionRow",
    "ExceptionState",
    "choose",
    "groups",
    "listed",
]

GROUPS = ("cause", "owner", "plant", "kind")
_ID_LENGTH = 36
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


class ExceptionState(StrEnum):
    """redriven: sent on its way again, and not known yet what became of it."""

    OPEN = "open"
    REDRIVEN = "redriven"
    RESOLVED = "resolved"
    DISCARDED = "discarded"


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
    cause: str
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


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Which exceptions: by id (or the beginning of one), or by all that is given here; state "": any.

    source  a part of it
    """

    ids: Sequence[str] = ()
    state: str = ExceptionState.OPEN
    owner: str = ""
    plant: str = ""
    kind: str = ""
    source: str = ""

    def conditions(self) -> list[ColumnElement[bool]]:
        given = {"state": self.state, "owner": self.owner, "plant": self.plant, "kind": self.kind}
        found = [exceptions.c[name] == value for name, value in given.items() if value]
        if self.source:
            found.append(exceptions.c.source.contains(self.source, autoescape=True))
        return found


_ENVELOPE = msgspec.json.Decoder(Envelope)
_EXCEPTION_OF = converter(ExceptionRow, strict=False)


def choose(connection: Connection, chosen: Chosen) -> list[ExceptionRow]:
    """In the order in which they first happened.

    raises  PermanentFault for an id that is not there, or the beginning of several
    """
    asked = select(exceptions).order_by(exceptions.c.first_at, exceptions.c.exception_id)
    if not chosen.ids:
        return [_row(row) for row in connection.execute(asked.where(*chosen.conditions()))]
    found = {}
    for given in chosen.ids:
        column = exceptions.c.exception_id
        whole = len(given) == _ID_LENGTH
        named = column == given if whole else column.startswith(given, autoescape=True)
        rows = connection.execute(asked.where(named).limit(2)).all()
        if not given or not rows:
            raise PermanentFault(
                f"there is no exception {given!r}",
                code="no_such_exception",
                hint="`lineshaft exceptions list --state all` names them all",
            )
        if len(rows) > 1:
            raise PermanentFault(
                f"several exceptions begin with {given!r}", code="no_such_exception", hint="give the whole id"
            )
        found[rows[0].exception_id] = _row(rows[0])
    return sorted(found.values(), key=lambda row: (row.first_at, row.exception_id))


def listed(connection: Connection, chosen: Chosen, limit: int) -> list[dict[str, Any]]:
    """Without payloads, the newest first."""
    asked = select(*LIGHT).where(*chosen.conditions()).order_by(exceptions.c.last_at.desc()).limit(limit)
    return [dict(row._mapping) for row in connection.execute(asked)]


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
        .where(*chosen.conditions())
        .group_by(column)
        .order_by(func.count().desc(), column)
    )
    return [dict(row._mapping) | {"seen": int(row.seen)} for row in connection.execute(asked)]


def _row(row: Any) -> ExceptionRow:
    return _EXCEPTION_OF(plain(row) | {"envelope": _ENVELOPE.decode(row.envelope or "{}")})
