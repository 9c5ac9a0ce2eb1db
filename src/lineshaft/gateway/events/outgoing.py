"""Events as they leave: CloudEvents 1.0 in the JSON format, with what their reader may see."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from lineshaft.contracts.event import EventContract
from lineshaft.core.access import Caller, permits
from lineshaft.core.clock import rfc3339
from lineshaft.core.subscriptions import bare_type, is_told
from lineshaft.core.values import Event, EventClass

__all__ = ["OUTGOING_CLASSES", "as_cloudevent", "may_read", "type_findings"]

OUTGOING_CLASSES = frozenset({EventClass.OPERATIONAL, EventClass.TRANSACTIONAL})
"""Telemetry and analytics are too many for this; they have the lake."""

_OPTIONAL = (
    "partitionkey",
    "correlationid",
    "causationid",
    "traceparent",
    "dataschema",
    "idempotencykey",
    "sequence",
)


def as_cloudevent(event: Event, shown: Callable[[Any], Any] | None = None) -> bytes:
    """shown: leaves of the document what may be seen; attributes that CloudEvents requires stay."""
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": f"lineshaft.{event.type}",
        "subject": event.subject,
        "time": rfc3339(event.time),
        "datacontenttype": "application/json",
        "plant": event.plant,
        "eventclass": event.eventclass.value,
    }
    document |= {name: value for name in _OPTIONAL if (value := getattr(event, name))}
    if event.recordedtime is not None:
        document["recordedtime"] = rfc3339(event.recordedtime)
    if shown is None:
        return msgspec.json.encode(document | {"data": msgspec.Raw(event.data)})
    required = {name: document[name] for name in ("specversion", "id", "source", "type")}
    return msgspec.json.encode({**shown(document | {"data": event.payload}), **required})


def may_read(caller: Caller, kind: str) -> bool:
    """kind: an event type, or the beginning of some, ending in `*`."""
    return permits(caller, f"subscribe:{bare_type(kind)}")


def type_findings(types: Collection[str], contracts: Mapping[str, EventContract[Any]]) -> list[str]:
    """What is wrong with event types that somebody wants to be told of."""
    findings = []
    for kind in types:
        found = [each for name, each in contracts.items() if is_told(name, [kind])]
        if not found:
            findings.append(f"types: {kind[:200]!r} is no declared event type")
        elif not any(each.eventclass in OUTGOING_CLASSES for each in found):
            classes = " and ".join(sorted(OUTGOING_CLASSES))
            findings.append(f"types: {kind} is {found[0].eventclass}; only {classes} events are told")
    return findings
