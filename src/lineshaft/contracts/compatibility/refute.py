"""A schema as the cases in which it does not take a value: one for each keyword that may refuse it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineshaft.contracts.compatibility.facts import (
    Case,
    Contains,
    Fact,
    Members,
    Required,
    SomeItem,
    SomeMember,
    Undecided,
    Unique,
)
from lineshaft.contracts.compatibility.nodes import Goal, Literal, Node, Nodes, View
from lineshaft.contracts.compatibility.scalar_facts import scalar_refuted
from lineshaft.contracts.compatibility.values import ARRAY, EVERY, OBJECT, types_named, types_of

__all__ = ["IN_PLACE", "MOST_CASES", "Refutation", "TooManyCases"]

MOST_CASES = 400
IN_PLACE = {"$ref", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"}


class TooManyCases(Exception):
    """Undecided: a schema has too many alternatives."""


class Refutation:
    """are_apart, in_place: as those of Expansion."""

    def __init__(
        self,
        nodes: Nodes,
        are_apart: Callable[[Goal], bool],
        in_place: Callable[[Node, View], list[Case]],
    ) -> None:
        self._nodes = nodes
        self._are_apart = are_apart
        self._in_place = in_place
        self._negative: dict[tuple[Node, View], list[Case]] = {}

    def _part(self, node: Node, schema: Any, sign: bool, view: View) -> Literal:
        return Literal(self._nodes.part(node, schema), sign, view)

    def cases(self, node: Node, view: View) -> list[Case]:
        known = self._negative.get((node, view))
        if known is None:
            known = self._negative[node, view] = self._not_taken(node, view)
        return known

    def _not_taken(self, node: Node, view: View) -> list[Case]:
        schema = node.schema
        if isinstance(schema, bool):
            return [] if schema else [Case()]
        found: list[Case] = []
        if "type" in schema:
            found.append(Case(types=EVERY - types_named(schema["type"])))
        if "const" in schema:
            found.append(Case(excluded=(schema["const"],)))
        if "enum" in schema and view is View.READER and "x-extensible" in schema:
            found.append(Case(types=EVERY - types_of(schema["enum"])))
        elif "enum" in schema:
            found.append(Case(excluded=tuple(schema["enum"])))
        found += scalar_refuted(schema)
        found += self._array_refuted(node, schema, view)
        found += self._object_refuted(node, schema, view)
        found += self._in_place_refuted(node, schema, view)
        if "$undecided" in schema:
            found.append(Case(facts=(Undecided(EVERY, "undecided_dynamic_reference"),)))
        return found

    def _in_place_refuted(self, node: Node, schema: dict[str, Any], view: View) -> list[Case]:
        found: list[Case] = []
        parts = [self._nodes.part(node, part) for part in schema.get("allOf", ())]
        if "$ref" in schema:
            parts.append(self._nodes.target(node, schema["$ref"]))
        for part in parts:
            found += self.cases(part, view)
        if "anyOf" in schema:
            found.append(Case(pending=tuple(self._part(node, part, False, view) for part in schema["anyOf"])))
        if "oneOf" in schema:
            found += self._one_of_refuted(node, schema["oneOf"], view)
        if "not" in schema:
            found.append(Case(pending=(self._part(node, schema["not"], True, View.PLAIN),)))
        for branch, met in (("then", True), ("else", False)):
            if "if" in schema and branch in schema:
                condition = self._part(node, schema["if"], met, View.PLAIN)
                found.append(Case(pending=(condition, self._part(node, schema[branch], False, view))))
        return found

    def _one_of_refuted(self, node: Node, schemas: list[Any], view: View) -> list[Case]:
        found = [Case(pending=tuple(self._part(node, part, False, view) for part in schemas))]
        for place, first in enumerate(schemas):
            for second in schemas[place + 1 :]:
                pair = tuple(self._part(node, part, True, View.PLAIN) for part in (first, second))
                if not self._are_apart(frozenset(pair)):
                    found.append(Case(pending=pair))
                    if len(found) > MOST_CASES:
                        raise TooManyCases
        return found

    def _array_refuted(self, node: Node, schema: dict[str, Any], view: View) -> list[Case]:
        found: list[Fact] = []
        first = schema.get("prefixItems", ())
        for place, part in enumerate(first):
            found.append(SomeItem(place, place + 1, self._part(node, part, False, view)))
        rest = schema.get("items")
        if rest is None and schema.get("unevaluatedItems", True) is not True:
            if IN_PLACE & schema.keys() or "contains" in schema:
                found.append(Undecided(ARRAY, "undecided_unevaluated_items"))
            else:
                rest = schema["unevaluatedItems"]
        if rest is not None:
            found.append(SomeItem(len(first), None, self._part(node, rest, False, view)))
        if "contains" in schema:
            wanted = self._part(node, schema["contains"], True, View.PLAIN)
            least, most = schema.get("minContains", 1), schema.get("maxContains")
            if least:
                found.append(Contains(wanted, 0, least - 1))
            if most is not None:
                found.append(Contains(wanted, most + 1, None))
        if schema.get("uniqueItems"):
            found.append(Unique(False))
        return [Case(types=ARRAY, facts=(fact,)) for fact in found]

    def _object_refuted(self, node: Node, schema: dict[str, Any], view: View) -> list[Case]:
        found: list[tuple[Fact, ...]] = []
        absent = Literal(self._nodes.false, True, View.PLAIN)
        for name in schema.get("required", ()):
            found.append((Members({name: absent}),))
        named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        for name, part in named.items():
            found.append((Required(name), Members({name: self._part(node, part, False, view)})))
        for text, part in patterns.items():
            refused = self._part(node, part, False, view)
            found.append((SomeMember(text, frozenset(), frozenset(), refused),))
        if "additionalProperties" in schema:
            rest = self._part(node, schema["additionalProperties"], False, view)
            found.append((SomeMember(None, frozenset(named), frozenset(patterns), rest),))
        if "propertyNames" in schema:
            refused = self._part(node, schema["propertyNames"], False, view)
            found.append((SomeMember(None, frozenset(), frozenset(), None, refused),))
        for name, needed in schema.get("dependentRequired", {}).items():
            found += [(Required(name), Members({each: absent})) for each in needed]
        cases = [Case(types=OBJECT, facts=facts) for facts in found]
        for name, part in schema.get("dependentSchemas", {}).items():
            pending = (self._part(node, part, False, view),)
            cases.append(Case(types=OBJECT, facts=(Required(name),), pending=pending))
        rest_schema = schema.get("unevaluatedProperties", True)
        if rest_schema is not True and (rest_schema is not False or view is not View.READER):
            cases += self._unevaluated_refuted(node, schema, view)
        return cases

    def _unevaluated_refuted(self, node: Node, schema: dict[str, Any], view: View) -> list[Case]:
        without = {key: part for key, part in schema.items() if key != "unevaluatedProperties"}
        taken = self._in_place(self._nodes.part(node, without), view)
        seen = {(case.all_members, case.names, case.patterns, case.maybe) for case in taken}
        all_members, names, patterns, maybe = seen.pop() if len(seen) == 1 else (False, None, None, ())
        if names is None or patterns is None or maybe:
            return [Case(types=OBJECT, facts=(Undecided(OBJECT, "undecided_unevaluated_properties"),))]
        if all_members:
            return []
        rest = self._part(node, schema["unevaluatedProperties"], False, view)
        return [Case(types=OBJECT, facts=(SomeMember(None, names, patterns, rest),))]
