"""The AsyncAPI 3.0 document of the events: one channel per type, who sends and who receives it.

source  AsyncAPI 3.0.0; CloudEvents 1.0 NATS protocol binding: one `ce-` header per attribute
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from lineshaft.contracts.event import EventContract
from lineshaft.contracts.examples import example

__all__ = ["asyncapi_document"]

_PREFIX = "lineshaft."  # of event types outside, before their domain
_HEADERS = "CloudEvent"
_SERVER = "backbone"
_TEXT = {"type": "string", "minLength": 1}
_TIME = {"type": "string", "format": "date-time"}
_ATTRIBUTES: Mapping[str, tuple[dict[str, Any], str]] = {
    "specversion": ({"type": "string", "const": "1.0"}, "of CloudEvents"),
    "id": (_TEXT, "with the source it is the identity of the event: the same again is the same event"),
    "type": (_TEXT, "<prefix>.<domain>.<entity>.<past-verb>.v<major>"),
    "source": (_TEXT, "/<enterprise>/<site>/<system>/<instance>"),
    "subject": (_TEXT, "key of the entity"),
    "time": (_TIME, "when it happened"),
    "plant": (_TEXT, "key of the plant"),
    "eventclass": (_TEXT, "which stream holds it, and for how long"),
    "partitionkey": (_TEXT, "within which order is kept"),
    "correlationid": (_TEXT, "of the story: everything that came of one first fact carries the same"),
    "causationid": (_TEXT, "id of the event, call or process step that this came of"),
    "traceparent": (_TEXT, "W3C trace context"),
    "dataschema": (_TEXT, "the contract, with its version"),
    "idempotencykey": (_TEXT, "of the transaction"),
    "sequence": (_TEXT, "place in its source, zero-padded: it is compared as text"),
    "recordedtime": (_TIME, "when it was recorded"),
}
_REQUIRED = ("specversion", "id", "type", "source", "subject", "time", "plant", "eventclass")


def asyncapi_document(
    events: Iterable[EventContract[Any]],
    *,
    title: str = "lineshaft events",
    version: str,
    host: str = "",
    kind: str = "",
) -> dict[str, Any]:
    """version  of the document
    host     `host:port` of the NATS server; empty: the document names no server
    kind     of system whose view it is to be, such as `mes`: only what it sends and receives; empty: all
    """
    wanted = [each for each in events if not kind or kind in {*each.producers, *each.consumers}]
    document: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {
            "title": title,
            "version": version,
            "description": "CloudEvents 1.0 in binary mode on NATS JetStream. Delivery is at least once.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
            "tags": [{"name": domain} for domain in sorted({_domain(each) for each in wanted})],
        },
        "defaultContentType": "application/json",
    }
    if host:
        document["servers"] = {_SERVER: {"host": host, "protocol": "nats"}}
    document["channels"] = {each.type: _channel(each, host) for each in wanted}
    document["operations"] = {
        name: operation for each in wanted for name, operation in _operations(each, kind).items()
    }
    document["components"] = {
        "messages": {each.type: _message(each) for each in wanted},
        "schemas": {_HEADERS: _headers(), **_schemas(wanted)},
    }
    return document


def _domain(event: EventContract[Any]) -> str:
    return event.type.partition(".")[0]


def _channel(event: EventContract[Any], host: str) -> dict[str, Any]:
    channel = {
        "address": f"ls.{event.eventclass}.{{plant}}.{event.type}",
        "title": event.type,
        "summary": event.summary,
        "parameters": {"plant": {"description": "Key of the plant", "examples": ["leipzig"]}},
        "messages": {"event": {"$ref": f"#/components/messages/{event.type}"}},
        "tags": [{"name": _domain(event)}],
    }
    return channel | ({"servers": [{"$ref": f"#/servers/{_SERVER}"}]} if host else {})


def _operations(event: EventContract[Any], kind: str) -> dict[str, Any]:
    """`<kind>.send.<type>` and `<kind>.receive.<type>`."""
    channel = event.type.replace("~", "~0").replace("/", "~1")
    found = {}
    for action, kinds in (("send", event.producers), ("receive", event.consumers)):
        for each in map(str, kinds):
            if kind in ("", each):
                found[f"{each}.{action}.{event.type}"] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{channel}"},
                    "messages": [{"$ref": f"#/channels/{channel}/messages/event"}],
                    "summary": event.summary,
                    "tags": [{"name": each}],
                }
    return found


def _message(event: EventContract[Any]) -> dict[str, Any]:
    fixed = {"type": _PREFIX + event.type, "eventclass": str(event.eventclass)}
    sample = example(event)
    told = {
        "x-owner": event.owner,
        "x-class": str(event.eventclass),
        "x-key": event.key,
        "x-order-by": event.order_by,
        "x-sla-s": event.sla_s,
        "x-sla-class": str(event.sla),
        "x-entity": event.entity,
        "x-system-of-record": str(event.system_of_record or ""),
    }
    return {
        "name": _PREFIX + event.type,
        "title": event.type,
        "summary": event.summary,
        "contentType": "application/json",
        "correlationId": {"location": "$message.header#/ce-correlationid"},
        "headers": {
            "type": "object",
            "allOf": [{"$ref": f"#/components/schemas/{_HEADERS}"}],
            "properties": {f"ce-{name}": {"const": value} for name, value in fixed.items()},
        },
        "payload": {"$ref": f"#/components/schemas/{event.data.__name__}"},
        "examples": [{"name": "example", "headers": _sample_headers(event, sample), "payload": sample}],
        "tags": [{"name": _domain(event)}],
        **{name: value for name, value in told.items() if value != ""},
    }


def _headers() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "Attributes of the event; values are percent-encoded UTF-8",
        "properties": {
            f"ce-{name}": schema | {"description": description}
            for name, (schema, description) in _ATTRIBUTES.items()
        },
        "required": [f"ce-{name}" for name in _REQUIRED],
    }


def _sample_headers(event: EventContract[Any], sample: Mapping[str, Any]) -> dict[str, str]:
    subject = event.subject(msgspec.convert(sample, event.data, strict=False))
    return {
        "ce-specversion": "1.0",
        "ce-id": "0b9c8a52-6f0e-5c0d-9d0f-3f2a7a1c5e11",
        "ce-type": _PREFIX + event.type,
        "ce-source": "/northspring/leipzig/erp/1",
        "ce-subject": subject,
        "ce-time": "2026-03-02T06:20:00Z",
        "ce-plant": "leipzig",
        "ce-eventclass": str(event.eventclass),
        "ce-correlationid": "0b9c8a52-6f0e-5c0d-9d0f-3f2a7a1c5e11",
    }


def _schemas(events: Iterable[EventContract[Any]]) -> dict[str, Any]:
    """Each type once, whichever contracts have it."""
    types = list(dict.fromkeys(each.data for each in events))
    _, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    return dict(sorted(components.items()))
