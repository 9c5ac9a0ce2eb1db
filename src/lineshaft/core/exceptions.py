"""Which exceptions people mean, and how they are shown to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

__all__ = ["NOBODY", "CauseGroup", "Chosen", "ExceptionChoices", "ExceptionPage", "ExceptionState"]

NOBODY = "-"
"""As an owner or assignee that is asked for: there is none."""


class ExceptionState(StrEnum):
    """redriven: sent on its way again, and not known yet what became of it."""

    OPEN = "open"
    REDRIVEN = "redriven"
    RESOLVED = "resolved"
    DISCARDED = "discarded"


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Which exceptions: by id (or the beginning of one), or by all that is given here; state "": any.

    owner, assignee  NOBODY: those without one
    source, cause    a part of it, in any case
    pattern          whole, see core.causes
    since, until     of the time when it was last seen, as asked_times.asked_text has it; until is excluded
    plants           those of others do not exist for who asks; None: of all plants
    expect           how many it must be, for decisions on what somebody has seen; None: any number
    """

    ids: Sequence[str] = ()
    state: str = ExceptionState.OPEN
    owner: str = ""
    plant: str = ""
    kind: str = ""
    source: str = ""
    assignee: str = ""
    pattern: str = ""
    cause: str = ""
    since: str = ""
    until: str = ""
    plants: Collection[str] | None = None
    expect: int | None = None


class ExceptionPage(msgspec.Struct, frozen=True, kw_only=True):
    """rows      without payloads, the newest first
    next      where the next page begins, empty at the end
    searched  how far back was looked for these, where there may be more before that; else empty
    """

    rows: list[dict[str, Any]]
    next: str
    searched: str = ""


class CauseGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Exceptions of one desk whose causes differ only in numbers and names.

    cause      of one of them, in full; pattern: what they share
    seen       how often, all together
    assignees  who looks after how many; those of nobody are not in it
    """

    owner: str
    pattern: str
    cause: str
    source: str
    kinds: list[str]
    exceptions: int
    seen: int
    first_at: str
    last_at: str
    assignees: Mapping[str, int]


class ExceptionChoices(msgspec.Struct, frozen=True, kw_only=True):
    """What the open ones can be narrowed down to, in alphabetical order; empty texts are left out."""

    owners: list[str]
    plants: list[str]
    assignees: list[str]
