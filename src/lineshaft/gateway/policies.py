"""What an account may take of the gateway: rate, quota, sizes, times, and which fields it is shown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

import msgspec

from lineshaft.core.access import PAYLOADS

__all__ = [
    "ANYBODY",
    "EVERYTHING",
    "UNLIMITED",
    "AccountPolicy",
    "FieldRules",
    "Policies",
    "Shown",
    "shown_fields",
]

Mask = Literal["hidden", "last4", "hash"]
_Many = Annotated[float, msgspec.Meta(ge=0)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class FieldRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which fields of a route's good answers are sent. Paths are names with dots; lists are gone through.
    What a path hides of a payload is hidden in every place where the console and its APIs tell of payloads.

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


class Shown:
    """What makes of an answer's value the one that may be sent.

    payloads  rules for each payload within an answer, from its own root; None: the answer has none
    """

    def __init__(self, answers: Sequence[_Rules], payloads: Sequence[_Rules] | None = None) -> None:
        self._answers = answers
        self._payloads = payloads

    def __call__(self, answer: Any) -> Any:
        if not self.hides:
            return answer
        found = _ruled(msgspec.to_builtins(answer), self._answers)
        return self._with_payloads(found) if self._payloads else found

    def payload(self, value: Any) -> Any:
        """One that is shown by itself."""
        rules = self._answers if self._payloads is None else self._payloads
        return _ruled(msgspec.to_builtins(value), rules) if rules else value

    @property
    def hides(self) -> bool:
        """Anything at all, so that what is said about values in other words is not said, either."""
        return bool(self._answers or self._payloads)

    def _with_payloads(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._with_payloads(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.get("kind") in _TOLD_AGAIN:
            value = _ruled(value, [(None, denied, masked) for _, denied, masked in self._payloads or ()])
            if isinstance(title := value.get("title"), str):
                value["title"] = title.partition(" = ")[0]  # a reading's has its value and unit
        return {
            name: self.payload(part) if name in PAYLOADS else self._with_payloads(part)
            for name, part in value.items()
        }


EVERYTHING = Shown(())

_TOLD_AGAIN = frozenset(("rule", "reading"))
"""Kinds of entries of a story which have fields of an event's payload as their own."""

_PAGE, _EVERY = "console-", "*"


def shown_fields(
    policy: AccountPolicy, route: str, same: Sequence[str] = (), *, payloads: bool = False
) -> Shown | None:
    """What makes of an answer's value the one that may be sent; None where nothing is ruled.

    same      other routes that tell the same facts: their rules hold here, too
    payloads  it tells of payloads. What any rule of the account hides in one holds for all of them, as the
              same payload is told of in many places.
    """
    names = {name if name in policy.fields else _EVERY for name in (route, *same)} & policy.fields.keys()
    answers = [_rules(policy.fields[name]) for name in sorted(names)]
    if not payloads:
        return Shown(answers) if answers else None
    within = [_within_payloads(name, rules, name in names) for name, rules in policy.fields.items()]
    found = [rules for rules in within if rules is not None]
    return Shown(answers, found) if answers or found else None


def _within_payloads(name: str, rules: FieldRules, is_here: bool) -> _Rules | None:
    """From the root of a payload. Paths of pages, and of what holds for every route, are so already."""
    as_they_are = name == _EVERY or name.startswith(_PAGE)

    def paths(given: Iterable[str]) -> Iterator[tuple[str, str]]:
        for path in given:
            rest = _after_payload(path)
            if rest:
                yield path, rest
            elif as_they_are and rest is None:
                yield path, path

    allowed = dict(paths(rules.allow)).values() if is_here else ()
    if any(_after_payload(path) == "" for path in rules.allow):  # whole payloads
        allowed = ()
    found = FieldRules(
        allow=list(allowed),
        deny=[rest for _, rest in paths(rules.deny)],
        mask={rest: rules.mask[path] for path, rest in paths(rules.mask)},
    )
    return _rules(found) if found.allow or found.deny or found.mask else None


def _after_payload(path: str) -> str | None:
    """The rest of a path that leads to a payload; None for one that does not."""
    names = path.split(".")
    place = next((place for place, name in enumerate(names) if name in PAYLOADS), None)
    return None if place is None else ".".join(names[place + 1 :])


_Tree = dict[str, Any]
_Rules = tuple[_Tree | None, _Tree, _Tree]
_HERE = ""
_HASHED = re.compile("sha256:[0-9a-f]{16}")


def _rules(rules: FieldRules) -> _Rules:
    return _tree(rules.allow) if rules.allow else None, _tree(rules.deny), _tree(rules.mask, rules.mask)


def _ruled(value: Any, every: Sequence[_Rules]) -> Any:
    for rules in every:
        value = _walk(value, *rules)
    return value


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
    if isinstance(value, str) and _HASHED.fullmatch(value):  # by another rule for it
        return value
    text = value if isinstance(value, str) else msgspec.json.encode(value, order="deterministic").decode()
    if how == "last4":
        return "***" + text[-4:] if len(text) > 4 else "***"
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:16]
