"""A schema as the cases in which it takes a value.

Together they may be too wide: what is dropped here can hide no document, only make one up, and whatever
document is found is tried on the schema itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineshaft.contracts.compatibility.facts import (
    Case,
    Contains,
    Fact,
    Items,
    Members,
    Names,
    Required,
    Unique,
)
from lineshaft.contracts.compatibility.nodes import Goal, Literal, Node, Nodes, View
from lineshaft.contracts.compatibility.refute import IN_PLACE, MOST_CASES, Refutation, TooManyCases
from lineshaft.contracts.compatibility.scalar_facts import scalar_facts
from lineshaft.contracts.compatibility.values import (
    EVERY,
    OBJECT,
    types_named,
    types_of,
)

__all__ = ["Expansion", "TooManyCases"]


class Expansion:
    """are_apart: is it proved that no value satisfies the goal?"""

    def __init__(self, nodes: Nodes, are_apart: Callable[[Goal], bool]) -> None:
        self._nodes = nodes
        self._are_apart = are_apart
        self._positive: dict[tuple[Node, View], list[Case]] = {}
        self._written: dict[Node, list[Case]] = {}
        self._refutation = Refutation(nodes, are_apart, self.in_place)

    def _part(self, node: Node, schema: Any, sign: bool, view: View) -> Literal:
        return Literal(self._nodes.part(node, schema), sign, view)

    def cases(self, literal: Literal) -> list[Case]:
        """For a value of its own. Writers close what their schema names members of."""
        node, sign, view = literal
        if not sign:
            return self._refutation.cases(node, view)
        if view is not View.WRITER:
            return self.in_place(node, view)
        known = self._written.get(node)
        if known is None:
            known = self._written[node] = [self._closed(case) for case in self.in_place(node, view)]
        return known

    def _closed(self, case: Case, rest: Literal | None = None) -> Case:
        if case.all_members or not (case.members_named or rest):
            return case
        anything = Literal(self._nodes.true, True, View.PLAIN)
        names: dict[str, Literal] = {}
        for name, literal in case.maybe:
            names[name] = literal if names.get(name, literal) == literal else anything
        names.update(dict.fromkeys(case.names, anything))
        patterns = tuple((text, anything) for text in sorted(case.patterns))
        nothing = Literal(self._nodes.false, True, View.PLAIN)
        closing = Members(names, patterns, rest or nothing)
        return case._replace(facts=(*case.facts, closing), all_members=True)

    def in_place(self, node: Node, view: View) -> list[Case]:
        """The cases of a part of a schema: what members the whole has is not yet known."""
        known = self._positive.get((node, view))
        if known is None:
            known = self._positive[node, view] = self._taken(node, view)
        return known

    def _taken(self, node: Node, view: View) -> list[Case]:
        schema = node.schema
        if isinstance(schema, bool):
            return [Case()] if schema else []
        cases = [self._own(node, schema, view)]
        parts = [self._nodes.part(node, part) for part in schema.get("allOf", ())]
        if "$ref" in schema:
            parts.append(self._nodes.target(node, schema["$ref"]))
        for part in parts:
            cases = _product(cases, self.in_place(part, view))
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                alternatives = [self._nodes.part(node, part) for part in schema[keyword]]
                cases = _product(cases, self._alternatives(alternatives, view, keyword == "oneOf"))
        if "if" in schema:
            cases = _product(cases, self._conditional(node, schema, view))
        for name, part in schema.get("dependentSchemas", {}).items():
            then = self.in_place(self._nodes.part(node, part), view)
            present = Case(types=OBJECT, facts=(Required(name),))
            cases = _product(cases, [self._without(name), *_product([present], then)])
        for name, needed in schema.get("dependentRequired", {}).items():
            present = Case(types=OBJECT, facts=tuple(map(Required, (name, *needed))))
            cases = _product(cases, [self._without(name), present])
        rest = schema.get("unevaluatedProperties")
        if rest is not None and (rest is not False or view is not View.READER):
            cases = [self._closed(case, self._part(node, rest, True, view)) for case in cases]
        return cases

    def _without(self, name: str) -> Case:
        return Case(facts=(Members({name: Literal(self._nodes.false, True, View.PLAIN)}),))

    def _alternatives(self, parts: list[Node], view: View, only_one: bool) -> list[Case]:
        found: list[Case] = []
        for part in parts:
            own = self.in_place(part, view)
            if not own:
                continue
            others = [
                other
                for other in parts
                if other is not part
                and not self._are_apart(
                    frozenset({Literal(part, True, View.PLAIN), Literal(other, True, View.PLAIN)})
                )
            ]
            if only_one:
                refused = tuple(Literal(other, False, View.PLAIN) for other in others)
                refused += tuple(Literal(part, False, View.PLAIN) for _ in range(parts.count(part) > 1))
                found += [case._replace(pending=case.pending + refused) for case in own]
            else:
                found += [self._with_names_of(case, others, view) for case in own]
        return found

    def _with_names_of(self, case: Case, others: list[Node], view: View) -> Case:
        """A value that satisfies other alternatives, too, may have their members."""
        for other in [case for node in others for case in self.in_place(node, view)]:
            said = {
                name: part
                for fact in other.facts
                if isinstance(fact, Members)
                for name, part in fact.names.items()
            }
            anything = Literal(self._nodes.true, True, View.PLAIN)
            extra = tuple((name, said.get(name, anything)) for name in sorted(other.names - case.names))
            case = case._replace(
                maybe=case.maybe + extra + other.maybe,
                patterns=case.patterns | other.patterns,
                all_members=case.all_members or other.all_members,
            )
        return case

    def _conditional(self, node: Node, schema: dict[str, Any], view: View) -> list[Case]:
        condition = self._nodes.part(node, schema["if"])
        met = self.in_place(condition, View.PLAIN)
        then = self.in_place(self._nodes.part(node, schema.get("then", True)), view)
        otherwise = self.in_place(self._nodes.part(node, schema.get("else", True)), view)
        unmet = Case(pending=(Literal(condition, False, View.PLAIN),))
        return _product(met, then) + _product([unmet], otherwise)

    def _own(self, node: Node, schema: dict[str, Any], view: View) -> Case:
        """What the keywords say that have no alternatives."""
        types, values = EVERY, None
        if "type" in schema:
            types = types_named(schema["type"])
        if "const" in schema:
            values = (schema["const"],)
        if "enum" in schema:
            if view is View.READER and "x-extensible" in schema:
                types &= types_of(schema["enum"])
            else:
                values = Case(values=values).both(Case(values=tuple(schema["enum"]))).values
        pending = (self._part(node, schema["not"], False, View.PLAIN),) if "not" in schema else ()
        facts = scalar_facts(schema)
        facts += self._array_facts(node, schema, view)
        facts += map(Required, schema.get("required", ()))
        if "propertyNames" in schema:
            facts.append(Names(self._part(node, schema["propertyNames"], True, view)))
        named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        rest = schema.get("additionalProperties")
        if named or patterns or rest is not None:
            facts.append(
                Members(
                    {name: self._part(node, part, True, view) for name, part in named.items()},
                    tuple((text, self._part(node, part, True, view)) for text, part in patterns.items()),
                    None if rest is None else self._part(node, rest, True, view),
                )
            )
        return Case(
            types,
            values,
            facts=tuple(facts),
            pending=pending,
            members_named="properties" in schema or "patternProperties" in schema,
            all_members=rest is not None,
            names=frozenset(named),
            patterns=frozenset(patterns),
        )

    def _array_facts(self, node: Node, schema: dict[str, Any], view: View) -> list[Fact]:
        found: list[Fact] = []
        rest = schema.get("items")
        if rest is None and not IN_PLACE & schema.keys() and "contains" not in schema:
            rest = schema.get("unevaluatedItems")
        if "prefixItems" in schema or rest is not None:
            first = tuple(self._part(node, part, True, view) for part in schema.get("prefixItems", ()))
            found.append(Items(first, None if rest is None else self._part(node, rest, True, view)))
        if "contains" in schema:
            wanted = self._part(node, schema["contains"], True, View.PLAIN)
            found.append(Contains(wanted, schema.get("minContains", 1), schema.get("maxContains")))
        if schema.get("uniqueItems"):
            found.append(Unique(True))
        return found


def _product(left: list[Case], right: list[Case]) -> list[Case]:
    found = [case for each in left for other in right if not (case := each.both(other)).is_empty]
    if len(found) > MOST_CASES:
        raise TooManyCases
    return found
