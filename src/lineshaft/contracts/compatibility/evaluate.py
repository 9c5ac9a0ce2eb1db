"""Does a value satisfy a schema, in one of the three views?"""

from __future__ import annotations

from typing import Any

from lineshaft.contracts.compatibility.document import string_is_valid
from lineshaft.contracts.compatibility.nodes import Goal, Literal, Node, Nodes, View
from lineshaft.contracts.compatibility.values import NUMBERS, frozen, number, type_of, types_named, types_of

__all__ = ["Evaluator"]


_MOST_KNOWN = 20_000


class _Seen:
    """What the parts of a schema that took a value looked at.

    names, places  members and items that were evaluated; places holds indices
    names_members  the schema says which members there are
    """

    __slots__ = ("names", "names_members", "places")

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.places: set[int] = set()
        self.names_members = False

    def add(self, other: _Seen) -> None:
        self.names |= other.names
        self.places |= other.places
        self.names_members |= other.names_members

    def add_alternatives(self, others: list[_Seen]) -> None:
        """Of several that took the value: one that names no members leaves them open."""
        names_members = self.names_members or all(other.names_members for other in others)
        for other in others:
            self.add(other)
        self.names_members = names_members


class Evaluator:
    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._known: dict[tuple[Node, View, int], tuple[Any, bool]] = {}  # the value, so that its id stays

    def satisfies(self, value: Any, goal: Goal) -> bool:
        return all(self.holds(value, literal) for literal in goal)

    def holds(self, value: Any, literal: Literal) -> bool:
        return self.accepts(literal.node, literal.view, value) == literal.sign

    def accepts(self, node: Node, view: View, value: Any) -> bool:
        """For a value of its own: a member, an item, a whole document. Values may not change afterwards."""
        if not isinstance(value, dict | list):
            return self._takes(node, view, value)
        key = node, view, id(value)
        known = self._known.get(key)
        if known is None:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            known = self._known[key] = (value, self._takes(node, view, value))
        return known[1]

    def _takes(self, node: Node, view: View, value: Any) -> bool:
        seen = self._in_place(node, view, value)
        if seen is None:
            return False
        closed = view is View.WRITER and isinstance(value, dict) and seen.names_members
        return not closed or seen.names >= value.keys()

    def _in_place(self, node: Node, view: View, value: Any) -> _Seen | None:
        schema = node.schema
        if isinstance(schema, bool):
            return _Seen() if schema else None
        kind = type_of(value)
        is_taken = (
            ("type" not in schema or kind in types_named(schema["type"]))
            and self._is_listed(schema, view, value, kind)
            and (kind not in NUMBERS or _takes_number(schema, value))
            and (kind != "string" or _takes_string(schema, value))
        )
        if not is_taken:
            return None
        seen = _Seen()
        if kind == "object" and not self._takes_object(node, schema, view, value, seen):
            return None
        if kind == "array" and not self._takes_array(node, schema, view, value, seen):
            return None
        return seen if self._takes_parts(node, schema, view, value, seen) else None

    def _is_listed(self, schema: dict[str, Any], view: View, value: Any, kind: str) -> bool:
        if "const" in schema and frozen(schema["const"]) != frozen(value):
            return False
        if "enum" not in schema:
            return True
        if view is View.READER and "x-extensible" in schema:
            return kind in types_of(schema["enum"])
        return frozen(value) in {frozen(listed) for listed in schema["enum"]}

    def _takes_object(
        self, node: Node, schema: dict[str, Any], view: View, value: dict[str, Any], seen: _Seen
    ) -> bool:
        size = len(value)
        if size < schema.get("minProperties", 0) or size > schema.get("maxProperties", size):
            return False
        if not value.keys() >= set(schema.get("required", ())):
            return False
        for name, needed in schema.get("dependentRequired", {}).items():
            if name in value and not value.keys() >= set(needed):
                return False
        if "propertyNames" in schema:
            names = self._nodes.part(node, schema["propertyNames"])
            if not all(self.accepts(names, view, name) for name in value):
                return False
        properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        seen.names_members = "properties" in schema or "patternProperties" in schema
        for name, member in value.items():
            parts = [properties[name]] if name in properties else []
            parts += [part for text, part in patterns.items() if string_is_valid("pattern", text, name)]
            if not parts and "additionalProperties" in schema:
                parts = [schema["additionalProperties"]]
            if parts:
                seen.names.add(name)
            if not all(self.accepts(self._nodes.part(node, part), view, member) for part in parts):
                return False
        return True

    def _takes_array(
        self, node: Node, schema: dict[str, Any], view: View, value: list[Any], seen: _Seen
    ) -> bool:
        size = len(value)
        if size < schema.get("minItems", 0) or size > schema.get("maxItems", size):
            return False
        if schema.get("uniqueItems") and len({frozen(item) for item in value}) < size:
            return False
        first = schema.get("prefixItems", [])
        for place, item in enumerate(value):
            part = first[place] if place < len(first) else schema.get("items")
            if part is None:
                continue
            seen.places.add(place)
            if not self.accepts(self._nodes.part(node, part), view, item):
                return False
        if "contains" in schema:
            wanted = self._nodes.part(node, schema["contains"])
            found = [place for place, item in enumerate(value) if self.accepts(wanted, View.PLAIN, item)]
            seen.places.update(found)
            if len(found) < schema.get("minContains", 1) or len(found) > schema.get("maxContains", size):
                return False
        return True

    def _takes_parts(self, node: Node, schema: dict[str, Any], view: View, value: Any, seen: _Seen) -> bool:
        inner = [self._nodes.part(node, part) for part in schema.get("allOf", ())]
        if "$ref" in schema:
            inner.append(self._nodes.target(node, schema["$ref"]))
        if isinstance(value, dict):
            dependent = schema.get("dependentSchemas", {})
            inner += [self._nodes.part(node, part) for name, part in dependent.items() if name in value]
        if "if" in schema:
            condition = self._in_place(self._nodes.part(node, schema["if"]), View.PLAIN, value)
            if condition:
                seen.add(condition)
            inner.append(self._nodes.part(node, schema.get("then" if condition else "else", True)))
        for part in inner:
            found = self._in_place(part, view, value)
            if found is None:
                return False
            seen.add(found)
        if "not" in schema and self.accepts(self._nodes.part(node, schema["not"]), View.PLAIN, value):
            return False
        return self._takes_alternatives(node, schema, view, value, seen) and self._takes_rest(
            node, schema, view, value, seen
        )

    def _takes_alternatives(
        self, node: Node, schema: dict[str, Any], view: View, value: Any, seen: _Seen
    ) -> bool:
        for keyword in ("anyOf", "oneOf"):
            if keyword not in schema:
                continue
            parts = [self._nodes.part(node, part) for part in schema[keyword]]
            taken = [part for part in (self._in_place(part, view, value) for part in parts) if part]
            if not taken:
                return False
            if keyword == "oneOf" and sum(self.accepts(part, View.PLAIN, value) for part in parts) > 1:
                return False
            seen.add_alternatives(taken)
        return True

    def _takes_rest(self, node: Node, schema: dict[str, Any], view: View, value: Any, seen: _Seen) -> bool:
        members = schema.get("unevaluatedProperties")
        if isinstance(value, dict) and members is not None and (members or view is not View.READER):
            rest = self._nodes.part(node, members)
            if not all(self.accepts(rest, view, value[name]) for name in value.keys() - seen.names):
                return False
            seen.names |= value.keys()
        items = schema.get("unevaluatedItems")
        if isinstance(value, list) and items is not None:
            rest = self._nodes.part(node, items)
            places = set(range(len(value))) - seen.places
            if not all(self.accepts(rest, view, value[place]) for place in places):
                return False
            seen.places |= set(range(len(value)))
        return True


def _takes_number(schema: dict[str, Any], value: float) -> bool:
    exact = number(value)
    return not (
        ("minimum" in schema and exact < number(schema["minimum"]))
        or ("maximum" in schema and exact > number(schema["maximum"]))
        or ("exclusiveMinimum" in schema and exact <= number(schema["exclusiveMinimum"]))
        or ("exclusiveMaximum" in schema and exact >= number(schema["exclusiveMaximum"]))
        or ("multipleOf" in schema and exact % number(schema["multipleOf"]))
    )


def _takes_string(schema: dict[str, Any], value: str) -> bool:
    return not (
        len(value) < schema.get("minLength", 0)
        or len(value) > schema.get("maxLength", len(value))
        or ("pattern" in schema and not string_is_valid("pattern", schema["pattern"], value))
        or ("format" in schema and not string_is_valid("format", schema["format"], value))
    )
