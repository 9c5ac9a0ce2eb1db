"""The document is valid by the official schema, and tells of every answer that a route may give."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from lineshaft.contracts.capability import Operation
from lineshaft.contracts.catalogue import CAPABILITIES
from lineshaft.core.clock import SystemClock
from lineshaft.gateway.openapi import openapi_document, openapi_route
from lineshaft.gateway.process_api import process_api_routes
from lineshaft.gateway.route import PUBLIC, Answer, ApiRoute, Asked, Parameter
from lineshaft.gateway.schemas import Components, plain_properties
from lineshaft.gateway.system_api import system_routes
from lineshaft.processes.corrective_maintenance import corrective_maintenance


class Connected:
    """Every declared operation, as if one system of each kind were connected."""

    def __init__(self, name: str, operations: dict[str, Operation]) -> None:
        self.name = name
        self.operations = operations


def systems() -> list[Connected]:
    found: dict[str, dict[str, Operation]] = {}
    for capability in CAPABILITIES.values():
        for operation in capability.operations.values():
            found.setdefault(capability.system_kind, {})[operation.name] = operation
    return [Connected(name, operations) for name, operations in found.items()]


async def nothing(_: Any) -> Any:
    raise AssertionError("only the declarations are looked at")


def routes() -> list[ApiRoute]:
    made = system_routes(systems(), nothing, nothing)  # type: ignore[arg-type]
    made += process_api_routes(
        [corrective_maintenance],
        nothing,  # type: ignore[arg-type]
        nothing,
        SystemClock(),
        enterprise="northspring",
    )
    return [*made, openapi_route(made, "1")]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document(routes(), "1.2.3")


def test_it_is_valid_by_the_official_schema(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(copy.deepcopy(document)).validate()
    broken = copy.deepcopy(document)
    del broken["info"]["title"]
    assert list(OpenAPIV31SpecValidator(broken).iter_errors())


def test_every_operation_of_every_system_has_its_route(document: dict[str, Any]) -> None:
    for capability in CAPABILITIES.values():
        for operation in capability.operations.values():
            path = f"/api/system/{capability.system_kind}/v1/{operation.name.replace('.', '/')}"
            told = document["paths"].get(path) or document["paths"][f"{path}:query"]
            (method,) = told
            assert method == "post" if operation.is_command else method in ("get", "post")
            assert told[method]["summary"]
            assert told[method]["x-permission"] == f"call:{operation.name}"
            if method == "post":
                sent = told[method]["requestBody"]["content"]["application/json"]["schema"]
                (given,) = sent["examples"]
                operation.request_schema.convert(given)


def test_schemas_are_told_once_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert "$defs" not in str(document)
    references = set(_references(document))
    assert {f"#/components/schemas/{name}" for name in schemas} >= {
        each for each in references if "/schemas/" in each
    }
    assert not [name for name in schemas if name.startswith("_")]


def _references(part: Any) -> list[str]:
    if isinstance(part, list):
        return [each for item in part for each in _references(item)]
    if not isinstance(part, dict):
        return []
    own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
    return own + [each for item in part.values() for each in _references(item)]


def test_answers_and_problems_are_those_of_the_pipeline() -> None:
    async def handler(_: Asked) -> Answer:
        raise AssertionError

    made = ApiRoute(
        method="POST",
        path="/api/v1/things/{id}/{rest:path}",
        name="thing",
        summary="A thing\n\nand more of it",
        permission="do:it",
        handler=handler,
        request={"type": "object"},
        answers={201: {"type": "string"}, 204: None},
        problems=(410,),
        parameters=[Parameter(name="type", where="query", schema={"type": "array", "items": {}})],
        idempotent=True,
        version="v1",
    )
    page = ApiRoute(
        method="GET",
        path="/",
        name="page",
        summary="",
        permission=PUBLIC,
        handler=handler,
        answer_media="text/html; charset=utf-8",
    )
    document = openapi_document([made, page], "1")
    (path,) = document["paths"]
    assert path == "/api/v1/things/{id}/{rest}"
    told = document["paths"][path]["post"]
    assert set(told["responses"]) == {
        "201", "204", "400", "401", "403", "406", "408", "409", "410", "413", "415", "422", "429", "500",
        "503", "504",
    }  # fmt: skip
    assert "content" not in told["responses"]["204"]
    assert [(each["in"], each["name"], each["required"]) for each in told["parameters"]] == [
        ("path", "id", True),
        ("path", "rest", True),
        ("query", "type", False),
        ("query", "plant", False),
        ("header", "X-Correlation-ID", False),
        ("header", "Idempotency-Key", True),
    ]
    assert told["requestBody"]["content"] == {"application/json": {"schema": {"type": "object"}}}
    assert (told["summary"], told["description"]) == ("A thing", "A thing\n\nand more of it")


def test_schemas_of_one_name_that_differ_are_kept_apart() -> None:
    components = Components()

    def using(kind: str) -> Any:
        part = {"$ref": "#/$defs/Part"}
        defs = {"Whole": {"type": "object", "properties": {"part": part}}, "Part": {"type": kind}}
        return components.take({"$ref": "#/$defs/Whole", "$defs": defs})

    assert using("string") == using("string") == {"$ref": "#/components/schemas/Whole"}
    assert using("number") == {"$ref": "#/components/schemas/Whole_2"}
    assert components.schemas["Part"] == {"type": "string"}
    assert components.schemas["Whole_2"]["properties"]["part"] == {"$ref": "#/components/schemas/Part_2"}


def test_only_plain_values_are_parameters() -> None:
    defs = {
        "Ask": {
            "type": "object",
            "properties": {"kind": {"$ref": "#/$defs/Kind"}, "note": {"anyOf": [{}, {}]}},
        },
        "Kind": {"enum": ["a", "b"]},
    }
    document = {"$ref": "#/$defs/Ask", "$defs": defs}
    assert plain_properties(document) is None
    defs["Ask"]["properties"]["note"] = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}  # type: ignore[index]
    found = plain_properties(document)
    assert found is not None
    assert found["kind"] == {"enum": ["a", "b"]}
