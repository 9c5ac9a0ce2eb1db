"""A JSON Schema document in one normal form: drafts evened out, references resolved, annotations gone.

The normal form is 2020-12 with JSON pointers of the original document in `$ref`. Of other members only the
facets of a contract stay, and whether an enum is extensible.
"""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

import jsonschema_rs

from lineshaft.contracts.schema import FORMATS
from lineshaft.core.errors import ConfigError

__all__ = ["FACETS", "Document", "Schema", "references", "string_is_valid"]

Schema = dict[str, Any] | bool

_DRAFTS = {
    "https://json-schema.org/draft/2020-12/schema": 2020,
    "https://json-schema.org/draft/2019-09/schema": 2019,
    "http://json-schema.org/draft-07/schema": 7,
    "http://json-schema.org/draft-06/schema": 6,
}
_ONE = ("additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then")
_ONE_2019 = ("unevaluatedItems", "unevaluatedProperties")
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("dependentSchemas", "patternProperties", "properties")
FACETS = ("x-class", "x-key", "x-order-by", "x-owner", "x-unit")
_HOLDERS = frozenset({*_ONE, *_ONE_2019, *_MANY, *_NAMED})
_MAPS = frozenset({*_NAMED, "$defs", "definitions", "dependencies"})
_DEFINITIONS = ("$defs", "definitions")
_PLAIN = frozenset({
    "dependentRequired", "exclusiveMaximum", "exclusiveMinimum", "maxContains", "maxItems", "maxLength",
    "maxProperties", "maximum", "minContains", "minItems", "minLength", "minProperties", "minimum",
    "multipleOf", "pattern", "required", "uniqueItems",
})  # fmt: skip


@cache
def _string_validator(keyword: str, value: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({keyword: value}, validate_formats=True, formats=FORMATS)


def string_is_valid(keyword: str, value: str, text: str) -> bool:
    """keyword: `pattern` or `format`, asserted as by the validator of payloads."""
    return _string_validator(keyword, value).is_valid(text)


@cache
def _is_asserted(format: str) -> bool:
    """An unknown format binds nobody; every known one refuses this text."""
    return not string_is_valid("format", format, "\0 no[(%")


class Document:
    """name: as people know the document, for errors.

    with_facets  keep the facets, which bind no value
    schemas  normal form of the document and of everything that is referred to, by pointer
    raises   ConfigError for no valid schema, an unknown draft, a reference that leads nowhere or in a circle
    """

    def __init__(self, raw: Any, name: str, *, with_facets: bool = False) -> None:
        self.name = name
        self._kept = ("const", *FACETS) if with_facets else ("const",)
        self.raw = raw
        self._draft = self._checked_draft()
        self._base = (raw.get("$id") or "") if isinstance(raw, dict) else ""
        self._targets: dict[str, str] = {urldefrag(self._base)[0]: "", "": ""}
        self._dynamic: dict[str, list[str]] = {}
        self._index(raw, "", "")
        self.schemas: dict[str, Schema] = {}
        self._waiting = [""]
        while self._waiting:
            pointer = self._waiting.pop()
            if pointer not in self.schemas:
                self.schemas[pointer] = self._normal(*self._located(pointer), pointer)
        self._refuse_circles()

    def _checked_draft(self) -> int:
        if not isinstance(self.raw, dict | bool):
            raise ConfigError(f"{self.name}: a JSON Schema is an object or a boolean")
        said = (
            self.raw.get("$schema", next(iter(_DRAFTS)))
            if isinstance(self.raw, dict)
            else next(iter(_DRAFTS))
        )
        draft = _DRAFTS.get(str(said).rstrip("#"))
        if draft is None:
            known = ", ".join(_DRAFTS)
            raise ConfigError(f"{self.name}: $schema {said!r} is not read here", hint=f"use one of {known}")
        try:
            jsonschema_rs.meta.validate(self.raw)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
            where = "/".join(map(str, getattr(error, "instance_path", ())))
            text = str(error).splitlines()[0]
            raise ConfigError(f"{self.name}: no valid JSON Schema at /{where}: {text}") from error
        return draft

    def _index(self, raw: Any, pointer: str, base: str) -> None:
        """Where `$id` and `$anchor` point to; only places that hold schemas are looked at."""
        if not isinstance(raw, dict):
            return
        ignored = self._draft <= 7 and "$ref" in raw
        if isinstance(raw.get("$id"), str) and not ignored:
            absolute, fragment = urldefrag(urljoin(base, raw["$id"]))
            base = absolute or base
            self._targets[f"{absolute}#{fragment}" if fragment else absolute] = pointer
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(raw.get(keyword), str):
                self._targets[f"{base}#{raw[keyword]}"] = pointer
                if keyword == "$dynamicAnchor":
                    self._dynamic.setdefault(raw[keyword], []).append(pointer)
        for step, part in _subschemas(raw):
            self._index(part, pointer + step, base)

    def _located(self, pointer: str) -> tuple[Any, str]:
        """The schema there, and the base of its references."""
        place, base = self.raw, ""
        for step in ["", *pointer.split("/")[1:]]:
            if step or place is not self.raw:
                key = unquote(step).replace("~1", "/").replace("~0", "~")
                place = place[int(key)] if isinstance(place, list) else place[key]
            if isinstance(place, dict) and isinstance(place.get("$id"), str):
                base = urldefrag(urljoin(base, place["$id"]))[0] or base
        return place, base

    def _resolved(self, reference: str, base: str, pointer: str) -> str:
        absolute, fragment = urldefrag(
            urljoin(base, reference) if not reference.startswith("#") else base + reference
        )
        target = self._targets.get(f"{absolute}#{fragment}" if fragment else absolute)
        if target is None and fragment.startswith("/") and absolute in self._targets:
            target = self._targets[absolute] + fragment
        try:
            if target is None or not isinstance(self._located(target)[0], dict | bool):
                raise KeyError(reference)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise ConfigError(
                f"{self.name}: $ref {reference!r} at {pointer or '/'} leads nowhere",
                hint="put what it refers to under $defs of the same document",
            ) from error
        self._waiting.append(target)
        return target

    def _normal(self, raw: Any, base: str, pointer: str) -> Schema:
        if isinstance(raw, bool):
            return raw
        if isinstance(raw.get("$id"), str):
            base = urldefrag(urljoin(base, raw["$id"]))[0] or base
        for keyword in _DEFINITIONS:
            self._waiting += [f"{pointer}/{keyword}/{_step(name)}" for name in raw.get(keyword, ())]
        found: dict[str, Any] = {}
        targets = self._referred_to(raw, found, base, pointer)
        if targets:
            found["$ref"] = targets[0]
        if self._draft <= 7 and "$ref" in raw:
            return found
        for key, value in raw.items():
            if key in _PLAIN or key in self._kept:
                found[key] = value
            elif key in _HOLDERS:
                self._hold(found, key, value, base, f"{pointer}/{key}")
        if len(targets) > 1:
            found["allOf"] = [*found.get("allOf", ()), *({"$ref": target} for target in targets[1:])]
        self._normal_types(raw, found)
        if self._draft < 2020:
            self._normal_old(raw, found, base, pointer)
        if "contains" not in found:
            found.pop("minContains", None)
            found.pop("maxContains", None)
        return found

    def _referred_to(self, raw: dict[str, Any], found: dict[str, Any], base: str, pointer: str) -> list[str]:
        references_here = [raw[key] for key in ("$ref", "$recursiveRef") if key in raw]
        if "$dynamicRef" in raw:
            name = raw["$dynamicRef"].rpartition("#")[2]
            if len(self._dynamic.get(name, ())) > 1:
                found["$undecided"] = f"$dynamicRef {name!r} has several targets"
            else:
                references_here.append(raw["$dynamicRef"])
        return [self._resolved(reference, base, pointer) for reference in references_here]

    def _hold(self, found: dict[str, Any], key: str, value: Any, base: str, pointer: str) -> None:
        """A keyword that has schemas for parts."""
        if key in _MANY:
            if key != "prefixItems" or self._draft == 2020:
                found[key] = [self._normal(part, base, f"{pointer}/{at}") for at, part in enumerate(value)]
        elif key in _NAMED:
            found[key] = {
                name: self._normal(part, base, f"{pointer}/{_step(name)}") for name, part in value.items()
            }
        elif not isinstance(value, list) and (key not in _ONE_2019 or self._draft >= 2019):
            found[key] = self._normal(value, base, pointer)

    def _normal_types(self, raw: dict[str, Any], found: dict[str, Any]) -> None:
        if "type" in raw:
            found["type"] = sorted({raw["type"]} if isinstance(raw["type"], str) else set(raw["type"]))
        if "enum" in raw:
            found["enum"] = raw["enum"]
            if raw.get("x-extensible") is True:
                found["x-extensible"] = True
        if "pattern" in raw:
            try:
                _string_validator("pattern", raw["pattern"])
            except jsonschema_rs.ValidationError as error:
                raise ConfigError(f"{self.name}: {raw['pattern']!r} is no regular expression") from error
        if isinstance(raw.get("format"), str) and _is_asserted(raw["format"]):
            found["format"] = raw["format"]

    def _normal_old(self, raw: dict[str, Any], found: dict[str, Any], base: str, pointer: str) -> None:
        if isinstance(raw.get("items"), list):
            found["prefixItems"] = [
                self._normal(part, base, f"{pointer}/items/{at}") for at, part in enumerate(raw["items"])
            ]
            if "additionalItems" in raw:
                found["items"] = self._normal(raw["additionalItems"], base, f"{pointer}/additionalItems")
        if self._draft <= 7:
            for later in ("dependentRequired", "dependentSchemas", "minContains", "maxContains"):
                found.pop(later, None)
            for name, then in raw.get("dependencies", {}).items():
                if isinstance(then, list):
                    found.setdefault("dependentRequired", {})[name] = then
                else:
                    there = f"{pointer}/dependencies/{_step(name)}"
                    found.setdefault("dependentSchemas", {})[name] = self._normal(then, base, there)

    def _refuse_circles(self) -> None:
        """A schema that applies itself to the same value says nothing: no validator can end."""
        used = {pointer: set(_in_place(schema)) for pointer, schema in self.schemas.items()}
        while used:
            ended = {pointer for pointer, targets in used.items() if not targets & used.keys()}
            if not ended:
                pointer = min(used)
                raise ConfigError(
                    f"{self.name}: the schema at {pointer or '/'} refers to itself in place",
                    hint="refer to it from a member or an item",
                )
            used = {pointer: targets for pointer, targets in used.items() if pointer not in ended}


def references(schema: Any) -> list[str]:
    """Pointers that the schema or a part of it refers to; a member called `$ref` is taken for one, too."""
    if isinstance(schema, dict):
        found = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
        return found + [pointer for part in schema.values() for pointer in references(part)]
    if isinstance(schema, list):
        return [pointer for part in schema for pointer in references(part)]
    return []


def _in_place(schema: Schema) -> list[str]:
    """Pointers of the schemas that apply to the same value."""
    if isinstance(schema, bool):
        return []
    found = [schema["$ref"]] if "$ref" in schema else []
    parts = [schema[key] for key in ("not", "if", "then", "else") if key in schema]
    parts += [part for key in ("allOf", "anyOf", "oneOf") for part in schema.get(key, ())]
    for part in [*parts, *schema.get("dependentSchemas", {}).values()]:
        found += _in_place(part)
    return found


def _step(name: str) -> str:
    return name if name.isidentifier() else name.replace("~", "~0").replace("/", "~1").replace("%", "%25")


def _subschemas(raw: dict[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in raw.items():
        if key in _MAPS and isinstance(value, dict):
            found += [(f"/{key}/{_step(name)}", part) for name, part in value.items()]
        elif key in _HOLDERS or key == "additionalItems":
            if isinstance(value, list):
                found += [(f"/{key}/{place}", part) for place, part in enumerate(value)]
            else:
                found.append((f"/{key}", value))
    return found
