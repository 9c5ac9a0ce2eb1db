"""The explanation: from a device reading through event, process and call to the document, and back.

A story is all that carries one correlation id, together with the events that its processes waited for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Select, Table, or_, select

from lineshaft.ledger.trace_nodes import (
    Node,
    call_nodes,
    event_nodes,
    exception_node,
    ordered,
    process_node,
    request_node,
    step_node,
)
from lineshaft.ledger.trace_search import READING, Plants, of_plants, stories_with
from lineshaft.store.process_documents import unpacked
from lineshaft.store.schema import (
    api_requests,
    archived_processes,
    calls,
    events,
    exceptions,
    process_steps,
    process_waits,
    processes,
)

__all__ = ["trace"]

_MOST_STORIES = 20
_MOST_ROWS = 5000
"""Of a kind in an answer: who calls our APIs chooses correlation ids, and could put everything under one."""


def trace(connection: Connection, key: str, plants: Plants = None) -> dict[str, Any]:
    """Stories in which `key` (business or idempotency key, or the id of anything in it) occurs,
    newest first; of each what belongs to these plants.

    Each story: {"correlation_id", "nodes": [{"kind", "id", "at", "title", …}], "edges": [[from, to], …]};
    nodes in order of time, edges from cause to effect. `more`: how many stories are left out; `cut`: whether
    these have more than 5,000 events, calls, processes or the like, of which the rest is left out.
    """
    found = stories_with(connection, key, plants)
    rows = _Rows(connection)
    stories = [story for story in _stories(rows, found[:_MOST_STORIES], plants) if story["nodes"]]
    stories.sort(key=lambda story: str(story["nodes"][0]["at"]), reverse=True)
    more = max(0, len(found) - _MOST_STORIES)
    return {"query": key, "stories": stories, "more": more, "cut": rows.cut}


class _Rows:
    """cut: some question has more rows than are looked at."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.cut = False

    def of(self, question: Select[Any]) -> Sequence[Any]:
        found = self._connection.execute(question.limit(_MOST_ROWS + 1)).all()
        self.cut = self.cut or len(found) > _MOST_ROWS
        return found[:_MOST_ROWS]


class _Story:
    def __init__(self, correlation: str) -> None:
        self.correlation = correlation
        self.nodes: list[Node] = []
        self.edges: list[tuple[str, str]] = []

    def add(self, nodes: Iterable[Node], edges: Iterable[tuple[str, str]]) -> None:
        self.nodes += nodes
        self.edges += edges

    def told(self) -> dict[str, Any]:
        nodes = ordered(self.nodes)
        present = {node["id"] for node in nodes}
        known = (edge for edge in dict.fromkeys(self.edges) if edge[0] in present and edge[1] in present)
        return {"correlation_id": self.correlation, "nodes": nodes, "edges": [list(edge) for edge in known]}


def _stories(rows: _Rows, correlations: Sequence[str], plants: Plants) -> list[dict[str, Any]]:
    """All at once: a table is asked once, not once a story."""
    stories = {correlation: _Story(correlation) for correlation in correlations}

    def carrying(table: Table, *more: Any) -> Sequence[Any]:
        where = table.c.correlation_id.in_(correlations)
        return rows.of(select(table).where(where, of_plants(table.c.plant, plants), *more))

    taken = _add_processes(rows, stories, plants)
    _add_events(rows, stories, taken, plants)
    for call in carrying(calls):
        stories[call.correlation_id].add(*call_nodes(call))
    for request in carrying(api_requests, api_requests.c.method.not_in(READING)):
        stories[request.correlation_id].add([request_node(request)], [(request.request_id, request.ref)])
    return [story.told() for story in stories.values()]


def _add_processes(rows: _Rows, stories: dict[str, _Story], plants: Plants) -> dict[str, dict[str, str]]:
    """Processes and their steps. Returns by event the stories that took it in, with the step of each."""
    live = select(processes).where(
        processes.c.correlation_id.in_(list(stories)), of_plants(processes.c.plant, plants)
    )
    instances = list(rows.of(live))
    ids = [instance.process_id for instance in instances]
    steps = list(rows.of(select(process_steps).where(process_steps.c.process_id.in_(ids))))
    waits = list(rows.of(select(process_waits).where(process_waits.c.process_id.in_(ids))))
    archived = archived_processes.c
    for (data,) in rows.of(select(archived.document).where(archived.correlation_id.in_(list(stories)))):
        document = unpacked(data)
        if plants is not None and document.process["plant"] not in plants:
            continue
        instances.append(SimpleNamespace(**document.process))
        steps += [SimpleNamespace(**{"corrected": "", **step}) for step in document.steps]
        waits += [SimpleNamespace(**wait) for wait in document.waits]
    story_of = {instance.process_id: instance.correlation_id for instance in instances}
    for instance in instances:
        edges = [(instance.causation_id, instance.process_id)]
        stories[instance.correlation_id].add([process_node(instance)], edges)
    for step in steps:
        node = step_node(step)
        stories[story_of[step.process_id]].add([node], [(step.process_id, node["id"])])
    taken: dict[str, dict[str, str]] = defaultdict(dict)
    for wait in waits:
        if wait.event_id:
            taken[wait.event_id][story_of[wait.process_id]] = f"{wait.process_id}/{wait.step}"
    return taken


def _add_events(
    rows: _Rows, stories: dict[str, _Story], taken: dict[str, dict[str, str]], plants: Plants
) -> None:
    """An event stands in the story that it carries, and in those of the processes that took it in; what went
    wrong stands in its own, and in those of the events that came of it."""
    caused: dict[str, set[str]] = defaultdict(set)
    carried = or_(events.c.correlation_id.in_(list(stories)), events.c.event_id.in_(list(taken)))
    for event in rows.of(select(events).where(carried, of_plants(events.c.plant, plants))):
        nodes, edges = event_nodes(event)
        steps = taken.get(event.event_id, {})
        for correlation in {event.correlation_id, *steps} & stories.keys():
            into = [(event.event_id, steps[correlation])] if correlation in steps else []
            stories[correlation].add(nodes, [*edges, *into])
            caused[event.causation_id].add(correlation)
    wrong = exceptions.c
    known = [correlation for correlation in stories if correlation]
    told = or_(wrong.correlation_id.in_(known), wrong.exception_id.in_([each for each in caused if each]))
    for row in rows.of(select(exceptions).where(told, of_plants(wrong.plant, plants))):
        for correlation in {row.correlation_id, *caused.get(row.exception_id, ())} & stories.keys():
            if correlation:
                stories[correlation].add([exception_node(row)], [(row.ref, row.exception_id)])
