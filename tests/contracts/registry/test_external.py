"""Schemas of others, before they are let in."""

from __future__ import annotations

from typing import Any

import pytest

from lineshaft.contracts.registry import read_document, schema_findings
from lineshaft.core.errors import ConfigError

ANCHORED = {"$ref": "#line", "$defs": {"l": {"$anchor": "line", "type": "string"}}}
BUNDLED = {"$id": "https://acme.example/a", "$ref": "b", "$defs": {"b": {"$id": "b", "type": "string"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"},
        {"oneOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
        {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string", "format": "decimal"}}},
        {"properties": {"next": {"$ref": "#"}}, "x-unit": "KGM"},
        ANCHORED,
        BUNDLED,
    ],
)
def test_schemas_that_are_let_in(schema: dict[str, Any]) -> None:
    assert schema_findings(schema) == []


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "text"}, "type: "),
        ({"properties": {"a": {"minLength": -1}}}, "properties/a/minLength: "),
        ({"pattern": "("}, "regex"),
        ({"$ref": "#/$defs/line"}, "/$defs/line"),
        ({"$defs": {"unused": {"$ref": "#/$defs/line"}}}, "/$defs/line"),
        ({"$ref": "#line"}, "line"),
        ({"$ref": "https://acme.example/schema.json"}, "outside of the document"),
        ({"items": {"$ref": "file:///etc/hostname"}}, "outside of the document"),
        (
            {"$schema": "http://json-schema.org/draft-07/schema#"},
            "expected 'https://json-schema.org/draft/2020",
        ),
    ],
)
def test_schemas_that_are_refused(schema: dict[str, Any], said: str) -> None:
    (finding,) = schema_findings(schema)
    assert said in finding


def test_every_finding_is_told() -> None:
    assert len(schema_findings({"minLength": -1, "maxLength": "x", "required": "a"})) == 3


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "acme.json is not JSON"),
        (b"\xff", "acme.json is not JSON"),
        (b"[]", "acme.json is no JSON object"),
        (b'{"a":' * 64 + b"1" + b"}" * 64, "acme.json is nested deeper than 64 levels"),
        (b"[" * 100_000, "acme.json is not JSON"),
        (b'{"a":"' + b"x" * 2_000_000 + b'"}', "2000000 are allowed"),
    ],
)
def test_documents_that_are_not_read(data: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_document(data, "acme.json")


def test_a_deep_document_is_read() -> None:
    assert read_document(b'{"a":' * 62 + b"1" + b"}" * 62, "acme.json")
