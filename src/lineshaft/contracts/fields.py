"""The fields of a JSON Schema as people read them: one line each, whatever they are nested in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import cleandoc
from typing import Any

import msgspec

__all__ = ["Field", "about", "fields_of"]

_DEEPEST = 6
_SHOWN_CHOICES = 20
Schema = Mapping[str, Any]


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """path: `quantity.value`, `[]` after what is a list; unit: UNECE Rec 20, where it is fixed."""

    path: str
    type: str
    required: bool
    unit: str = ""
    is_key: bool = False
    facets: str = ""


def fields_of(document: Schema) -> list[Field]:
    """In the order of declaration. A quantity is one field; a type within itself is not gone into again."""
    return list(_fields(document, document, "", ()))


def about(document: Schema) -> str:
    """What the document, or the type that it refers to, says of itself."""
    return cleandoc(str(document.get("description") or _resolved(document, document).get("description", "")))


def _fields(schema: Schema, root: Schema, path: str, within: tuple[str, ...]) -> Iterator[Field]:
    found = _resolved(schema, root)
    required = set(found.get("required", ()))
    for name, given in (found.get("properties") or {}).items():
        if not isinstance(given, Mapping):
            continue
        here = f"{path}.{name}" if path else name
        bare = _without_null(given)
        inner, item = _resolved(bare, root), _without_null(_resolved(bare, root).get("items") or {})
        unit = str(given.get("x-unit") or bare.get("x-unit") or inner.get("x-unit") or "")
        yield Field(
            path=f"{here}[]" if item else here,
            type=_type(bare, root),
            required=name in required,
            unit=unit,
            is_key=bool(bare.get("x-key") or item.get("x-key")),
            facets=_facets(bare, root),
        )
        nested = item or bare
        title = str(_resolved(nested, root).get("title", ""))
        if title != "Quantity" and title not in within and len(within) < _DEEPEST:
            yield from _fields(nested, root, f"{here}[]" if item else here, (*within, title))


def _resolved(schema: Schema, root: Schema) -> Schema:
    """References within the document followed; what stands beside one is kept."""
    for _ in range(_DEEPEST):
        reference = schema.get("$ref", "")
        if not str(reference).startswith("#/"):
            break
        target: Any = root
        for part in reference[2:].split("/"):
            target = target.get(part.replace("~1", "/").replace("~0", "~"), {})
        schema = {**target, **{name: value for name, value in schema.items() if name != "$ref"}}
    return schema


def _without_null(schema: Schema) -> Schema:
    choices = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return {**schema, **choices[0]} if len(choices) == 1 else schema


def _type(schema: Schema, root: Schema) -> str:
    found = _resolved(schema, root)
    title = str(found.get("title", ""))
    if title == "Quantity":
        return "quantity"
    if "enum" in found:
        return "enumeration"
    if item := found.get("items"):
        return f"list of {_type(_without_null(item), root)}"
    if choices := [each for each in found.get("anyOf", ()) if each.get("type") != "null"]:
        return " or ".join(dict.fromkeys(_type(each, root) for each in choices))
    kinds = found.get("type", "any")
    kind = " or ".join(each for each in kinds if each != "null") if isinstance(kinds, list) else str(kinds)
    return str(found.get("format") or (title if kind == "object" and title else kind))


def _facets(schema: Schema, root: Schema) -> str:
    """Choices and bounds."""
    found = _resolved(schema, root)
    told = []
    if choices := found.get("enum"):
        more = ", …" if len(choices) > _SHOWN_CHOICES else ""
        told.append(", ".join(map(str, choices[:_SHOWN_CHOICES])) + more)
    if "const" in found:
        told.append(str(found["const"]))
    for name, sign in (("minimum", "≥"), ("maximum", "≤"), ("exclusiveMinimum", ">"), ("pattern", "like")):
        if name in found:
            told.append(f"{sign} {found[name]}")
    return "; ".join(told)
