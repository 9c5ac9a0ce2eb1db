"""Decoding and JSON Schema say the same of every document, and findings are complete."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS, THRESHOLD_EXCEEDED, Inventory
from lineshaft.contracts.examples import example
from lineshaft.contracts.schema import PayloadSchema, business_keys, findings_of, validator_of
from lineshaft.core.errors import ContractViolation
from lineshaft.core.values import Value
from tests.facts import VALUES, breach, completion

SCHEMAS: list[PayloadSchema[Any]] = [
    *(contract.schema for contract in EVENTS.values()),
    *(
        schema
        for capability in CAPABILITIES.values()
        for operation in capability.operations.values()
        for schema in (operation.request_schema, operation.reply_schema)
    ),
]
EACH = pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
EACH_TYPE = pytest.mark.parametrize(
    "schema", {schema.type: schema for schema in SCHEMAS}.values(), ids=lambda schema: schema.type.__name__
)
SAMPLES = {type(value): msgspec.json.decode(msgspec.json.encode(value)) for value in VALUES}
DECIMALS = {
    name
    for schema in SCHEMAS
    for part in schema.document["$defs"].values()
    for name, field in part.get("properties", {}).items()
    if '"decimal"' in msgspec.json.encode(field).decode()
}
MSGSPEC_SAYS = ("Expected ", "Invalid ", "Object ")
JUNK = [None, True, 7, -1.5, "", "x", "2026-03-02T06:00:00", "2026-03-02", "NaN", [], {}, [None]]


def paths(document: Any, so_far: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        yield (*so_far, key)
        if isinstance(value, dict | list):
            yield from paths(value, (*so_far, key))


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    document = copy.deepcopy(document)
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    if value is ...:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return document


def validator(schema: PayloadSchema[Any]) -> jsonschema_rs.Draft202012Validator:
    return schema._validator


@EACH
def test_a_document_is_valid_json_schema(schema: PayloadSchema[Any]) -> None:
    assert schema.document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(schema.document)
    assert msgspec.json.decode(msgspec.json.encode(schema.document)) == schema.document


@EACH
def test_writers_are_strict_and_readers_tolerant(schema: PayloadSchema[Any]) -> None:
    document = SAMPLES[schema.type]
    more = document | {"added_later": 1}
    strict = jsonschema_rs.Draft202012Validator(schema.document)
    assert strict.is_valid(document)
    assert not strict.is_valid(more)
    assert schema.convert(more) == schema.convert(document)


@EACH_TYPE
def test_decoder_and_schema_agree_on_every_broken_document(schema: PayloadSchema[Any]) -> None:
    document = SAMPLES[schema.type]
    for path in paths(document):
        for junk in [*JUNK, ...]:
            if isinstance(junk, int | float) and path[-1] in DECIMALS:
                continue  # the decoder takes a number for a decimal as well
            broken = changed(document, path, junk)
            told = [str(error.message) for error in validator(schema).iter_errors(broken)]
            if told:
                with pytest.raises(ContractViolation) as caught:
                    schema.convert(broken)
                assert len(caught.value.findings) == len(told), path
                continue
            try:
                schema.convert(broken)
            except ContractViolation as refused:  # by the value's own check: no schema can say it
                (finding,) = refused.findings
                assert not finding.partition(": ")[2].startswith(MSGSPEC_SAYS), path


def test_every_finding_is_told_with_its_path() -> None:
    broken = changed(SAMPLES[type(completion())], ("personnel_actual", 0, "person_id"), "")
    broken = changed(broken, ("personnel_actual", 0, "start_time"), "2026-03-02T06:00:00")
    broken = changed(broken, ("material_actual", 0, "quantity", "value"), "many")
    broken = changed(broken, ("failure_code",), 7)
    del broken["id"]
    with pytest.raises(ContractViolation) as caught:
        EVENTS["maintenance.order.completed.v1"].schema.convert(broken)
    told = sorted(finding.split(":")[0] for finding in caught.value.findings)
    assert told == [
        "(root)",
        "failure_code",
        "material_actual/0/quantity/value",
        "personnel_actual/0/person_id",
        "personnel_actual/0/start_time",
    ]
    assert "maintenance.order.completed.v1" in caught.value.message


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff\xfe", b'{"rule":"\xff"}', b"[" * 100_000 + b"]" * 100_000, b"nul", b"\x00"]
)
def test_what_is_no_json_is_a_violation_like_any_other(data: bytes) -> None:
    with pytest.raises(ContractViolation):
        THRESHOLD_EXCEEDED.schema.decode(data)


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with pytest.raises(ContractViolation):
        THRESHOLD_EXCEEDED.schema.decode(data)


def keys(value: Value | list[Value]) -> set[tuple[str, str]]:
    return set(business_keys(value))


def test_business_keys_are_found_at_every_depth() -> None:
    assert keys(completion()) == {
        ("id", "MO-1"),
        ("physical_asset_id", "PUMP-7"),
        ("person_id", "P-77"),
        ("id", "C-1"),
        ("material_definition_id", "SEAL-KIT-01"),
    }
    assert keys([breach()]) == {("equipment_id", "FILLER-2"), ("physical_asset_id", "PUMP-7")}


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_business_keys_are_texts_with_a_field(value: Value) -> None:
    """Lists of keys (`movement_id`) give each key; absent ones give none."""
    found = list(business_keys(value))
    assert found
    assert all(isinstance(name, str) and isinstance(key, str) and key for name, key in found)


def test_lists_of_keys_give_each() -> None:
    settlement = next(value for value in VALUES if type(value).__name__ == "OrderSettlement")
    assert {("movement_id", "MV-1"), ("movement_id", "MV-2"), ("cost_id", "CO-1")} <= keys(settlement)


def test_a_schema_names_its_key_class_and_owner() -> None:
    facets = {key: value for key, value in THRESHOLD_EXCEEDED.schema.document.items() if key.startswith("x-")}
    assert facets == {
        "x-key": "equipment_id",
        "x-order-by": "equipment_id",
        "x-class": "operational",
        "x-owner": "plant-engineering",
        "x-sla": 5,
        "x-sla-class": "real time",
        "x-entity": "physical_asset",
        "x-system-of-record": "iot",
        "x-producers": ["iot"],
        "x-consumers": ["cmms", "aps"],
    }
    assert Inventory.operations["reserve"].request_schema.document["x-key"] == ["for_reference", "line"]


def test_an_operation_says_what_it_is_about_and_who_masters_it() -> None:
    document = Inventory.operations["reserve"].request_schema.document
    assert {
        name: document[f"x-{name}"] for name in ("owner", "entity", "system-kind", "system-of-record")
    } == {
        "owner": "warehouse",
        "entity": "reservation",
        "system-kind": "wms",
        "system-of-record": "erp",
    }


def test_an_enumeration_that_may_grow_is_strict_for_writers_only() -> None:
    schema = EVENTS["production.job.started.v1"].schema
    document = example(EVENTS["production.job.started.v1"])
    assert schema.document["$defs"]["DispatchStatus"]["x-extensible"] is True
    assert (
        "x-extensible" not in EVENTS["logistics.shipment.ready.v1"].schema.document["$defs"]["ShipmentState"]
    )
    unknown = document | {"dispatch_status": "Parked"}
    assert not jsonschema_rs.Draft202012Validator(schema.document).is_valid(unknown)
    assert schema.convert(unknown).dispatch_status == "Other"
    with pytest.raises(ContractViolation) as caught:
        schema.convert(unknown | {"equipment_id": ""})
    assert [finding.split(":")[0] for finding in caught.value.findings] == ["equipment_id"]


def test_what_a_value_checks_itself_is_told_with_its_path() -> None:
    contract = EVENTS["logistics.handling_unit.completed.v1"]
    document = example(contract)
    document["content"][0]["serial"] = ["S1", "S1"]
    with pytest.raises(ContractViolation) as caught:
        contract.schema.convert(document)
    assert caught.value.findings == ["content/0: serial has a serial number more than once"]


def test_types_that_threads_meet_for_the_first_time_are_whole() -> None:
    """A decoder made by two threads at once can be left without its fields."""

    class Inner(Value, frozen=True, kw_only=True):
        text: str

    kinds = [
        msgspec.defstruct(f"Outer{number}", [("inner", Inner)], bases=(Value,), frozen=True, kw_only=True)
        for number in range(20)
    ]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda kind: PayloadSchema("x", kind, {}), kinds * 4))
    assert {schema.decode(b'{"inner":{"text":"a"}}').inner.text for schema in made} == {"a"}


def test_findings_of_a_large_document_are_not_all_looked_for() -> None:
    validator = validator_of({"type": "array", "items": {"type": "string"}})
    assert findings_of(validator, [1, "a", 2]) == [
        '0: 1 is not of type "string"',
        '2: 2 is not of type "string"',
    ]
    assert findings_of(validator, [*range(90_000)]) == ['0: 0 is not of type "string"']
