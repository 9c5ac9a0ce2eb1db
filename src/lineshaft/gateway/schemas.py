"""JSON Schemas on their way into routes and OpenAPI: references resolved, or moved to one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Components", "plain_properties"]

Schema = dict[str, Any]
_HERE = "#/$defs/"
_SCALARS = frozenset({"string", "integer", "number", "boolean", "null"})


def plain_properties(document: Mapping[str, Any]) -> dict[str, Schema] | None:
    """The properties of an object, each a plain value without references; None where one is more than that.

    document  as PayloadSchema.document has it
    """
    defs = document.get("$defs", {})
    root = _resolved(document, defs)
    found = {name: _resolved(schema, defs) for name, schema in root.get("properties", {}).items()}
    return found if all(_is_plain(schema) for schema in found.values()) else None


def _resolved(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Schema:
    """Its own reference and those of its branches, which is as deep as plain values go."""
    own = {name: value for name, value in schema.items() if name not in ("$ref", "$defs")}
    if reference := schema.get("$ref"):
        own = {**_resolved(defs[reference.removeprefix(_HERE)], defs), **own}
    if branches := own.get("anyOf"):
        own["anyOf"] = [_resolved(branch, defs) for branch in branches]
    return own


def _is_plain(schema: Mapping[str, Any]) -> bool:
    if branches := schema.get("anyOf"):
        return all(_is_plain(branch) for branch in branches)
    said = schema.get("type")
    if said is None:
        return "enum" in schema or "const" in schema
    return _SCALARS.issuperset([said] if isinstance(said, str) else said)


class Components:
    """Schemas of many documents under one name each. Those of the same name that differ get a number."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}
        self._sources: dict[str, list[tuple[Any, str]]] = {}

    def take(self, schema: Any, names: Mapping[str, str] | None = None) -> Any:
        """The schema with its references pointing here; what it defines is taken in.

        names  of what the documents around it define
        """
        if isinstance(schema, list):
            return [self.take(each, names) for each in schema]
        if not isinstance(schema, Mapping):
            return schema
        known = dict(names or {})
        defs = schema.get("$defs", {})
        placed = [self._place(name, defs[name], defs) for name in defs]
        known |= {name: place for name, (place, _) in zip(defs, placed, strict=True)}
        for name, (place, is_new) in zip(defs, placed, strict=True):
            if is_new:
                self.schemas[place] = self.take(defs[name], known)
        taken = {}
        for name, value in schema.items():
            if name in ("$defs", "$schema"):
                continue
            if name == "$ref" and isinstance(value, str) and value.startswith(_HERE):
                place = known.get(value.removeprefix(_HERE), value.removeprefix(_HERE))
                taken[name] = f"#/components/schemas/{place}"
            else:
                taken[name] = value if name in ("const", "enum", "examples") else self.take(value, known)
        return taken

    def _place(self, name: str, schema: Any, defs: Mapping[str, Any]) -> tuple[str, bool]:
        """Where it goes, and whether it is new. Equal ones define the same with all that they refer to."""
        meant = (schema, {each: defs[each] for each in _referred(schema, defs, set())})
        name = name.lstrip("_")
        kept = self._sources.setdefault(name, [])
        for earlier, place in kept:
            if earlier == meant:
                return place, False
        number = len(kept)
        place = name if not number else f"{name}_{number + 1}"
        kept.append((meant, place))
        return place, True


def _referred(schema: Any, defs: Mapping[str, Any], seen: set[str]) -> set[str]:
    """Names of all that it refers to, directly or not."""
    if isinstance(schema, list):
        for each in schema:
            _referred(each, defs, seen)
    elif isinstance(schema, Mapping):
        reference = schema.get("$ref", "")
        name = reference.removeprefix(_HERE) if isinstance(reference, str) else ""
        if name in defs and name not in seen:
            seen.add(name)
            _referred(defs[name], defs, seen)
        for each in schema.values():
            if isinstance(each, list | Mapping):
                _referred(each, defs, seen)
    return seen
