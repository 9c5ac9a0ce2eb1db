"""The AsyncAPI document: what the specification asks for, and what is true of our messages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from lineshaft.backbone.events import event_subject, to_message
from lineshaft.contracts.asyncapi import asyncapi_document
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.contracts.examples import example
from lineshaft.contracts.schema import findings_of, validator_of


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return asyncapi_document(EVENTS.values(), version="1.0.0", host="nats.example:4222")


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def at(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def test_it_has_what_the_specification_requires(document: dict[str, Any]) -> None:
    """AsyncAPI 3.0.0: required and allowed members of each object."""
    assert document["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(document["info"])
    assert set(document) <= {
        "asyncapi",
        "info",
        "defaultContentType",
        "servers",
        "channels",
        "operations",
        "components",
    }
    for server in document["servers"].values():
        assert {"host", "protocol"} <= set(server)
    for operation in document["operations"].values():
        assert operation["action"] in {"send", "receive"}
        assert operation["channel"]["$ref"].startswith("#/channels/")
        for message in operation["messages"]:
            assert message["$ref"].startswith(operation["channel"]["$ref"] + "/messages/")
    for channel in document["channels"].values():
        assert [name for name in channel["parameters"] if f"{{{name}}}" in channel["address"]] == ["plant"]
        assert set(channel["parameters"]["plant"]) <= {
            "description",
            "enum",
            "default",
            "examples",
            "location",
        }
    for message in document["components"]["messages"].values():
        assert message["headers"]["type"] == "object"
        assert message["correlationId"]["location"].startswith("$message.header#/")


def test_every_reference_leads_somewhere_within(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert found
    for reference in found:
        assert reference.startswith("#/")
        assert at(document, reference)


def test_every_event_has_its_channel_message_and_operations(document: dict[str, Any]) -> None:
    assert set(document["channels"]) == set(EVENTS) == set(document["components"]["messages"])
    for kind, event in EVENTS.items():
        address = document["channels"][kind]["address"].replace("{plant}", "leipzig")
        assert address == event_subject(event.eventclass, "leipzig", kind)
        for producer in event.producers:
            assert document["operations"][f"{producer}.send.{kind}"]["action"] == "send"
        for consumer in event.consumers:
            assert document["operations"][f"{consumer}.receive.{kind}"]["action"] == "receive"


def test_examples_are_what_their_schemas_say(document: dict[str, Any]) -> None:
    for message in document["components"]["messages"].values():
        (sample,) = message["examples"]
        for part in ("headers", "payload"):
            schema = {**message[part], "components": document["components"]}
            assert findings_of(validator_of(schema), sample[part]) == [], message["name"]


def test_headers_are_those_that_we_send(document: dict[str, Any]) -> None:
    for kind, event in EVENTS.items():
        data = msgspec.convert(example(event), event.data, strict=False)
        sent = to_message(
            msgspec.structs.replace(
                event.make(
                    data,
                    plant="leipzig",
                    source="/northspring/leipzig/erp/1",
                    identity=("1",),
                    time=datetime(2026, 3, 2, 6, 20, tzinfo=UTC),
                ),
                sequence="1",
                idempotencykey="k",
                causationid="c",
                traceparent="t",
            )
        )
        message = document["components"]["messages"][kind]
        schema = {**message["headers"], "components": document["components"]}
        assert findings_of(validator_of(schema), sent.headers) == []
        told = set(document["components"]["schemas"]["CloudEvent"]["properties"])
        assert {name for name in sent.headers if name.startswith("ce-")} == told
        assert message["name"] == sent.headers["ce-type"]
        assert message["examples"][0]["headers"]["ce-subject"]


def test_the_view_of_one_kind_of_system() -> None:
    mes = asyncapi_document(EVENTS.values(), version="1.0.0", kind="mes")
    assert "servers" not in mes
    assert mes["operations"]
    assert {name.partition(".")[0] for name in mes["operations"]} == {"mes"}
    assert mes["operations"]["mes.receive.production.order.released.v1"]["action"] == "receive"
    assert "finance.cost.posted.v1" not in mes["channels"]
    assert asyncapi_document(EVENTS.values(), version="1.0.0", kind="nobody")["channels"] == {}
