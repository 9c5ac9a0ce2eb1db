"""Schemas that others wrote, checked before they are let in."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import msgspec

from lineshaft.contracts.registry.contract import Document
from lineshaft.contracts.schema import FORMATS, findings_of, validator_of
from lineshaft.core.errors import ConfigError

__all__ = ["read_document", "schema_findings"]

_MOST_BYTES = 2_000_000
_DEEPEST = 64
_LEADS_NOWHERE = ("Pointer ", "Resource ", "Anchor ")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def read_document(data: bytes, where: str) -> Document:
    """raises  ConfigError for what is no JSON object, is too large or too deep; `where` names it"""
    if len(data) > _MOST_BYTES:
        raise ConfigError(
            f"{where} has {len(data)} bytes, and {_MOST_BYTES} are allowed", hint="split it into contracts"
        )
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{where} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{where} is no JSON object", hint="a contract's document is a JSON Schema")
    if _depth(document) > _DEEPEST:
        raise ConfigError(
            f"{where} is nested deeper than {_DEEPEST} levels", hint="move the inner parts to $defs"
        )
    return document


def schema_findings(schema: Document) -> list[str]:
    """What keeps a document from being a contract: not valid 2020-12, or a $ref to what is not in it."""
    dialect = schema.get("$schema", _DIALECT)
    if str(dialect).rstrip("#") != _DIALECT:
        return [f"$schema is {dialect!r}; expected {_DIALECT!r}"]
    try:
        found = findings_of(_meta_schema(), schema)
        if not found:
            inner = [{"$ref": f"#/$defs/{_pointer(name)}"} for name in schema.get("$defs", {})]
            all_of = [*schema.get("allOf", []), *inner] or [True]  # definitions in use or not
            jsonschema_rs.Draft202012Validator(
                {**schema, "allOf": all_of},
                validate_formats=True,
                formats=FORMATS,
                retriever=_nowhere,
            )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        said = str(error).partition("\n")[0]
        if not said.startswith(_LEADS_NOWHERE):
            return [said]
        said = said.rpartition(f"{ValueError.__name__}: ")[2]  # of `_nowhere`
        return [f"a $ref leads nowhere: {said}; put what it refers to under $defs of the same document"]
    return found


def _pointer(name: str) -> str:
    return quote(name.replace("~", "~0").replace("/", "~1"))


def _nowhere(uri: str) -> Any:
    raise ValueError(f"{uri} is outside of the document")


def _depth(document: Any) -> int:
    deepest, level = 0, [document]
    while level:
        deepest += 1
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return deepest


@cache
def _meta_schema() -> jsonschema_rs.Draft202012Validator:
    return validator_of({"$ref": _DIALECT})
