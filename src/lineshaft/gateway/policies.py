"""What an account may take of the gateway: rate, quota, sizes, times, and which fields it is shown."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, Protocol

import msgspec

__all__ = ["ANYBODY", "UNLIMITED", "AccountPolicy", "FieldRules", "Policies", "shown_fields"]

Mask = Literal["hidden", "last4", "hash"]
Shown = Callable[[Any], Any]
_Many = Annotated[float, msgspec.Meta(ge=0)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class FieldRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which fields of a route's good answers are sent. Paths are names with dots; lists are gone through.

    allow  only these and what they hold; empty: all
    deny   never these
    mask   path → `hidden`: "***"; `last4`: only the last four characters; `hash`: the same text for the
           same value, and no way back for who cannot guess it
    """

    allow: list[str] = msgspec.field(default_factory=list)
    deny: list[str] = msgspec.field(default_factory=list)
    mask: dict[str, Mask] = msgspec.field(default_factory=dict)


class AccountPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """rate_per_s    requests of each of its keys, on average; 0: any
    burst          requests at once before the rate holds
    quota_per_day  requests of the whole account in a UTC day; 0: any
    body_bytes     of one request
    timeout_s      for one request to be worked on
    fields         by name of the route; `*`: those of every route that has none of its own
    """

    rate_per_s: _Many = 100.0
    burst: Annotated[int, msgspec.Meta(ge=1)] = 200
    quota_per_day: _Count = 0
    body_bytes: Annotated[int, msgspec.Meta(ge=1, le=64 * 2**20)] = 2**20
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 30.0
    fields: dict[str, FieldRules] = msgspec.field(default_factory=dict)


UNLIMITED = AccountPolicy(rate_per_s=0)
"""Of the local caller of a node without an access file, who owns the machine."""

ANYBODY = AccountPolicy(rate_per_s=1000, burst=2000)
"""Of each address that asks for what is public."""


class Policies(Protocol):
    def policy(self, account: str) -> AccountPolicy:
        """Of an account of the access file, as it is now; UNLIMITED for the local caller, whose account is
        empty. Gives the same object for as long as nothing has changed."""
        ...


def shown_fields(policy: AccountPolicy, route: str) -> Shown | None:
    """What makes of an answer's value the one that may be sent; None where nothing is ruled."""
    rules = policy.fields.get(route) or policy.fields.get("*")
    if rules is None:
        return None
    allowed = _tree(rules.allow) if rules.allow else None
    denied, masked = _tree(rules.deny), _tree(rules.mask, rules.mask)

    def shown(value: Any) -> Any:
        return _walk(msgspec.to_builtins(value), allowed, denied, masked)

    return shown


_Tree = dict[str, Any]
_HERE = ""


def _tree(paths: Iterable[str], leaves: Mapping[str, str] | None = None) -> _Tree:
    """Names within names; a path that ends has the member "" with its leaf."""
    root: _Tree = {}
    for path in paths:
        node = root
        for name in path.split("."):
            node = node.setdefault(name, {})
        node[_HERE] = leaves[path] if leaves else True
    return root


def _walk(value: Any, allowed: _Tree | None, denied: _Tree, masked: _Tree) -> Any:
    if isinstance(value, list):
        return [_walk(item, allowed, denied, masked) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, part in value.items():
        within = allowed.get(name) if allowed is not None else None
        its_denied, its_masked = denied.get(name, {}), masked.get(name, {})
        if (allowed is not None and within is None) or _HERE in its_denied:
            continue
        if how := its_masked.get(_HERE):
            kept[name] = _mask(part, how)
        elif allowed is None or within is None or _HERE in within:
            kept[name] = _walk(part, None, its_denied, its_masked)
        elif isinstance(part, dict | list):
            kept[name] = _walk(part, within, its_denied, its_masked)
    return kept


def _mask(value: Any, how: Mask) -> Any:
    """Nothing stays nothing: that a field is empty is no secret that a mask could keep."""
    if value is None or value == "":
        return value
    if how == "hidden":
        return "***"
    text = value if isinstance(value, str) else msgspec.json.encode(value, order="deterministic").decode()
    if how == "last4":
        return "***" + text[-4:] if len(text) > 4 else "***"
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:16]
