"""Is there an array that all of these facts leave? None: proved that there is none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lineshaft.contracts.compatibility.facts import Contains, Fact, Items, Size, SomeItem, Unique
from lineshaft.contracts.compatibility.nodes import Goal, Literal, View
from lineshaft.contracts.compatibility.outcome import Outcome, Search, Weighed

__all__ = ["weigh_array"]

_MOST_ITEMS = 24  # of an example


class _Array:
    """What holds of the item at each place; from `same` on, of all alike.

    least, most  items
    wanted       what an example has at its places beside that
    """

    def __init__(self, facts: list[Fact], search: Search) -> None:
        self._items = [fact for fact in facts if isinstance(fact, Items)]
        self.search = search
        sizes = [fact for fact in facts if isinstance(fact, Size)]
        self.least = max((size.least for size in sizes), default=0)
        self.most = min((size.most for size in sizes if size.most is not None), default=None)
        self.same = max((len(fact.first) for fact in self._items), default=0)
        self.wanted: dict[int, list[Literal]] = {}

    def goal(self, place: int) -> Goal:
        return frozenset(
            part
            for fact in self._items
            if (part := fact.first[place] if place < len(fact.first) else fact.rest) is not None
        )

    def item(self, place: int, *more: Literal) -> Outcome:
        return self.search.find(self.goal(place).union(more))

    def can_be(self, place: int, *more: Literal) -> bool:
        return not self.item(place, *more).is_empty

    def places(self, start: int, stop: int | None) -> list[int]:
        """Of the places that are alike one more than the first: two facts may need one each."""
        last = max(start, self.same) + 2
        return list(range(start, min(last, *(end for end in (stop, self.most) if end is not None), last)))

    def none_of(self, values: list[Any]) -> list[Literal]:
        schema = {"enum": list(values)}
        node = self.search.nodes.of(schema, self.search.nodes.true.document)
        return [Literal(node, False, View.PLAIN)] if values else []


def weigh_array(facts: Iterable[Fact], search: Search) -> Weighed | None:
    facts = list(facts)
    array = _Array(facts, search)
    for place in range(array.same + 1):
        if (array.most is None or place < array.most) and not array.can_be(place):
            array.most = place
    if array.most is not None and array.least > array.most:
        return None
    for fact in facts:
        if isinstance(fact, Contains) and not (_contains(array, fact) and _is_countable(array, fact, facts)):
            return None
    for fact in facts:
        if isinstance(fact, SomeItem) and not _some_item(array, fact):
            return None
    signs = {fact.sign for fact in facts if isinstance(fact, Unique)}
    twice = _twice(array) if False in signs else []
    if len(signs) == 2 or (False in signs and not twice):
        return None
    if True in signs and array.same == 0 and _too_few_values(array):
        return None
    return Weighed(_examples(array, twice[:4] or [None], True in signs), "undecided_array")


def _some_item(array: _Array, fact: SomeItem) -> bool:
    places = [place for place in array.places(fact.start, fact.stop) if array.can_be(place, fact.item)]
    free = [place for place in places if array.can_be(place, *array.wanted.get(place, ()), fact.item)]
    for place in free[:1]:
        array.wanted.setdefault(place, []).append(fact.item)
    return bool(places)


def _contains(array: _Array, fact: Contains) -> bool:
    other = fact.item._replace(sign=not fact.item.sign)
    stop = array.same if array.most is None else min(array.most, array.same)
    can = [place for place in range(stop) if array.can_be(place, fact.item)]
    if (array.most is None or array.most > array.same) and array.can_be(array.same, fact.item):
        can += range(array.same, array.same + fact.least if array.most is None else array.most)
    if len(can) < fact.least:
        return False
    chosen = can[: min(fact.least, _MOST_ITEMS)]
    for place in chosen:
        array.wanted.setdefault(place, []).append(fact.item)
    if fact.most is None:
        return True
    must = sum(not array.can_be(place, other) for place in range(min(array.least, array.same)))
    if array.least > array.same and not array.can_be(array.same, other):
        must += array.least - array.same
    size = max([array.least, *(place + 1 for place in array.wanted)])
    for place in range(min(size, _MOST_ITEMS)):
        if place not in chosen and array.can_be(place, *array.wanted.get(place, ()), other):
            array.wanted.setdefault(place, []).append(other)
    return must <= fact.most


def _is_countable(array: _Array, fact: Contains, facts: list[Fact]) -> bool:
    """Not where every such item is one of another kind of which there may only be less."""
    fewer = [other for other in facts if isinstance(other, Contains) and other.most is not None]
    alike = array.goal(0) if array.same == 0 else frozenset()
    return not any(
        other.most is not None
        and other.most < fact.least
        and array.search.find(alike | {fact.item, other.item._replace(sign=not other.item.sign)}).is_empty
        for other in fewer
    )


def _twice(array: _Array) -> list[tuple[int, int]]:
    places = array.places(0, None)
    return [
        (first, second)
        for second in places
        for first in range(second)
        if array.can_be(first, *array.goal(second))
    ]


def _too_few_values(array: _Array) -> bool:
    """Of items that are all alike: are there less than `least` different ones?"""
    found: list[Any] = []
    for _ in range(min(array.least, _MOST_ITEMS)):
        outcome = array.item(0, *array.none_of(found))
        if outcome.witness is None:
            return outcome.is_empty
        found.append(outcome.witness[0])
    return False


def _examples(array: _Array, pairs: list[Any], is_unique: bool) -> list[Any]:
    size = max([array.least, *(place + 1 for place in array.wanted)])
    if size > _MOST_ITEMS or (array.most is not None and size > array.most):
        return []
    examples = [_example(array, pair, size, is_unique) for pair in pairs]
    return [example for example in examples if example is not None]


def _example(array: _Array, pair: tuple[int, int] | None, size: int, is_unique: bool) -> list[Any] | None:
    found: list[Any] = []
    first, second = pair or (-1, -1)
    for place in range(max(size, second + 1)):
        more = list(array.wanted.get(place, ()))
        if place == first:
            more += array.goal(second)
        if is_unique:
            more += array.none_of(found)
        outcome = array.item(place, *more)
        if outcome.witness is None and place == second:
            return None
        if outcome.witness is None:
            outcome = array.item(place)
        if outcome.witness is None:
            return None
        found.append(found[first] if place == second else outcome.witness[0])
    return found
