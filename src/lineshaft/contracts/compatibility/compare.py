"""Compare two versions of a schema."""

from __future__ import annotations

from typing import Any

from lineshaft.contracts.compatibility.document import Document
from lineshaft.contracts.compatibility.explain import Explanation
from lineshaft.contracts.compatibility.facets import changed_facets
from lineshaft.contracts.compatibility.finding import Finding, Mode
from lineshaft.contracts.compatibility.search import ValueSearch
from lineshaft.core.errors import ConfigError

__all__ = ["compare"]


def compare(
    old: dict[str, Any] | bool,
    new: dict[str, Any] | bool,
    mode: Mode,
    *,
    names: tuple[str, str] = ("old", "new"),
) -> list[Finding]:
    """Every reason why new may not follow old; none: it may.

    names   what the documents are called in errors
    raises  ConfigError for a document that is no schema of a known draft, or refers to what is not there

    Without a finding no document disproves it. A finding without a witness is named `undecided_…`, is a
    changed facet, or lies so deep that no whole document is made up.
    """
    try:
        return _compared(old, new, mode, names)
    except RecursionError as error:
        raise ConfigError(
            f"{names[0]} or {names[1]} is nested too deep to be compared",
            hint="put inner schemas under $defs",
        ) from error


def _compared(old: Any, new: Any, mode: Mode, names: tuple[str, str]) -> list[Finding]:
    was, now = Document(old, names[0]), Document(new, names[1])
    search = ValueSearch(was, now)
    first, last = search.nodes.of(was.schemas[""], was), search.nodes.of(now.schemas[""], now)
    found = changed_facets(old, new)
    if mode is not Mode.FORWARD:
        found += Explanation(search, first, last, "backward").run()
    if mode is not Mode.BACKWARD:
        found += Explanation(search, last, first, "forward").run()
    return found
