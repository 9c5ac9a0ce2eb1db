"""What many exceptions have in common: their cause without what only one of them has."""

from __future__ import annotations

import re

__all__ = ["LONGEST_PATTERN", "cause_pattern"]

LONGEST_PATTERN = 200
_SPECIFIC = re.compile(
    r"""(?<!\w)'[^']*'(?!\w) | "[^"]*" | “[^”]*” | ‘[^’]*’  # what is quoted
    | [^\s,;()/]* \d [^\s,;()/]*  # a word, or a part of a path, with a digit: number, id, key, time
    """,
    re.VERBOSE,
)
_MANY = re.compile(r"…(?:[\s,;]*…)+")


def cause_pattern(cause: str) -> str:
    """`unknown material 'M-4711' at 10:02:11` → `unknown material … at …`: what exceptions are grouped by.

    A colon after such a word stays; a cause of nothing but such words is kept as it is.
    """
    told = _MANY.sub("…", _SPECIFIC.sub(_stripped, cause[: 4 * LONGEST_PATTERN]))
    told = " ".join(told.split())
    return (told if told.strip("… :") else " ".join(cause.split()))[:LONGEST_PATTERN].strip()


def _stripped(found: re.Match[str]) -> str:
    text = found[0]
    return "…" + (text[-1] if text[-1] in ":." and text[0] not in "'\"“‘" else "")
