"""Schemas and statements on them that can be compared, hashed and remembered."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import msgspec

from lineshaft.contracts.compatibility.document import Document, Schema, references

__all__ = ["Goal", "Literal", "Node", "Nodes", "View"]


class View(IntEnum):
    """How a schema is read. Each view takes every value that the one before it takes.

    WRITER  members that no part of the schema names are not written, unless it says that they are
    PLAIN   as JSON Schema says; conditions (`not`, `if`, `contains`, names) are always read so
    READER  `unevaluatedProperties: false` does not bind; an extensible enum takes what it does not know
    """

    WRITER = 0
    PLAIN = 1
    READER = 2


class Node:
    """One schema of one document. Equal schemas are the same object, across documents where that is true."""

    __slots__ = ("document", "schema")

    def __init__(self, schema: Schema, document: Document) -> None:
        self.schema = schema
        self.document = document


class Literal(NamedTuple):
    """A value is (sign) or is not (not sign) taken by the node."""

    node: Node
    sign: bool
    view: View


Goal = frozenset[Literal]


class Nodes:
    """All schemas of two documents, interned."""

    def __init__(self, old: Document, new: Document) -> None:
        self._shared = _unchanged(old, new)
        self._documents = (old, new)
        self._by_text: dict[Any, Node] = {}
        self._known: dict[tuple[int, int], tuple[Schema, Node]] = {}
        self.true = self.of(True, old)
        self.false = self.of(False, old)

    def of(self, schema: Schema, document: Document) -> Node:
        identity = (id(schema), id(document))
        known = self._known.get(identity)
        if known:
            return known[1]
        key: Any = msgspec.json.encode(schema, order="sorted")
        if not self._shared.issuperset(references(schema)):
            key = (id(document), key)
        node = self._by_text.setdefault(key, Node(schema, document))
        self._known[identity] = (schema, node)
        return node

    def part(self, node: Node, schema: Schema) -> Node:
        """A part of the node's schema; where it only refers, what it refers to."""
        while isinstance(schema, dict) and len(schema) == 1 and "$ref" in schema:
            schema = node.document.schemas[schema["$ref"]]
        return self.of(schema, node.document)

    def target(self, node: Node, pointer: str) -> Node:
        return self.of(node.document.schemas[pointer], node.document)


def _unchanged(old: Document, new: Document) -> set[str]:
    """Pointers whose schemas are equal in both, with all that they refer to."""
    same = {
        pointer: set(references(schema))
        for pointer, schema in old.schemas.items()
        if pointer in new.schemas and _text(schema) == _text(new.schemas[pointer])
    }
    while True:
        changed = [pointer for pointer, used in same.items() if not used <= same.keys()]
        if not changed:
            return set(same)
        for pointer in changed:
            del same[pointer]


def _text(schema: Schema) -> bytes:
    return msgspec.json.encode(schema, order="sorted")
