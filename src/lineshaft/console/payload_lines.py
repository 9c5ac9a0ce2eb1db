"""A payload line by line, with what is wrong with it beside the line that is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

__all__ = ["PayloadLine", "payload_lines"]

_MOST_LINES = 2_000
Path = tuple[str, ...]


class PayloadLine(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    findings: list[str]


def payload_lines(value: Any, findings: Sequence[str]) -> tuple[list[PayloadLine], list[str]]:
    """value: what the JSON says; findings: each `a/0/b: what is wrong` or `(root): …`, as contracts have them

    returns  the lines, and the findings about what has no line of its own, such as a field that is missing
    """
    lines = [*_lines(value, (), 0, "", "")]
    known = {path for path, _ in lines}
    at: dict[Path, list[str]] = {}
    elsewhere = []
    for finding in findings:
        where, _, what = finding.partition(": ")
        path = tuple(where.split("/"))
        if what and path in known:
            at.setdefault(path, []).append(what)
        else:
            elsewhere.append(finding.removeprefix("(root): "))
    shown = [PayloadLine(text=text, findings=at.pop(path, [])) for path, text in lines[:_MOST_LINES]]
    beyond = [f"{'/'.join(path)}: {what}" for path, some in at.items() for what in some]
    if len(lines) > _MOST_LINES:
        shown.append(PayloadLine(text=f"… {len(lines) - _MOST_LINES} more lines", findings=[]))
    return shown, elsewhere + beyond


def _lines(value: Any, path: Path, depth: int, name: str, end: str) -> Iterator[tuple[Path, str]]:
    """Those of a closing bracket have the path of nothing."""
    indent = "  " * depth
    if isinstance(value, dict | list) and value:
        is_object = isinstance(value, dict)
        items = (
            [*value.items()] if isinstance(value, dict) else [(str(at), it) for at, it in enumerate(value)]
        )
        yield path, f"{indent}{name}{'{' if is_object else '['}"
        for number, (key, item) in enumerate(items, 1):
            label = f"{json.dumps(key, ensure_ascii=False)}: " if is_object else ""
            comma = "," if number < len(items) else ""
            yield from _lines(item, (*path, key), depth + 1, label, comma)
        yield ("", "end"), f"{indent}{'}' if is_object else ']'}{end}"
        return
    yield path, f"{indent}{name}{json.dumps(value, ensure_ascii=False)}{end}"
