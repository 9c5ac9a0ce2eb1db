"""A trace in the terminal: one line per node, indented by what caused it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

__all__ = ["print_trace"]

_COLOURS = {
    "request": "bright_cyan",
    "reading": "cyan",
    "rule": "cyan",
    "event": "yellow",
    "process": "magenta",
    "step": "blue",
    "call": "green",
    "document": "bold white",
    "exception": "red",
}
_BAD = {"rejected", "failed", "unknown", "parked", "timed_out"}


def print_trace(out: Console, found: dict[str, Any], zone: ZoneInfo) -> None:
    if not found["stories"]:
        out.print(
            f"nothing is known of {found['query']!r}; ask for an order, asset, document number, event,"
            " call or process id",
            soft_wrap=True,
        )
        return
    for story in found["stories"]:
        _print_story(out, story, zone)
    if found["more"]:
        out.print(f"{found['more']} older stories are not shown")
    if found["cut"]:
        out.print("this is not all: what carries this correlation id is more than can be told at once")


def _print_story(out: Console, story: dict[str, Any], zone: ZoneInfo) -> None:
    nodes = story["nodes"]
    began = datetime.fromisoformat(nodes[0]["at"])
    root = Tree(
        f"story {story['correlation_id']} of {began.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}", highlight=False
    )
    below: dict[str, list[dict[str, Any]]] = {}
    parents = _parents(story)
    for node in nodes:
        below.setdefault(parents.get(node["id"], ""), []).append(node)

    def grow(tree: Tree, parent: str) -> None:
        for node in below.get(parent, ()):
            grow(tree.add(_line(node, began)), node["id"])

    grow(root, "")
    out.print(root, soft_wrap=True)


def _parents(story: dict[str, Any]) -> dict[str, str]:
    """Each node hangs under what caused it; an event from outside hangs under the step that took it in."""
    kinds = {node["id"]: node["kind"] for node in story["nodes"]}
    parents: dict[str, str] = {}
    for source, target in story["edges"]:
        if kinds[source] == "event" and kinds[target] == "step":
            parents.setdefault(source, target)
        else:
            parents[target] = source
    return parents


def _line(node: dict[str, Any], began: datetime) -> str:
    offset_ms = (datetime.fromisoformat(node["at"]) - began).total_seconds() * 1000
    parts = [f"[{_COLOURS[node['kind']]}]{node['kind']:<8}[/] {escape(node['title'])}"]
    if document := node.get("document"):
        parts.append(f"[bold]{escape(document)}[/]")
    if state := node.get("state"):
        parts.append(f"[red]{state}[/]" if state in _BAD else f"[dim]{state}[/]")
    if node["kind"] == "process":
        parts.append(f"[dim]{escape(node['business_key'])}[/]")
    if node["kind"] == "rule":
        parts.append(
            f"[dim]version {escape(node['version'])}, {escape(node['limit'])} {escape(node['unit'])}[/]"
        )
    if caller := node.get("caller"):
        parts.append(f"[dim]by {escape(caller)}[/]")
    if problem := node.get("error") or node.get("cause"):
        parts.append(f"[red]{escape(problem)}[/]")
    return f"[dim]+{offset_ms:8.0f} ms[/] " + "  ".join(parts)
