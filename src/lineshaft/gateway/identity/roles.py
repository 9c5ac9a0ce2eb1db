"""What a role may: patterns of permissions, as core.access.grants reads them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

__all__ = ["BUILT_IN", "VERBS", "doubts_about"]

VERBS = frozenset(("administer", "call", "decide", "publish", "read", "register", "start", "subscribe"))

_SEEN = ("read:*", "subscribe:*")

BUILT_IN: Mapping[str, Sequence[str]] = {
    "viewer": _SEEN,
    "operator": (*_SEEN, "start:*", "decide:*"),
    "engineer": (*_SEEN, "start:*", "decide:*", "call:*", "register:contracts"),
    "integrator": (
        "read:contracts",
        "read:orders",
        "read:assets",
        "read:stock",
        "read:quality",
        "subscribe:*",
    ),
    "administrator": ("*:*",),
}
"""Roles that every access file may name without declaring them. integrator: a connected system or partner
that is told what happens; what it may publish, call and start is a role of its own."""


def doubts_about(pattern: str) -> str:
    """What is wrong with a pattern; empty: nothing."""
    verb, colon, what = pattern.partition(":")
    if not colon or not what:
        return f"{pattern!r} is no permission; write verb:object, such as call:maintenance.create_request"
    if "*" in what[:-1]:
        return f"{pattern!r}: * stands at the end only, such as call:erp.*"
    if verb != "*" and verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(VERBS))}"
        return f"{pattern!r}: there is no verb {verb!r}; {hint}"
    return ""
