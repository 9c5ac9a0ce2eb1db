"""The writers' and the readers' view of a schema as JSON Schemas, for a validator that knows of neither.

Made from the words of the definition, not with the code under test.
"""

from __future__ import annotations

from typing import Any

import jsonschema_rs

from lineshaft.contracts.schema import FORMATS

__all__ = ["Mixed", "Views"]

_LOCATIONS = ("additionalProperties", "items", "unevaluatedItems", "unevaluatedProperties")
_KINDS = {str: "string", int: "number", float: "number"}
_IN_PLACE = ("then", "else")


class Mixed(Exception):
    """Members are named in one alternative of a place and not in another: that has no JSON Schema."""


class Views:
    def __init__(self, document: dict[str, Any] | bool) -> None:
        self._document = document
        self._definitions = document.get("$defs", {}) if isinstance(document, dict) else {}

    def writer(self) -> jsonschema_rs.Draft202012Validator:
        return self._validator("writer")

    def reader(self) -> jsonschema_rs.Draft202012Validator:
        return self._validator("reader")

    def _validator(self, view: str) -> jsonschema_rs.Draft202012Validator:
        definitions = dict(self._definitions)
        for name, part in self._definitions.items():
            definitions[f"{view}.{name}"] = self._seen(part, view)
        schema = self._place(self._document, view)
        whole = (
            {"allOf": [schema], "$defs": definitions}
            if isinstance(schema, bool)
            else {**schema, "$defs": definitions}
        )
        return jsonschema_rs.Draft202012Validator(whole, validate_formats=True, formats=FORMATS)

    def _place(self, schema: Any, view: str) -> Any:
        found = self._seen(schema, view)
        if view == "reader" or isinstance(schema, bool) or "unevaluatedProperties" in schema:
            return found
        names = self._names_members(schema)
        if len(names) > 1:
            raise Mixed
        return {**found, "unevaluatedProperties": False} if names == {True} else found

    def _seen(self, schema: Any, view: str) -> Any:  # noqa: PLR0912
        if isinstance(schema, bool):
            return schema
        found = {key: value for key, value in schema.items() if key != "$defs"}
        for key in _LOCATIONS:
            if key in schema:
                found[key] = self._place(schema[key], view)
        for key in _IN_PLACE:
            if key in schema:
                found[key] = self._seen(schema[key], view)
        for key in ("properties", "patternProperties"):
            if key in schema:
                found[key] = {name: self._place(part, view) for name, part in schema[key].items()}
        if "dependentSchemas" in schema:
            found["dependentSchemas"] = {
                name: self._seen(part, view) for name, part in schema["dependentSchemas"].items()
            }
        if "prefixItems" in schema:
            found["prefixItems"] = [self._place(part, view) for part in schema["prefixItems"]]
        for key in ("allOf", "anyOf"):
            if key in schema:
                found[key] = [self._seen(part, view) for part in schema[key]]
        if "$ref" in schema:
            found["$ref"] = schema["$ref"].replace("#/$defs/", f"#/$defs/{view}.")
        if "oneOf" in schema:
            self._one_of(schema["oneOf"], view, found)
        if view == "reader":
            if schema.get("unevaluatedProperties") is False:
                del found["unevaluatedProperties"]
            if schema.get("x-extensible") is True and "enum" in found:
                kinds = sorted({_KINDS[type(value)] for value in found.pop("enum")})
                found["allOf"] = [*found.get("allOf", []), {"type": kinds}]
        return found

    def _one_of(self, parts: list[Any], view: str, found: dict[str, Any]) -> None:
        seen = [self._seen(part, view) for part in parts]
        if view == "writer":
            found["allOf"] = [*found.get("allOf", []), {"anyOf": seen}]
            return
        del found["oneOf"]
        alone = [
            {"allOf": [part, *({"not": other} for at, other in enumerate(parts) if at != place)]}
            for place, part in enumerate(seen)
        ]
        found["allOf"] = [*found.get("allOf", []), {"anyOf": alone}]

    def _names_members(self, schema: Any) -> set[bool]:
        """Does it, for each way to satisfy it."""
        if isinstance(schema, bool):
            return {False} if schema else set()
        found = {"properties" in schema or "patternProperties" in schema}
        if {"additionalProperties", "unevaluatedProperties"} & schema.keys():
            found = {True}  # says itself what becomes of other members
        alternatives = [self._names_members(part) for part in schema.get("allOf", ())]
        if "$ref" in schema:
            alternatives.append(
                self._names_members(self._definitions[schema["$ref"].removeprefix("#/$defs/")])
            )
        for key in ("anyOf", "oneOf"):
            if key in schema:
                alternatives.append({each for part in schema[key] for each in self._names_members(part)})
        if "if" in schema:
            met = _either(self._names_members(schema["if"]), self._names_members(schema.get("then", True)))
            alternatives.append(met | self._names_members(schema.get("else", True)))
        for part in schema.get("dependentSchemas", {}).values():
            alternatives.append({False} | self._names_members(part))
        for each in alternatives:
            found = _either(found, each)
        return found


def _either(left: set[bool], right: set[bool]) -> set[bool]:
    return {one or other for one in left for other in right}
