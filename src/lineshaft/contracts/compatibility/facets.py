"""Facets are what a contract promises beside its shape: unit, key, class, owner, ordering scope."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec

from lineshaft.contracts.compatibility.document import FACETS, Document
from lineshaft.contracts.compatibility.finding import Finding, pointer_step
from lineshaft.contracts.compatibility.nodes import Node, Nodes
from lineshaft.contracts.compatibility.places import Places

__all__ = ["changed_facets"]

_Pair = tuple[list[Node], list[Node]]


def changed_facets(old: Any, new: Any) -> list[Finding]:
    """Of every place that both versions know. A unit that a place got or lost is a change like any other."""
    texts = [msgspec.json.encode(raw) for raw in (old, new)]
    if not any(f'"{facet}"'.encode() in text for facet in FACETS for text in texts):
        return []
    documents = [Document(raw, "", with_facets=True) for raw in (old, new)]
    nodes = Nodes(*documents)
    places = Places(nodes)
    first, last = (places.of(nodes.of(each.schemas[""], each)) for each in documents)
    found: list[Finding] = []
    waiting: deque[tuple[str, _Pair]] = deque([("", (first, last))])
    met: set[tuple[frozenset[Node], frozenset[Node]]] = set()
    while waiting:
        path, (was, now) = waiting.popleft()
        pair = frozenset(was), frozenset(now)
        if pair[0] == pair[1] or pair in met:
            continue
        met.add(pair)
        for facet in FACETS:
            before, after = _said(places, was, facet), _said(places, now, facet)
            if before != after:
                detail = f"{facet} was {before or 'not set'}, is {after or 'not set'}: that needs a new major"
                found.append(Finding(path, "facet_changed", detail, "both"))
        waiting += [(path + step, inner) for step, inner in _inner(places, was, now) if inner[0] and inner[1]]
    return sorted(found, key=lambda each: each.path)


def _said(places: Places, place: list[Node], facet: str) -> str:
    said = [msgspec.json.encode(value, order="sorted").decode() for value in places.values(place, facet)]
    return " or ".join(sorted(said))


def _inner(places: Places, was: list[Node], now: list[Node]) -> Iterator[tuple[str, _Pair]]:
    for name in places.names(was) & places.names(now):
        pair = places.member(was, name), places.member(now, name)
        yield f"/properties{pointer_step(name)}", pair
    patterns = {text for said in places.values(was, "patternProperties") for text in said}
    for text in patterns:
        keys = ("patternProperties", text)
        yield f"/patternProperties{pointer_step(text)}", (places.under(was, *keys), places.under(now, *keys))
    key = "additionalProperties"
    yield f"/{key}", (places.under(was, key), places.under(now, key))
    yield "/items", (places.item(was, None), places.item(now, None))
    first = max((len(said) for said in places.values([*was, *now], "prefixItems")), default=0)
    for number in range(first):
        yield f"/prefixItems/{number}", (places.item(was, number), places.item(now, number))
