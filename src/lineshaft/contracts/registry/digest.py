"""When two documents are the same: to the letter, and in what they demand."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from lineshaft.contracts.registry.contract import Document

__all__ = ["digest_of", "meaning"]

_SAID = frozenset({"$comment", "default", "description", "examples", "title"})
_BY_NAME = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
_VALUES = frozenset({"const", "enum", "required"})


def digest_of(document: Document) -> str:
    """`sha256:` of its canonical JSON: members sorted, no spaces."""
    return "sha256:" + hashlib.sha256(msgspec.json.encode(document, order="sorted")).hexdigest()


def meaning(schema: Any) -> Any:
    """The schema without what is only said about it; two with the same demand the same."""
    if isinstance(schema, list):
        return [meaning(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: meaning(each) for name, each in value.items()}
        if key in _BY_NAME and isinstance(value, dict)
        else value
        if key in _VALUES
        else meaning(value)
        for key, value in schema.items()
        if key not in _SAID
    }
