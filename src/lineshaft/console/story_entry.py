"""One node of a trace as an entry to read: when, what, why, and its payloads beside each other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from lineshaft.console.figures import unit_symbol
from lineshaft.console.moments import Moment, PlantTime, duration_text, offset_text, seconds_between
from lineshaft.console.tones import Tone, tone_of

__all__ = ["Cause", "Entry", "EntryMaker", "Node", "carries", "tone"]

_WORTH_A_GAP_S = 20.0
_MOST_PAYLOAD = 20_000
_PAYLOADS = ("payload", "data", "input", "request", "corrected", "reply", "output", "result")
_LABELS = {"payload": "as it came", "data": "payload", "corrected": "as corrected"}
_SCREENS = {"process": "process", "exception": "exception"}
_FACTS = {
    "request": ("caller",),
    "reading": ("asset", "position"),
    "rule": ("limit", "property", "asset"),
    "event": ("contract", "subject", "class", "source"),
    "process": ("business_key", "owner"),
    "call": ("contract", "idempotency_key", "actor"),
    "exception": ("owner", "assignee", "seen"),
}
_TRACED = {"subject", "business_key", "idempotency_key"}
_NAMED = ("id", "correlation_id", "document", *_TRACED)
Node = Mapping[str, Any]


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """href: where it is told more of, within the console; empty: nowhere."""

    label: str
    text: str
    href: str


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    kind: str
    title: str


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    text: str
    cut: bool


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """number    from 1, within its story
    href      its own screen, if it has one
    offset    since the story's first moment, e.g. `+2 min 05 s`
    gap       the time in which nothing happened before it, when it was long
    took      until it was finished
    cause     what it came of, when that is not the entry just before
    asked     it carries the key that was asked for
    payloads  before a mapping and after it
    left_out  how many entries before it are not shown
    """

    number: int
    kind: str
    id: str
    title: str
    href: str
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
    left_out: int


def tone(node: Node) -> Tone:
    state = str(node.get("state") or "")
    return tone_of(state, str(node["kind"])) if state else Tone.PLAIN


def carries(node: Node, asked: str) -> bool:
    """Whether it has the key that was asked for; a document's id is `<system>:<number>`."""
    is_document = node["kind"] == "document" and str(node["id"]).partition(":")[2] == asked
    return is_document or any(str(node.get(name) or "") == asked for name in _NAMED)


class EntryMaker:
    """asked     the key of the search
    versions  of contracts that are live, by id
    shown     leaves of payloads what the reader may see
    """

    def __init__(
        self,
        asked: str,
        plant_time: PlantTime,
        versions: Mapping[str, str],
        shown: Callable[[Any], Any],
    ) -> None:
        self._asked = asked
        self._time = plant_time
        self._versions = versions
        self._shown = shown

    def entry(
        self,
        number: int,
        node: Node,
        before: Node | None,
        begins: Any,
        cause: Cause | None,
        came: Any,
        left_out: int,
    ) -> Entry:
        """before: the node shown before it; came: of an event, the payload that it was read from, if kept"""
        kind = str(node["kind"])
        gap = seconds_between(before["at"], node["at"]) if before else None
        return Entry(
            number=number,
            kind=kind,
            id=str(node["id"]),
            title=f"{node['title']} version {node['version']}" if kind == "rule" else str(node["title"]),
            href=_href(kind, str(node["id"])),
            state=str(node.get("state") or ""),
            tone=tone(node),
            at=self._time.precise(node["at"], begins),
            offset=offset_text(seconds_between(begins, node["at"])),
            gap=duration_text(gap) if gap is not None and gap >= _WORTH_A_GAP_S and not left_out else "",
            took=duration_text(seconds_between(node["at"], node.get("finished_at"))),
            attempts=int(node.get("attempts") or 0),
            error=_error(str(node.get("error") or node.get("cause") or "")),
            document=str(node.get("document") or ""),
            cause=cause,
            asked=carries(node, self._asked),
            facts=list(self._facts(kind, node)),
            payloads=list(self._payloads({"payload": came, **node})),
            left_out=left_out,
        )

    def _facts(self, kind: str, node: Node) -> Iterator[Fact]:
        for name in _FACTS.get(kind, ()):
            if name == "contract":
                yield self._contract(kind, node)
                continue
            data = node.get("data")
            text = node.get(name) or (data.get(name) if isinstance(data, dict) else "")
            if not text or (name == "seen" and text == 1):
                continue
            href = ""
            if name == "asset":
                href = _address("asset", "id", str(text))
            elif name in _TRACED:
                href = _address("trace", "key", str(text))
            shown = f"{text} times" if name == "seen" else str(text)
            if name == "limit":
                shown = f"{text} {unit_symbol(node['unit'])}".rstrip()
            yield Fact(label=name.replace("_", " "), text=shown, href=href)

    def _contract(self, kind: str, node: Node) -> Fact:
        """With the version that is live; where no registry tells one, its major."""
        id = str(node["title"] if kind == "event" else node.get("operation") or "")
        major = id.rpartition(".v")[2] if kind == "event" else "1"
        return Fact(
            label="contract",
            text=self._versions.get(id) or f"v{major}",
            href=_address("catalogue", "contract", id),
        )

    def _payloads(self, node: Node) -> Iterator[Payload]:
        for name in _PAYLOADS:
            content = node.get(name)
            if content is None or content in ({}, [], ""):
                continue
            text = _pretty(self._shown(content))
            yield Payload(
                label=_LABELS.get(name, name),
                text=text[:_MOST_PAYLOAD],
                cut=len(text) > _MOST_PAYLOAD,
            )


def _href(kind: str, id: str) -> str:
    if kind == "document":
        return _address("trace", "key", id.partition(":")[2])
    return _address(_SCREENS[kind], "id", id) if kind in _SCREENS else ""


def _address(screen: str, name: str, value: str) -> str:
    return f"{screen}?{name}={quote(value, safe='')}"


def _pretty(content: Any) -> str:
    if isinstance(content, str):
        return content
    try:
        return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()
    except (TypeError, ValueError, OverflowError):  # numbers that only Python has
        return json.dumps(content, indent=2, ensure_ascii=False)


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
