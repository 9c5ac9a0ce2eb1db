"""What a trace is made of: rows of the ledger as nodes, each with kind, id, at and title."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec

from lineshaft.core.clock import rfc3339

__all__ = [
    "Node",
    "call_nodes",
    "event_nodes",
    "exception_node",
    "ordered",
    "process_node",
    "request_node",
    "step_node",
]

Node = dict[str, Any]
Edge = tuple[str, str]
_KINDS = ("request", "reading", "rule", "event", "process", "step", "call", "document", "exception")
_RANK = {kind: number for number, kind in enumerate(_KINDS)}
_SIDES = {
    "high": "above",
    "low": "below",
    "rise": "rising faster than",
    "fall": "falling faster than",
}
_MOST_PAYLOAD = 16 * 1024


def ordered(nodes: Iterable[Node]) -> list[Node]:
    """By time; at the same time, what causes comes first."""
    unique = {node["id"]: node for node in nodes}
    return sorted(unique.values(), key=lambda node: (node["at"], _RANK[node["kind"]]))


def request_node(request: Any) -> Node:
    return {
        "kind": "request",
        "id": request.request_id,
        "at": request.at,
        "title": f"{request.method} {request.path}",
        "state": f"{request.status} {request.code}".rstrip(),
        "caller": request.caller,
        "duration_ms": request.duration_ms,
    }


def event_nodes(event: Any) -> tuple[list[Node], list[Edge]]:
    """The event after the reading and the rule that it tells of, if it does."""
    data = _json(event.data)
    nodes = [*_before(event, data if isinstance(data, dict) else {})]
    nodes.append(
        {
            "kind": "event",
            "id": event.event_id,
            "at": event.time,
            "title": event.type,
            "plant": event.plant,
            "subject": event.subject,
            "source": event.source,
            "class": event.eventclass,
            "recorded_at": event.recorded_at,
            "traceparent": event.traceparent,
            "data": data,
        }
    )
    ids = [node["id"] for node in nodes]
    return nodes, [*pairwise(ids), (event.causation_id, event.event_id)]


def _before(event: Any, data: Node) -> Iterator[Node]:
    evidence, unit = data.get("evidence"), data.get("unit", "")
    if isinstance(evidence, dict):
        yield {
            "kind": "reading",
            "id": f"reading:{evidence.get('position')}",
            "at": _moment(evidence.get("time", event.time)),
            "title": f"{evidence.get('topic')} = {evidence.get('value')} {unit}".rstrip(),
            "asset": data.get("physical_asset_id", ""),
            "data": evidence,
        }
    if data.get("rule") and data.get("rule_version"):
        yield {
            "kind": "rule",
            "id": f"rule:{event.event_id}",
            "at": event.time,
            "title": str(data["rule"]),
            "version": str(data["rule_version"]),
            "asset": data.get("physical_asset_id", ""),
            "property": data.get("property", ""),
            "limit": f"{_SIDES.get(data.get('kind', ''), '')} {data['limit']}" if "limit" in data else "",
            "unit": unit,
        }


def process_node(instance: Any) -> Node:
    return {
        "kind": "process",
        "id": instance.process_id,
        "at": instance.started_at,
        "title": f"{instance.type} v{instance.version}",
        "plant": instance.plant,
        "state": instance.state,
        "business_key": instance.business_key,
        "cause": instance.cause,
        "owner": instance.owner,
        "finished_at": instance.finished_at,
        "traceparent": instance.traceparent,
        "input": _json(instance.input),
        "result": _json(instance.result),
    }


def step_node(step: Any) -> Node:
    """corrected: what a person had asked instead of the input"""
    return {
        "kind": "step",
        "id": f"{step.process_id}/{step.step}",
        "at": step.started_at,
        "title": f"{step.kind} {step.name}",
        "state": step.state,
        "attempts": step.attempts,
        "error": step.error,
        "finished_at": step.finished_at,
        "input": _json(step.input),
        "corrected": _json(step.corrected),
        "output": _json(step.output),
    }


def exception_node(row: Any) -> Node:
    """An event that a redrive published is caused by it: what came, and what was made of it, is here."""
    return {
        "kind": "exception",
        "id": row.exception_id,
        "at": row.first_at,
        "title": f"{row.kind} in {row.source}",
        "plant": row.plant,
        "state": row.state,
        "owner": row.owner,
        "assignee": row.assignee,
        "cause": row.cause,
        "seen": row.count,
        "finished_at": row.closed_at,
        "payload": _told(row.payload),
        "corrected": _told(row.corrected),
    }


def call_nodes(call: Any) -> tuple[list[Node], list[Edge]]:
    """A call, and the document that it made."""
    node = {
        "kind": "call",
        "id": call.call_id,
        "at": call.created_at,
        "title": f"{call.operation} → {call.system}",
        "plant": call.plant,
        "operation": call.operation,
        "system": call.system,
        "actor": call.actor,
        "state": call.state,
        "idempotency_key": call.idempotency_key,
        "attempts": call.attempts,
        "document": call.document,
        "error": call.error,
        "finished_at": call.finished_at,
        "traceparent": call.traceparent,
        "request": _json(call.request),
        "reply": _json(call.reply),
    }
    edges = [(call.causation_id, call.call_id)]
    if not call.document:
        return [node], edges
    document = {
        "kind": "document",
        "id": f"{call.system}:{call.document}",
        "at": call.finished_at,
        "title": f"{call.system} {call.document}",
        "system": call.system,
    }
    return [node, document], [*edges, (call.call_id, str(document["id"]))]


def _json(text: str) -> Any:
    """A payload that is not JSON is shown as it came."""
    try:
        return msgspec.json.decode(text or "null")
    except (ValueError, RecursionError):
        return text


def _told(raw: bytes) -> Any:
    """What a payload says: as JSON, else as text, else as hex; of a long one its beginning."""
    if len(raw) <= _MOST_PAYLOAD:
        try:
            return msgspec.json.decode(raw or b"null")
        except (ValueError, RecursionError):
            pass
    some = bytes(raw[:_MOST_PAYLOAD])
    return some.hex(" ") if b"\0" in some else some.decode(errors="replace")


def _moment(text: str) -> str:
    """RFC 3339 as it comes in JSON, made as long as the store's own, so that text order holds."""
    try:
        return rfc3339(datetime.fromisoformat(text))
    except (TypeError, ValueError):
        return str(text)
