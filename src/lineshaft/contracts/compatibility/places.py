"""Schemas of both documents that speak of the same place in a document."""

from __future__ import annotations

from typing import Any

from lineshaft.contracts.compatibility.document import string_is_valid
from lineshaft.contracts.compatibility.nodes import Node, Nodes

__all__ = ["Places"]


class Places:
    """A place is every schema that applies to it, through references and alternatives; conditions do not."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    def of(self, *nodes: Node) -> list[Node]:
        found: dict[Node, None] = {}
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node in found or isinstance(node.schema, bool):
                continue
            found[node] = None
            schema = node.schema
            parts = [schema[key] for key in ("then", "else") if key in schema]
            parts += [part for key in ("allOf", "anyOf", "oneOf") for part in schema.get(key, ())]
            waiting += [
                self._nodes.part(node, part)
                for part in (*parts, *schema.get("dependentSchemas", {}).values())
            ]
            if "$ref" in schema:
                waiting.append(self._nodes.target(node, schema["$ref"]))
        return list(found)

    def values(self, place: list[Node], keyword: str) -> list[Any]:
        """What the schemas of the place say with this keyword, each once."""
        found: list[Any] = []
        for node in place:
            if isinstance(node.schema, dict) and keyword in node.schema and node.schema[keyword] not in found:
                found.append(node.schema[keyword])
        return found

    def names(self, place: list[Node]) -> set[str]:
        return {name for named in self.values(place, "properties") for name in named}

    def member(self, place: list[Node], name: str) -> list[Node]:
        found: list[Node] = []
        for node in place:
            if not isinstance(node.schema, dict):
                continue
            patterns = node.schema.get("patternProperties", {})
            parts = [part for text, part in patterns.items() if string_is_valid("pattern", text, name)]
            if name in node.schema.get("properties", {}):
                parts.append(node.schema["properties"][name])
            if not parts and "additionalProperties" in node.schema:
                parts = [node.schema["additionalProperties"]]
            found += [self._nodes.part(node, part) for part in parts]
        return self.of(*found)

    def item(self, place: list[Node], number: int | None) -> list[Node]:
        """number None: of the items after the first ones."""
        found: list[Node] = []
        for node in place:
            if isinstance(node.schema, dict):
                first = node.schema.get("prefixItems", ())
                if number is not None and number < len(first):
                    found.append(self._nodes.part(node, first[number]))
                elif "items" in node.schema:
                    found.append(self._nodes.part(node, node.schema["items"]))
        return self.of(*found)

    def under(self, place: list[Node], *keys: str) -> list[Node]:
        """What stands there in the schemas, as `patternProperties`, `^x-`."""
        found: list[Node] = []
        for node in place:
            part: Any = node.schema
            for key in keys:
                part = part.get(key) if isinstance(part, dict) else None
            if part is not None:
                found.append(self._nodes.part(node, part))
        return self.of(*found)
