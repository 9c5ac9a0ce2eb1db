"""Random schemas over a small vocabulary, changes of them, and documents close to their borders."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

__all__ = ["changed_schema", "documents", "random_schema"]

_NAMES = ("a", "b", "ab", "x-1")
_PATTERNS = ("^a", "b$", "^[a-c]+$", "^x-", "^.{2,3}$", "^(a|b)$", "[0-9]", "^$")
_TEXTS = ("", "a", "b", "ab", "abc", "x-1", "c", "2024-01-31", "1", "aé", "a@b.example")
_NUMBERS = (-1, 0, 1, 2, 3, 5, 0.5, 1.5, 2.25)
_FORMATS = ("date", "uuid", "email", "decimal", "unknown")
_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
_DEFINITIONS = ("d", "e")


def random_schema(random: Random, depth: int = 3) -> dict[str, Any]:
    """A document with two definitions that may refer to each other."""
    schema = _schema(random, depth)
    if isinstance(schema, bool):
        schema = {"allOf": [schema]}
    schema["$defs"] = {name: _definition(random) for name in _DEFINITIONS}
    return schema


def _definition(random: Random) -> Any:
    """References only below members and items, so that none goes in a circle."""
    found: dict[str, Any] = {"type": random.choice(["object", "array", ["object", "integer"]])}
    found["properties"] = {
        name: _schema(random, 1, True) for name in random.sample(_NAMES, random.randint(0, 2))
    }
    if random.random() < 0.3:
        found["items"] = _schema(random, 1, True)
    if random.random() < 0.3:
        found["required"] = random.sample(_NAMES, 1)
    return found


def _schema(random: Random, depth: int, with_references: bool = True) -> Any:
    roll = random.random()
    if roll < 0.04:
        return random.random() < 0.6
    if with_references and roll < 0.12:
        return {"$ref": f"#/$defs/{random.choice(_DEFINITIONS)}"}
    found: dict[str, Any] = {}
    if random.random() < 0.75:
        found["type"] = _type(random)
    kinds = found.get("type", random.choice(_TYPES))
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        for _ in range(random.randint(0, 2)):
            _constrain(random, found, kind, depth)
    if depth > 0 and random.random() < 0.3:
        _combine(random, found, depth)
    return found


def _type(random: Random) -> Any:
    if random.random() < 0.8:
        return random.choice([*_TYPES[2:], "object", "object"])
    return random.sample(_TYPES, random.randint(1, 3))


def _constrain(random: Random, found: dict[str, Any], kind: str, depth: int) -> None:  # noqa: PLR0912
    part = lambda: _schema(random, depth - 1) if depth > 0 else random.choice([True, {"type": "integer"}])  # noqa: E731
    if kind in ("integer", "number"):
        key = random.choice(
            ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "enum"]
        )
        if key == "multipleOf":
            found[key] = random.choice([1, 2, 3, 0.5, 1.5])
        elif key == "enum":
            found[key] = random.sample(_NUMBERS, random.randint(1, 3))
        else:
            found[key] = random.choice(_NUMBERS)
    elif kind == "string":
        key = random.choice(["minLength", "maxLength", "pattern", "format", "enum", "const"])
        if key == "enum":
            found[key] = random.sample(_TEXTS, random.randint(1, 3))
            if random.random() < 0.3:
                found["x-extensible"] = True
        else:
            found[key] = {
                "pattern": random.choice(_PATTERNS), "format": random.choice(_FORMATS),
                "const": random.choice(_TEXTS),
            }.get(key, random.randint(0, 3))  # fmt: skip
    elif kind == "array":
        key = random.choice(
            ["items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "unevaluatedItems"]
        )
        if key == "prefixItems":
            found[key] = [part() for _ in range(random.randint(1, 2))]
        elif key == "uniqueItems":
            found[key] = True
        elif key in ("minItems", "maxItems"):
            found[key] = random.randint(0, 3)
        else:
            found[key] = part()
        if key == "contains" and random.random() < 0.5:
            found[random.choice(["minContains", "maxContains"])] = random.randint(0, 2)
    elif kind == "object":
        _constrain_object(random, found, part)


def _constrain_object(random: Random, found: dict[str, Any], part: Any) -> None:
    key = random.choice(
        ["properties"] * 4 + ["required"] * 2 + ["additionalProperties"] * 2
        + ["patternProperties", "minProperties", "maxProperties", "propertyNames", "dependentRequired",
           "dependentSchemas", "unevaluatedProperties"]
    )  # fmt: skip
    if key == "properties":
        found[key] = {name: part() for name in random.sample(_NAMES, random.randint(1, 3))}
    elif key == "required":
        found[key] = random.sample(_NAMES, random.randint(1, 2))
    elif key == "patternProperties":
        found[key] = {random.choice(_PATTERNS): part()}
    elif key == "propertyNames":
        found[key] = {"pattern": random.choice(_PATTERNS)}
    elif key in ("minProperties", "maxProperties"):
        found[key] = random.randint(0, 2)
    elif key == "dependentRequired":
        found[key] = {random.choice(_NAMES): [random.choice(_NAMES)]}
    elif key == "dependentSchemas":
        found[key] = {random.choice(_NAMES): part()}
    else:
        found[key] = random.choice([True, False, part()])


def _combine(random: Random, found: dict[str, Any], depth: int) -> None:
    key = random.choice(["allOf", "anyOf", "anyOf", "oneOf", "oneOf", "not", "if"])
    if key == "not":
        found[key] = _schema(random, 0, False)
    elif key == "if":
        found["if"] = _schema(random, 1, False)
        for branch in ("then", "else"):
            if random.random() < 0.7:
                found[branch] = _schema(random, depth - 1, False)
    else:
        found[key] = [_schema(random, depth - 1) for _ in range(random.randint(1, 3))]


def changed_schema(random: Random, schema: dict[str, Any]) -> dict[str, Any]:
    """One or two places of it are other."""
    found = copy.deepcopy(schema)
    for _ in range(random.randint(1, 2)):
        places = _places(found)
        place = random.choice(places)
        roll = random.random()
        keys = [key for key in place if key != "$defs"]
        if roll < 0.3 and keys:
            del place[random.choice(keys)]
        elif "$ref" not in place:
            kind = place.get("type", random.choice(_TYPES))
            _constrain(random, place, kind if isinstance(kind, str) else random.choice(kind), 1)
        if roll > 0.9 and "type" in place:
            place["type"] = _type(random)
    return found


def _places(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [place for part in schema for place in _places(part)]
    if not isinstance(schema, dict):
        return []
    found = [schema]
    for key, part in schema.items():
        if key in ("properties", "patternProperties", "dependentSchemas", "$defs"):
            found += [place for inner in part.values() for place in _places(inner)]
        elif key not in ("enum", "const", "required", "type", "dependentRequired"):
            found += _places(part)
    return found


def documents(random: Random, schema: Any, definitions: dict[str, Any], depth: int = 4) -> Any:  # noqa: PLR0911
    """A value that has a chance to satisfy the schema, near where it would not."""
    if random.random() < 0.06 or isinstance(schema, bool):
        return _anything(random)
    if "$ref" in schema:
        target = definitions[schema["$ref"].removeprefix("#/$defs/")]
        return documents(random, target, definitions, depth - 1)
    merged = dict(schema)
    for key in ("allOf", "anyOf", "oneOf"):
        parts = schema.get(key, [])
        for part in parts if key == "allOf" else random.sample(parts, min(1, len(parts))):
            if isinstance(part, dict):
                inner = definitions.get(part.get("$ref", "").removeprefix("#/$defs/"), part)
                merged = {
                    **merged,
                    **inner,
                    "properties": {**merged.get("properties", {}), **inner.get("properties", {})},
                }
    for key in ("const", "enum"):
        if key in merged and random.random() < 0.9:
            return random.choice([merged["const"]] if key == "const" else merged["enum"])
    kinds = merged.get("type") or random.choice(_TYPES)
    kind = kinds if isinstance(kinds, str) else random.choice(kinds)
    if depth <= 0 and kind in ("array", "object"):
        return [] if kind == "array" else {}
    if kind == "array":
        first = merged.get("prefixItems", [])
        rest = [merged[key] for key in ("items", "contains", "unevaluatedItems") if key in merged] or [True]
        size = random.randint(merged.get("minItems", 0), 3)
        parts = [first[at] if at < len(first) else random.choice(rest) for at in range(size)]
        return [documents(random, part, definitions, depth - 1) for part in parts]
    if kind == "object":
        return _object(random, merged, definitions, depth)
    return _scalar(random, merged, kind)


def _object(
    random: Random, schema: dict[str, Any], definitions: dict[str, Any], depth: int
) -> dict[str, Any]:
    named = schema.get("properties", {})
    names = [name for name in named if random.random() < 0.6] + schema.get("required", [])
    names += [name for name in _NAMES if random.random() < 0.15]
    rest = schema.get("additionalProperties", True)
    return {name: documents(random, named.get(name, rest), definitions, depth - 1) for name in names}


def _scalar(random: Random, schema: dict[str, Any], kind: str) -> Any:
    if kind in ("integer", "number"):
        keys = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
        near = [schema[key] for key in keys if key in schema] or [0]
        value = random.choice(near) + random.choice([0, 0, 1, -1, 0.5, 2, -0.25])
        return int(value) if kind == "integer" or value == int(value) else value
    if kind == "string":
        return random.choice(_TEXTS) if random.random() < 0.8 else "a" * random.randint(0, 4)
    return random.choice([True, False]) if kind == "boolean" else None


def _anything(random: Random) -> Any:
    return random.choice(
        [None, True, 0, 1, 0.5, "", "a", "ab", [], [1], {}, {"a": 1}, {"b": "a"}, {"x-1": None}]
    )
