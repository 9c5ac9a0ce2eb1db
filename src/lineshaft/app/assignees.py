"""Who exceptions can be given to: the people of the access file; anybody by name on a node without one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

from lineshaft.core.errors import ContractViolation
from lineshaft.gateway.identity import AccessFile

__all__ = ["LONGEST_NAME", "People", "must_be_known", "people_of"]

LONGEST_NAME = 64
People = Callable[[], Mapping[str, str]]
"""Account → title of each person, as the access file is now."""


def people_of(access: AccessFile) -> dict[str, str]:
    return {name: entry.title for name, entry in access.accounts.items() if entry.kind == "person"}


def must_be_known(to: str, people: Mapping[str, str] | None, asks: str = "") -> None:
    """to: empty for nobody; people: None where anybody is known; asks: who may always take it upon themselves

    raises  ContractViolation
    """
    if len(to) > LONGEST_NAME:
        raise ContractViolation("a name is shorter", findings=[f"to: longer than {LONGEST_NAME} characters"])
    if not to or people is None or to in people or to == asks:
        return
    near = difflib.get_close_matches(to, people, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(people)) or 'none'}"
    raise ContractViolation(
        f"nobody here is called {to!r}", findings=[f"to: {to!r} is no person's account; {hint}"]
    )
