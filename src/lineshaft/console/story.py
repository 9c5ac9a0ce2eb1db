"""A trace as stories to read: entries in order of time; of a long one, those that tell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2s
from typing import Any

import msgspec

from lineshaft.console.moments import Moment, PlantTime, duration_text, parse, seconds_between
from lineshaft.console.story_entry import Cause, Entry, EntryMaker, Node, carries, tone
from lineshaft.console.tones import Tone, worst

__all__ = ["Story", "stories"]

_MOST_OPEN_ENTRIES = 150
_MOST_NOTABLE = 150
_KINDS = ("request", "reading", "rule", "event", "process", "step", "call", "document", "exception")
_PLURALS = {"process": "processes"}


class _Fold(msgspec.Struct, frozen=True):
    """Of a longer story than this, its first and last entries, and between them what is notable."""

    longest: int
    first: int
    last: int


_USUAL = _Fold(120, 60, 30)


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """anchor      of its parts in the page
    title       its first process, or else its first event
    unfinished  a process in it has not ended
    entries     those that are shown: none of a story that does not open by itself
    count       of all
    """

    correlation_id: str
    anchor: str
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
    count: int
    opens: bool


def stories(
    trace: Mapping[str, Any],
    plant_time: PlantTime,
    *,
    versions: Mapping[str, str] | None = None,
    shown: Callable[[Any], Any] = lambda content: content,
    whole: bool = False,
) -> list[Story]:
    """core.ports.ReadModel.trace made readable. Of a long answer only the first story is opened.

    versions, shown  as EntryMaker has them
    whole            long stories, too, with all their entries
    """
    found: Sequence[Mapping[str, Any]] = [story for story in trace["stories"] if story["nodes"]]
    entries = sum(len(story["nodes"]) for story in found)
    asked = str(trace["query"])
    maker = EntryMaker(asked, plant_time, versions or {}, shown)
    told = []
    for index, story in enumerate(found):
        opens = not index or entries <= _MOST_OPEN_ENTRIES
        told.append(_story(story, asked, maker, plant_time, None if whole else _USUAL, opens=opens))
    return told


def _story(
    story: Mapping[str, Any],
    asked: str,
    maker: EntryMaker,
    plant_time: PlantTime,
    fold: _Fold | None,
    *,
    opens: bool,
) -> Story:
    nodes: list[Node] = story["nodes"]
    begins = nodes[0].get("at")
    processes = [node for node in nodes if node["kind"] == "process"]
    head = processes[0] if processes else next((n for n in nodes if n["kind"] == "event"), nodes[0])
    ends = max((moment for node in nodes for moment in _moments(node)), default=None)
    unfinished = any(not node.get("finished_at") for node in processes)
    tones = [tone(node) for node in nodes]
    return Story(
        correlation_id=story["correlation_id"],
        anchor=f"s{blake2s(story['correlation_id'].encode(), digest_size=4).hexdigest()}",
        title=head["title"],
        business_key=str(head.get("business_key") or head.get("subject") or ""),
        begins=plant_time.precise(begins),
        lasted=duration_text(seconds_between(begins, ends)),
        unfinished=unfinished,
        tone=worst(
            *(each for each in tones if each in (Tone.WARN, Tone.BAD)),
            Tone.BUSY if unfinished else Tone.GOOD,
        ),
        outcome=_outcome(nodes, tones, unfinished),
        inventory=_inventory(nodes),
        documents=[node["title"] for node in nodes if node["kind"] == "document"],
        entries=_entries(nodes, story["edges"], _chosen(nodes, tones, asked, fold), maker) if opens else [],
        count=len(nodes),
        opens=opens,
    )


def _entries(
    nodes: Sequence[Node], edges: Sequence[Sequence[str]], chosen: Sequence[int], maker: EntryMaker
) -> list[Entry]:
    causes, came = _causes(nodes, edges), _came(nodes, edges)
    made, last = [], -1
    for index in chosen:
        node = nodes[index]
        left_out = index - last - 1
        made.append(
            maker.entry(
                index + 1,
                node,
                nodes[index - 1] if index else None,
                nodes[0].get("at"),
                causes.get(node["id"]),
                came.get(node["id"]),
                left_out,
            )
        )
        last = index
    return made


def _chosen(nodes: Sequence[Node], tones: Sequence[Tone], asked: str, fold: _Fold | None) -> list[int]:
    """Which are shown. Notable is what went wrong, made a document, or carries the key."""
    count = len(nodes)
    if fold is None or count <= fold.longest:
        return list(range(count))
    between = range(fold.first, count - fold.last)
    notable = [
        index
        for index in between
        if tones[index] in (Tone.WARN, Tone.BAD)
        or nodes[index]["kind"] == "document"
        or carries(nodes[index], asked)
    ]
    return [*range(fold.first), *notable[:_MOST_NOTABLE], *range(count - fold.last, count)]


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


def _came(nodes: Sequence[Node], edges: Iterable[Sequence[str]]) -> dict[str, Any]:
    """Of events that were read from a payload which is kept with an exception: that payload."""
    kept = {
        node["id"]: node.get("corrected") or node.get("payload")
        for node in nodes
        if node["kind"] == "exception"
    }
    events = {node["id"] for node in nodes if node["kind"] == "event"}
    return {effect: kept[cause] for cause, effect in edges if cause in kept and effect in events}


def _inventory(nodes: Iterable[Node]) -> str:
    """`1 reading · 2 events · 1 process · 9 steps`"""
    counts = Counter(node["kind"] for node in nodes)
    return " · ".join(
        f"{counts[kind]} {kind if counts[kind] == 1 else _PLURALS.get(kind, f'{kind}s')}"
        for kind in _KINDS
        if counts[kind]
    )


def _outcome(nodes: Sequence[Node], tones: Sequence[Tone], unfinished: bool) -> str:
    """What is wrong with it, if something is; else whether it is over."""
    wrong = Counter(
        f"{node['kind']} {node['state']}"
        for node, each in zip(nodes, tones, strict=True)
        if each in (Tone.WARN, Tone.BAD)
    )
    if wrong:
        return ", ".join(f"{count} {what}" if count > 1 else what for what, count in wrong.items())
    return "under way" if unfinished else "complete"
