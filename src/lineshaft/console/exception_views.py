"""Exceptions as screens show them: rows, groups of one cause, the desks that decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lineshaft.console.exception_words import kind_words, state_words
from lineshaft.console.moments import Moment
from lineshaft.console.shell import Shell
from lineshaft.console.tones import Tone, tone_of

__all__ = ["Desk", "ExceptionRow", "Group", "Place", "row_view"]


class ExceptionRow(msgspec.Struct, frozen=True, kw_only=True):
    """said: the state in words"""

    id: str
    state: str
    said: str
    tone: Tone
    kind: str
    cause: str
    source: str
    owner: str
    plant: str
    assignee: str
    count: int
    first: Moment | None
    last: Moment | None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A state to go to. count: None where nobody counts."""

    said: str
    tone: Tone
    count: int | None
    address: str
    is_here: bool


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """filters: of the API, that choose exactly these; rows: empty while it is folded."""

    key: str
    title: str
    example: str
    source: str
    kinds: str
    exceptions: int
    seen: int
    first: Moment | None
    last: Moment | None
    assignees: list[tuple[str, int]]
    filters: Mapping[str, str]
    is_open: bool
    toggle: str
    all_rows: str
    rows: list[ExceptionRow]


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """more: how many causes are not shown; address: of this desk alone."""

    name: str
    exceptions: int
    groups: list[Group]
    more: int
    address: str


def row_view(row: Mapping[str, Any], shell: Shell) -> ExceptionRow:
    return ExceptionRow(
        id=row["exception_id"],
        state=row["state"],
        said=state_words(row["state"]),
        tone=tone_of(row["state"]),
        kind=kind_words(row["kind"]),
        cause=row["cause"],
        source=row["source"],
        owner=row["owner"],
        plant=row["plant"],
        assignee=row["assignee"],
        count=row["count"],
        first=shell.time.moment(row["first_at"], shell.now),
        last=shell.time.moment(row["last_at"], shell.now),
    )
