"""A schema as the cases in which it takes a value, and as the cases in which it does not.

Positive cases may be too wide, together: what is dropped there can hide no document, only make one up,
and whatever document is found is tried on the schema itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineshaft.contracts.compatibility.facts import (
    Bound,
    Case,
    Contains,
    Fact,
    Format,
    Items,
    Members,
    Multiple,
    Names,
    Pattern,
    Required,
    Size,
    SomeItem,
    SomeMember,
    Undecided,
    Unique,
)
from lineshaft.contracts.compatibility.nodes import Goal, Literal, Node, Nodes, View
from lineshaft.contracts.compatibility.values import (
    ARRAY,
    EVERY,
    NUMBERS,
    OBJECT,
    STRING,
    number,
    types_named,
    types_of,
)

__all__ = ["Expansion", "TooManyCases"]

_MOST_CASES = 400
_SIZES = (
    ("string", "minLength", "maxLength"), ("array", "minItems", "maxItems"),
    ("object", "minProperties", "maxProperties"),
)  # fmt: skip
_BOUNDS = (
    ("minimum", True, False), ("exclusiveMinimum", True, True),
    ("maximum", False, False), ("exclusiveMaximum", False, True),
)  # fmt: skip
_IN_PLACE = {"$ref", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"}


class TooManyCases(Exception):
    """Undecided: a schema has too many alternatives."""


class Expansion:
    """are_apart: is it proved that no value satisfies the goal?"""

    def __init__(self, nodes: Nodes, are_apart: Callable[[Goal], bool]) -> None:
        self._nodes = nodes
        self._are_apart = are_apart
        self._positive: dict[tuple[Node, View], list[Case]] = {}
        self._written: dict[Node, list[Case]] = {}
        self._negative: dict[tuple[Node, View], list[Case]] = {}

    def _part(self, node: Node, schema: Any, sign: bool, view: View) -> Literal:
        return Literal(self._nodes.part(node, schema), sign, view)

    def cases(self, literal: Literal) -> list[Case]:
        """For a value of its own. Writers close what their schema names members of."""
        node, sign, view = literal
        if not sign:
            return self._refuted(node, view)
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
        facts = _scalar_facts(schema)
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
        if rest is None and not _IN_PLACE & schema.keys() and "contains" not in schema:
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

    def _refuted(self, node: Node, view: View) -> list[Case]:
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
        found += _scalar_refuted(schema)
        found += self._array_refuted(node, schema, view)
        found += self._object_refuted(node, schema, view)
        parts = [self._nodes.part(node, part) for part in schema.get("allOf", ())]
        if "$ref" in schema:
            parts.append(self._nodes.target(node, schema["$ref"]))
        for part in parts:
            found += self._refuted(part, view)
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
        if "$undecided" in schema:
            found.append(Case(facts=(Undecided(EVERY, "undecided_dynamic_reference"),)))
        return found

    def _one_of_refuted(self, node: Node, schemas: list[Any], view: View) -> list[Case]:
        found = [Case(pending=tuple(self._part(node, part, False, view) for part in schemas))]
        for place, first in enumerate(schemas):
            for second in schemas[place + 1 :]:
                pair = tuple(self._part(node, part, True, View.PLAIN) for part in (first, second))
                if not self._are_apart(frozenset(pair)):
                    found.append(Case(pending=pair))
                    if len(found) > _MOST_CASES:
                        raise TooManyCases
        return found

    def _array_refuted(self, node: Node, schema: dict[str, Any], view: View) -> list[Case]:
        found: list[Fact] = []
        first = schema.get("prefixItems", ())
        for place, part in enumerate(first):
            found.append(SomeItem(place, place + 1, self._part(node, part, False, view)))
        rest = schema.get("items")
        if rest is None and schema.get("unevaluatedItems", True) is not True:
            if _IN_PLACE & schema.keys() or "contains" in schema:
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
        taken = self.in_place(self._nodes.part(node, without), view)
        seen = {(case.all_members, case.names, case.patterns, case.maybe) for case in taken}
        all_members, names, patterns, maybe = seen.pop() if len(seen) == 1 else (False, None, None, ())
        if names is None or patterns is None or maybe:
            return [Case(types=OBJECT, facts=(Undecided(OBJECT, "undecided_unevaluated_properties"),))]
        if all_members:
            return []
        rest = self._part(node, schema["unevaluatedProperties"], False, view)
        return [Case(types=OBJECT, facts=(SomeMember(None, names, patterns, rest),))]


def _scalar_facts(schema: dict[str, Any]) -> list[Fact]:
    found: list[Fact] = [
        Bound(is_least, number(schema[key]), exclusive)
        for key, is_least, exclusive in _BOUNDS
        if key in schema
    ]
    if "multipleOf" in schema:
        found.append(Multiple(number(schema["multipleOf"]), True))
    for type, least, most in _SIZES:
        if least in schema or most in schema:
            found.append(Size(type, int(schema.get(least, 0)), _count(schema.get(most))))
    if "pattern" in schema:
        found.append(Pattern(schema["pattern"], True))
    if "format" in schema:
        found.append(Format(schema["format"], True))
    return found


def _scalar_refuted(schema: dict[str, Any]) -> list[Case]:
    found = [
        Case(types=NUMBERS, facts=(Bound(not is_least, number(schema[key]), not exclusive),))
        for key, is_least, exclusive in _BOUNDS
        if key in schema
    ]
    if "multipleOf" in schema:
        found.append(Case(types=NUMBERS, facts=(Multiple(number(schema["multipleOf"]), False),)))
    for type, least, most in _SIZES:
        if schema.get(least, 0) > 0:
            found.append(Case(types=frozenset({type}), facts=(Size(type, 0, int(schema[least]) - 1),)))
        if most in schema:
            found.append(Case(types=frozenset({type}), facts=(Size(type, int(schema[most]) + 1, None),)))
    if "pattern" in schema:
        found.append(Case(types=STRING, facts=(Pattern(schema["pattern"], False),)))
    if "format" in schema:
        found.append(Case(types=STRING, facts=(Format(schema["format"], False),)))
    return found


def _count(most: float | None) -> int | None:
    return None if most is None else int(most)


def _product(left: list[Case], right: list[Case]) -> list[Case]:
    found = [case for each in left for other in right if not (case := each.both(other)).is_empty]
    if len(found) > _MOST_CASES:
        raise TooManyCases
    return found
