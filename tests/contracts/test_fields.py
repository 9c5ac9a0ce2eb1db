"""The fields of a JSON Schema, one line each."""

from __future__ import annotations

import pytest

from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS
from lineshaft.contracts.fields import Field, about, fields_of


def shown(name: str) -> dict[str, Field]:
    return {field.path: field for field in fields_of(EVENTS[name].schema.document)}


def test_fields_of_a_confirmation() -> None:
    found = shown("production.confirmation.recorded.v1")
    assert found["yield_quantity"].type == "quantity"
    assert found["yield_quantity"].required
    assert "yield_quantity.value" not in found
    assert not found["scrap_quantity"].required
    assert found["scrap_reason[].reason_code"].is_key
    assert found["personnel_actual[].quantity"].unit == "HUR"
    assert found["confirmation_type"].facets == "final, partial"
    assert found["actual_end_time"].type == "date-time"
    assert found["material_actual[].material_sub_lot_id[]"].type == "list of string"
    assert about(EVENTS["production.confirmation.recorded.v1"].schema.document).startswith("One confirmation")


def test_every_declared_field_is_there() -> None:
    for event in EVENTS.values():
        top = [
            field.path.removesuffix("[]")
            for field in fields_of(event.schema.document)
            if "." not in field.path
        ]
        assert top == list(event.data.__struct_fields__)
    for capability in CAPABILITIES.values():
        for operation in capability.operations.values():
            names = {field.path.removesuffix("[]") for field in fields_of(operation.reply_schema.document)}
            assert set(operation.reply.__struct_fields__) <= names


@pytest.mark.parametrize(
    ("schema", "type", "facets"),
    [
        ({"type": ["string", "null"], "pattern": "^A"}, "string", "like ^A"),
        ({"const": 7}, "any", "7"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "integer", "≥ 1; ≤ 9"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}, "string or integer", ""),
        ({"$ref": "#/$defs/size"}, "enumeration", "s, m"),
        ({"$ref": "#/$defs/gone"}, "any", ""),
        ({"$ref": "https://partner.example/size"}, "any", ""),
        ({"enum": list(range(30))}, "enumeration", ", ".join(map(str, range(20))) + ", …"),
    ],
)
def test_a_schema_of_a_partner(schema: dict[str, object], type: str, facets: str) -> None:
    document = {"properties": {"size": schema}, "$defs": {"size": {"enum": ["s", "m"]}}}
    assert fields_of(document) == [Field(path="size", type=type, required=False, facets=facets)]


def test_a_type_within_itself_ends() -> None:
    node = {"title": "Node", "type": "object", "properties": {"parts": {"items": {"$ref": "#/$defs/Node"}}}}
    found = [field.path for field in fields_of({"$ref": "#/$defs/Node", "$defs": {"Node": node}})]
    assert found == ["parts[]", "parts[].parts[]"]
    endless = {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}
    assert fields_of(endless) == []
