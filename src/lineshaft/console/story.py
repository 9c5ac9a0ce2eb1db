"""A trace as stories to read: entries in order of time, each with its offset, cause and payloads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from lineshaft.console.moments import Moment, PlantTime, duration_text, offset_text, parse, seconds_between
from lineshaft.console.tones import Tone, tone_of, worst

__all__ = ["Entry", "Story", "stories"]

_WORTH_A_GAP_S = 20.0
_MOST_PAYLOAD = 20_000
_MOST_OPEN_ENTRIES = 150
_KINDS = ("request", "reading", "event", "process", "step", "call", "document", "exception")
_PLURALS = {"process": "processes"}
_PAYLOADS = ("data", "request", "reply", "input", "output", "result")
_FACTS = {
    "reading": ("position",),
    "event": ("subject", "class", "source"),
    "process": ("business_key", "owner"),
    "step": (),
    "call": ("idempotency_key",),
    "document": (),
    "exception": ("owner",),
}
_SEARCHABLE = {"subject", "business_key", "idempotency_key"}
Node = Mapping[str, Any]


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """key: it can be asked for in turn."""

    label: str
    text: str
    key: bool


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    kind: str
    title: str


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    text: str
    cut: bool


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """number   from 1, within its story
    offset   since the story's first moment, e.g. `+2 min 05 s`
    gap      the time in which nothing happened before it, when it was long
    took     until it was finished
    cause    what it came of, when that is not the entry just before
    asked    it carries the key that was asked for
    """

    number: int
    kind: str
    id: str
    title: str
    state: str
    tone: Tone
    at: Moment | None
    offset: str
    gap: str
    took: str
    attempts: int
    error: str
    document: str
    cause: Cause | None
    asked: bool
    facts: list[Fact]
    payloads: list[Payload]


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """title: its first process, or else its first event; unfinished: a process in it has not ended."""

    correlation_id: str
    title: str
    business_key: str
    begins: Moment | None
    lasted: str
    unfinished: bool
    tone: Tone
    outcome: str
    inventory: str
    documents: list[str]
    entries: list[Entry]
    opens: bool


def stories(trace: Mapping[str, Any], plant_time: PlantTime) -> list[Story]:
    """core.ports.ReadModel.trace made readable. Of a long answer only the first story is opened."""
    found: Sequence[Mapping[str, Any]] = trace["stories"]
    entries = sum(len(story["nodes"]) for story in found)
    return [
        _story(story, str(trace["query"]), plant_time, opens=not index or entries <= _MOST_OPEN_ENTRIES)
        for index, story in enumerate(found)
        if story["nodes"]
    ]


def _story(story: Mapping[str, Any], asked: str, plant_time: PlantTime, *, opens: bool) -> Story:
    nodes: list[Node] = story["nodes"]
    causes = _causes(nodes, story["edges"])
    begins = nodes[0].get("at")
    entries = [
        _entry(
            number,
            node,
            before=nodes[number - 2] if number > 1 else None,
            begins=begins,
            cause=causes.get(node["id"]),
            asked=asked,
            plant_time=plant_time,
        )
        for number, node in enumerate(nodes, start=1)
    ]
    processes = [node for node in nodes if node["kind"] == "process"]
    head = processes[0] if processes else next((n for n in nodes if n["kind"] == "event"), nodes[0])
    ends = max((moment for node in nodes for moment in _moments(node)), default=None)
    unfinished = any(not node.get("finished_at") for node in processes)
    return Story(
        correlation_id=story["correlation_id"],
        title=head["title"],
        business_key=str(head.get("business_key") or head.get("subject") or ""),
        begins=plant_time.precise(begins),
        lasted=duration_text(seconds_between(begins, ends)),
        unfinished=unfinished,
        tone=worst(
            *(entry.tone for entry in entries if entry.tone in (Tone.WARN, Tone.BAD)),
            Tone.BUSY if unfinished else Tone.GOOD,
        ),
        outcome=_outcome(entries, unfinished),
        inventory=_inventory(nodes),
        documents=[node["title"] for node in nodes if node["kind"] == "document"],
        entries=entries,
        opens=opens,
    )


def _moments(node: Node) -> Iterable[Any]:
    return (moment for name in ("at", "finished_at") if (moment := parse(node.get(name))) is not None)


def _causes(nodes: Sequence[Node], edges: Iterable[Sequence[str]]) -> dict[str, Cause]:
    """The last cause by time, without those that only tell of the order just read."""
    numbers = {node["id"]: number for number, node in enumerate(nodes, start=1)}
    found: dict[str, int] = {}
    for cause, effect in edges:
        if numbers[cause] < numbers[effect]:
            found[effect] = max(numbers[cause], found.get(effect, 0))
    return {
        effect: Cause(number=number, kind=nodes[number - 1]["kind"], title=nodes[number - 1]["title"])
        for effect, number in found.items()
        if number != numbers[effect] - 1 and not _is_own_step(nodes[number - 1], nodes[numbers[effect] - 1])
    }


def _is_own_step(process: Node, step: Node) -> bool:
    return step["kind"] == "step" and str(step["id"]).startswith(f"{process['id']}/")


def _entry(
    number: int,
    node: Node,
    *,
    before: Node | None,
    begins: Any,
    cause: Cause | None,
    asked: str,
    plant_time: PlantTime,
) -> Entry:
    kind, state = str(node["kind"]), str(node.get("state") or "")
    gap = seconds_between(before["at"], node["at"]) if before else None
    offset = seconds_between(begins, node["at"])
    names = ("id", "correlation_id", *_SEARCHABLE, "document")
    return Entry(
        number=number,
        kind=kind,
        id=str(node["id"]),
        title=str(node["title"]),
        state=state,
        tone=tone_of(state, kind) if state else Tone.PLAIN,
        at=plant_time.precise(node["at"], begins),
        offset=offset_text(offset),
        gap=duration_text(gap) if gap is not None and gap >= _WORTH_A_GAP_S else "",
        took=duration_text(seconds_between(node["at"], node.get("finished_at"))),
        attempts=int(node.get("attempts") or 0),
        error=_error(str(node.get("error") or node.get("cause") or "")),
        document=str(node.get("document") or ""),
        cause=cause,
        asked=any(str(node.get(name) or "") == asked for name in names) or _names(node, asked),
        facts=list(_facts(kind, node)),
        payloads=list(_payloads(node)),
    )


def _error(text: str) -> str:
    """A step keeps its fault as JSON {"code", "message", "owner"}; a call and a process as text."""
    try:
        fault = json.loads(text)
    except ValueError:
        return text
    if not isinstance(fault, dict) or "message" not in fault:
        return text
    named = [str(fault[name]) for name in ("code", "owner") if fault.get(name)]
    return f"{fault['message']} ({', '.join(named)})" if named else str(fault["message"])


def _names(node: Node, asked: str) -> bool:
    """A document's id is `<system>:<number>`."""
    return node["kind"] == "document" and str(node["id"]).partition(":")[2] == asked


def _facts(kind: str, node: Node) -> Iterable[Fact]:
    for name in _FACTS.get(kind, ()):
        text = node.get(name) or (node.get("data") or {}).get(name)
        if text:
            yield Fact(label=name.replace("_", " "), text=str(text), key=name in _SEARCHABLE)


def _payloads(node: Node) -> Iterable[Payload]:
    for name in _PAYLOADS:
        content = node.get(name)
        if content is not None and content not in ({}, [], ""):
            text = json.dumps(content, indent=2, ensure_ascii=False)
            yield Payload(label=name, text=text[:_MOST_PAYLOAD], cut=len(text) > _MOST_PAYLOAD)


def _inventory(nodes: Iterable[Node]) -> str:
    """`1 reading · 2 events · 1 process · 9 steps`"""
    counts = Counter(node["kind"] for node in nodes)
    return " · ".join(
        f"{counts[kind]} {kind if counts[kind] == 1 else _PLURALS.get(kind, f'{kind}s')}"
        for kind in _KINDS
        if counts[kind]
    )


def _outcome(entries: Sequence[Entry], unfinished: bool) -> str:
    """What is wrong with it, if something is; else whether it is over."""
    wrong = Counter(
        f"{entry.kind} {entry.state}"
        for entry in entries
        if entry.state and entry.tone in (Tone.WARN, Tone.BAD)
    )
    if wrong:
        return ", ".join(f"{count} {what}" if count > 1 else what for what, count in wrong.items())
    return "under way" if unfinished else "complete"
