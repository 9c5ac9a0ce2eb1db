"""The explanation: from a device reading through event, process and call to the document, and back.

A story is all that carries one correlation id, together with the events that its processes waited for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Select, exists, or_, select

from lineshaft.core.clock import rfc3339
from lineshaft.core.ids import business_key
from lineshaft.store.process_documents import unpacked
from lineshaft.store.schema import (
    api_requests,
    archived_processes,
    business_keys,
    calls,
    events,
    exceptions,
    process_steps,
    process_waits,
    processes,
)

__all__ = ["trace"]

_MOST_STORIES = 20
_READING = ("GET", "HEAD")
Node = dict[str, Any]


def trace(connection: Connection, key: str) -> dict[str, Any]:
    """Stories in which `key` (business or idempotency key, or the id of anything in it) occurs,
    newest first.

    Each story: {"correlation_id", "nodes": [{"kind", "id", "at", "title", …}], "edges": [[from, to], …]};
    nodes in order of time, edges from cause to effect.
    """
    found = _correlations(connection, key)
    stories = [_story(connection, correlation) for correlation in found[:_MOST_STORIES]]
    stories.sort(key=lambda story: str(story["nodes"][0]["at"]), reverse=True)
    return {"query": key, "stories": stories, "more": max(0, len(found) - _MOST_STORIES)}


def _correlations(connection: Connection, key: str) -> list[str]:
    """The stories that mention it. By subqueries: an asset is mentioned more often than a list may hold."""

    def column(question: Select[Any]) -> list[str]:
        return [row[0] for row in connection.execute(question)]

    def mentioned(kind: str) -> Select[Any]:
        return select(business_keys.c.ref).where(business_keys.c.key == key, business_keys.c.kind == kind)

    waits = process_waits.c
    waiting = select(waits.process_id).where(
        or_(waits.event_id == key, waits.event_id.in_(mentioned("event")))
    )
    found = column(
        select(processes.c.correlation_id)
        .where(
            or_(
                processes.c.process_id == key,
                processes.c.correlation_id == key,
                processes.c.process_id.in_(mentioned("process")),
                processes.c.process_id.in_(waiting),
            )
        )
        .order_by(processes.c.started_at.desc())
    )
    archived, index = archived_processes.c, business_keys.c
    took_in = select(index.ref).where(index.kind == "process", index.key.in_(mentioned("event")))
    found += column(
        select(archived.correlation_id)
        .where(
            or_(
                archived.process_id == key,
                archived.correlation_id == key,
                archived.process_id.in_(mentioned("process")),
                archived.process_id.in_(took_in),
            )
        )
        .order_by(archived.finished_at.desc())
    )
    # a call's id derives from its idempotency key; its document number is among its business keys
    found += column(
        select(calls.c.correlation_id)
        .where(
            or_(
                calls.c.call_id.in_([key, business_key("call", key)]),
                calls.c.call_id.in_(mentioned("call")),
            )
        )
        .order_by(calls.c.created_at.desc())
    )
    # an event that a process took in belongs to that process's story; the index knows it of archived ones
    taken = or_(
        exists().where(waits.event_id == events.c.event_id),
        exists().where(index.key == events.c.event_id, index.kind == "process"),
    )
    found += column(
        select(events.c.correlation_id)
        .where(
            or_(
                events.c.event_id == key,
                events.c.correlation_id == key,
                events.c.event_id.in_(mentioned("event")),
            ),
            ~taken,
        )
        .order_by(events.c.recorded_at.desc())
    )
    found += column(
        select(api_requests.c.correlation_id).where(
            or_(api_requests.c.request_id == key, api_requests.c.correlation_id == key),
            api_requests.c.method.not_in(_READING),
        )
    )
    # a payload that told no event has a story only by what its redrive went out as
    wrong = exceptions.c
    for story, ref in connection.execute(
        select(wrong.correlation_id, wrong.redrive_ref).where(wrong.exception_id == key)
    ):
        found += [story] if story else _correlations(connection, ref) if ref else []
    return list(dict.fromkeys(found))


def _story(connection: Connection, correlation: str) -> dict[str, Any]:
    def rows(question: Select[Any]) -> Sequence[Any]:
        return connection.execute(question).all()

    instances = list(rows(select(processes).where(processes.c.correlation_id == correlation)))
    ids = [instance.process_id for instance in instances]
    steps = list(rows(select(process_steps).where(process_steps.c.process_id.in_(ids))))
    waits = list(rows(select(process_waits).where(process_waits.c.process_id.in_(ids))))
    kept = select(archived_processes.c.document).where(archived_processes.c.correlation_id == correlation)
    for (data,) in rows(kept):
        document = unpacked(data)
        instances.append(SimpleNamespace(**document.process))
        steps += [SimpleNamespace(**step) for step in document.steps]
        waits += [SimpleNamespace(**wait) for wait in document.waits]
    taken = {wait.event_id: f"{wait.process_id}/{wait.step}" for wait in waits if wait.event_id}
    seen = rows(
        select(events).where(or_(events.c.correlation_id == correlation, events.c.event_id.in_(list(taken))))
    )
    made = rows(select(calls).where(calls.c.correlation_id == correlation))

    nodes: list[Node] = []
    edges: list[tuple[str, str]] = [*taken.items()]
    for event in seen:
        nodes += _reading(event, edges)
        nodes.append(_event(event))
        edges.append((event.causation_id, event.event_id))
    causes = {event.causation_id for event in seen if event.causation_id}
    for wrong in rows(
        select(exceptions).where(
            or_(
                (exceptions.c.correlation_id == correlation) & (exceptions.c.correlation_id != ""),
                exceptions.c.exception_id.in_(causes),
            )
        )
    ):
        nodes.append(_exception(wrong))
        edges.append((wrong.ref, wrong.exception_id))
    for instance in instances:
        nodes.append(_process(instance))
        edges.append((instance.causation_id, instance.process_id))
    for step in steps:
        nodes.append(_step(step))
        edges.append((step.process_id, f"{step.process_id}/{step.step}"))
    for call in made:
        nodes += _call(call)
        edges.append((call.causation_id, call.call_id))
        if call.document:
            edges.append((call.call_id, f"{call.system}:{call.document}"))
    asked = select(api_requests).where(
        api_requests.c.correlation_id == correlation, api_requests.c.method.not_in(_READING)
    )
    for request in rows(asked):
        nodes.append(_request(request))
        edges.append((request.request_id, request.ref))
    nodes = _ordered(nodes)
    present = {node["id"] for node in nodes}
    return {
        "correlation_id": correlation,
        "nodes": nodes,
        "edges": [list(edge) for edge in dict.fromkeys(edges) if edge[0] in present and edge[1] in present],
    }


def _ordered(nodes: Iterable[Node]) -> list[Node]:
    kinds = ("request", "reading", "event", "process", "step", "call", "document", "exception")
    rank = {kind: number for number, kind in enumerate(kinds)}
    unique = {node["id"]: node for node in nodes}
    return sorted(unique.values(), key=lambda node: (node["at"], rank[node["kind"]]))


def _request(request: Any) -> Node:
    return {
        "kind": "request",
        "id": request.request_id,
        "at": request.at,
        "title": f"{request.method} {request.path}",
        "state": f"{request.status} {request.code}".rstrip(),
        "caller": request.caller,
        "duration_ms": request.duration_ms,
    }


def _reading(event: Any, edges: list[tuple[str, str]]) -> list[Node]:
    data = _json(event.data)
    evidence = data.get("evidence") if isinstance(data, dict) else None
    if not isinstance(evidence, dict):
        return []
    identity = f"reading:{evidence.get('position')}"
    edges.append((identity, event.event_id))
    return [
        {
            "kind": "reading",
            "id": identity,
            "at": _moment(evidence.get("time", event.time)),
            "title": f"{evidence.get('topic')} = {evidence.get('value')} {data.get('unit', '')}".rstrip(),
            "data": evidence,
        }
    ]


def _json(text: str) -> Any:
    """A payload that is not JSON is shown as it came."""
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return text


def _moment(text: str) -> str:
    """RFC 3339 as it comes in JSON, made as long as the store's own, so that text order holds."""
    try:
        return rfc3339(datetime.fromisoformat(text))
    except (TypeError, ValueError):
        return str(text)


def _event(event: Any) -> Node:
    return {
        "kind": "event",
        "id": event.event_id,
        "at": event.time,
        "title": event.type,
        "subject": event.subject,
        "source": event.source,
        "class": event.eventclass,
        "recorded_at": event.recorded_at,
        "traceparent": event.traceparent,
        "data": _json(event.data),
    }


def _process(instance: Any) -> Node:
    return {
        "kind": "process",
        "id": instance.process_id,
        "at": instance.started_at,
        "title": f"{instance.type} v{instance.version}",
        "state": instance.state,
        "business_key": instance.business_key,
        "cause": instance.cause,
        "owner": instance.owner,
        "finished_at": instance.finished_at,
        "traceparent": instance.traceparent,
        "result": _json(instance.result),
    }


def _step(step: Any) -> Node:
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
        "output": _json(step.output),
    }


def _exception(row: Any) -> Node:
    """An event that a redrive published is caused by it."""
    return {
        "kind": "exception",
        "id": row.exception_id,
        "at": row.first_at,
        "title": f"{row.kind} in {row.source}",
        "state": row.state,
        "owner": row.owner,
        "cause": row.cause,
        "seen": row.count,
        "finished_at": row.closed_at,
    }


def _call(call: Any) -> list[Node]:
    node = {
        "kind": "call",
        "id": call.call_id,
        "at": call.created_at,
        "title": f"{call.operation} → {call.system}",
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
    if not call.document:
        return [node]
    document = {
        "kind": "document",
        "id": f"{call.system}:{call.document}",
        "at": call.finished_at,
        "title": f"{call.system} {call.document}",
        "system": call.system,
    }
    return [node, document]
