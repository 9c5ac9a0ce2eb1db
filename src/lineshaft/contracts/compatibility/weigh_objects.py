"""Is there an object that all of these facts leave? None: proved that there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import combinations
from typing import Any

from lineshaft.contracts.compatibility.document import string_is_valid
from lineshaft.contracts.compatibility.facts import Fact, Members, Names, Required, Size, SomeMember
from lineshaft.contracts.compatibility.nodes import Goal, Literal, View
from lineshaft.contracts.compatibility.outcome import Outcome, Search, Weighed

__all__ = ["weigh_object"]

_MOST_PATTERNS = 6
_MOST_MEMBERS = 40  # of an example


class _Object:
    """known: names that the facts speak of; required: of them, those that are there."""

    def __init__(self, facts: list[Fact], search: Search) -> None:
        self.search = search
        self._members = [fact for fact in facts if isinstance(fact, Members)]
        self._names = [fact.name for fact in facts if isinstance(fact, Names)]
        self._some = [fact for fact in facts if isinstance(fact, SomeMember)]
        sizes = [fact for fact in facts if isinstance(fact, Size)]
        self.least = max((size.least for size in sizes), default=0)
        self.most = min((size.most for size in sizes if size.most is not None), default=None)
        self.required = sorted({fact.name for fact in facts if isinstance(fact, Required)})

    @cached_property
    def known(self) -> list[str]:
        named = {name for fact in self._members for name in fact.names}
        named.update(name for fact in self._some for name in fact.names)
        return [*self.required, *sorted(named.difference(self.required))]

    @cached_property
    def patterns(self) -> list[str]:
        found = {text for fact in self._members for text, _ in fact.patterns}
        found.update(text for fact in self._some for text in fact.unlike)
        return sorted(found | {fact.like for fact in self._some if fact.like is not None})

    def member(self, name: str, *more: Literal) -> Outcome:
        """Its value, if there is a member of this name."""
        goal = set(more)
        for fact in self._members:
            parts = [part for text, part in fact.patterns if string_is_valid("pattern", text, name)]
            if name in fact.names:
                parts.append(fact.names[name])
            goal.update(parts or ([fact.rest] if fact.rest else ()))
        if not self.takes_name(name):
            goal.add(Literal(self.search.nodes.false, True, View.PLAIN))
        goal.discard(Literal(self.search.nodes.true, True, View.PLAIN))
        return self.search.find(frozenset(goal))

    def takes_name(self, name: str, *more: Literal) -> bool:
        return all(self.search.evaluator.holds(name, each) for each in (*self._names, *more))

    def others(self, fact: SomeMember) -> Iterator[tuple[Outcome, Outcome]]:
        """Names and values of members that no fact names: one pair for each set of patterns matched.

        Beyond some patterns nothing is proved any more.
        """
        if len(self.patterns) > _MOST_PATTERNS:
            yield Outcome(rule="undecided_pattern"), Outcome(rule="undecided_pattern")
            return
        for count in range(len(self.patterns) + 1):
            for matched in combinations(self.patterns, count):
                if (fact.like is None or fact.like in matched) and not fact.unlike.intersection(matched):
                    yield from self._others_matching(frozenset(matched), fact)

    def _others_matching(
        self, matched: frozenset[str], fact: SomeMember
    ) -> Iterator[tuple[Outcome, Outcome]]:
        goal = {fact.member} if fact.member else set()
        for each in self._members:
            parts = [part for text, part in each.patterns if text in matched]
            goal.update(parts or ([each.rest] if each.rest else ()))
        value = self.search.find(frozenset(goal))
        if value.is_empty:
            return
        name = self.search.find(self._name_goal(matched, fact))
        if not name.is_empty:
            yield name, value

    def _name_goal(self, matched: frozenset[str], fact: SomeMember) -> Goal:
        nodes = self.search.nodes
        document = nodes.true.document
        goal = {Literal(nodes.of({"type": ["string"]}, document), True, View.PLAIN), *self._names}
        for text in self.patterns:
            goal.add(Literal(nodes.of({"pattern": text}, document), text in matched, View.PLAIN))
        if self.known:
            goal.add(Literal(nodes.of({"enum": self.known}, document), False, View.PLAIN))
        return frozenset(goal | ({fact.name} if fact.name else set()))


def weigh_object(facts: Iterable[Fact], search: Search) -> Weighed | None:
    facts = list(facts)
    parts = _Object(facts, search)
    if parts.most is not None and max(len(parts.required), parts.least) > parts.most:
        return None
    example: dict[str, Any] = {}
    is_complete = True
    for name in parts.required:
        outcome = parts.member(name)
        if outcome.is_empty:
            return None
        is_complete &= _put(example, name, outcome)
    for fact in facts:
        if isinstance(fact, SomeMember):
            found = _some_member(parts, fact, example)
            if found is None or parts.most == 0:
                return None
            is_complete &= found
    if parts.least > len(example):
        found = _filled(parts, example)
        if found is None:
            return None
        is_complete &= found
    return Weighed([example] if is_complete else [], "undecided_members")


def _put(example: dict[str, Any], name: str, outcome: Outcome) -> bool:
    if outcome.witness is None:
        return False
    example[name] = outcome.witness[0]
    return True


def _some_member(parts: _Object, fact: SomeMember, example: dict[str, Any]) -> bool | None:
    """None: there is no such member; whether the example now has it."""
    more = [fact.member] if fact.member else []
    is_possible = False
    for name in parts.known:
        if (
            name in fact.names
            or any(string_is_valid("pattern", text, name) for text in fact.unlike)
            or (fact.like is not None and not string_is_valid("pattern", fact.like, name))
            or (fact.name and not parts.takes_name(name, fact.name))
        ):
            continue
        outcome = parts.member(name, *more)
        if _put(example, name, outcome):
            return True
        is_possible |= not outcome.is_empty
    for name_found, value in parts.others(fact):
        is_possible = True
        if name_found.witness and _put(example, name_found.witness[0], value):
            return True
    return False if is_possible else None


def _filled(parts: _Object, example: dict[str, Any]) -> bool | None:
    """With members until there are enough. None: there cannot be."""
    possible = len(example)
    is_open = False
    for name in parts.known:
        if name not in example:
            outcome = parts.member(name)
            possible += not outcome.is_empty
            if len(example) < parts.least:
                _put(example, name, outcome)
    for name_found, value in parts.others(SomeMember(None, frozenset(), frozenset(), None)):
        is_open = True
        for place in range(min(parts.least, _MOST_MEMBERS)):
            name = f"{name_found.witness[0] if name_found.witness else ''}{place or ''}"
            if len(example) < parts.least and parts.takes_name(name) and name not in example:
                _put(example, name, parts.member(name) if name_found.witness else value)
    return len(example) >= parts.least if is_open or possible >= parts.least else None
