"""One exception, and what became of a redrive, for people to read in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from rich.markup import escape

from lineshaft.app.terminal import out, said_at
from lineshaft.ledger import Document, Redriven, Verdict

__all__ = ["print_exception", "print_redriven"]

_COLOURS = {Verdict.POSTED: "green", Verdict.WAITING: "yellow", Verdict.WOULD: "cyan"}


def print_exception(found: Mapping[str, Any], zone: ZoneInfo) -> None:
    for name in (
        "exception_id",
        "state",
        "kind",
        "source",
        "owner",
        "assignee",
        "plant",
        "cause",
        "ref",
        "correlation_id",
    ):
        if found[name]:
            _say(f"{name:<15}", str(found[name]))
    _say(
        "seen           ",
        f"{found['count']} times, {said_at(found['first_at'], zone)} to {said_at(found['last_at'], zone)}",
    )
    if found["count"] > 1:
        _say("               ", "of several payloads only the last is kept")
    _say("payload        ", _pretty(found["payload"]))
    if found["corrected"] is not None:
        _say(f"revision {found['revision']:<6}", _pretty(found["corrected"]))
    for finding in found["findings"]:
        out.print(f"[red]finding[/]         {escape(finding)}", highlight=False, soft_wrap=True)
    if found["led_to"]:
        _say("led to         ", f"{found['led_to'].verdict}: {found['led_to'].detail}")
        for document in found["led_to"].documents:
            _say("               ", _document(document))
    for entry in reversed(found["history"]):
        told = f"{said_at(entry['at'], zone)} {entry['actor']}: {entry['action']} {entry['reason']}"
        _say("history        ", told)
    _say("next step      ", found["next_step"])


def _say(title: str, text: str) -> None:
    out.print(f"[dim]{title}[/] {escape(text)}", highlight=False, soft_wrap=True)


def _pretty(payload: Any) -> str:
    return payload if isinstance(payload, str) else msgspec.json.format(msgspec.json.encode(payload)).decode()


def print_redriven(each: Redriven) -> None:
    colour = _COLOURS.get(each.verdict, "bold red")
    out.print(
        f"[{colour}]{each.verdict}[/] {each.exception_id[:13]} {escape(each.does)}",
        highlight=False,
        soft_wrap=True,
    )
    for line in [each.detail, *each.findings]:
        if line:
            out.print(f"  {escape(line)}", highlight=False, soft_wrap=True)
    for document in each.documents:
        out.print(escape(f"  {_document(document)}"), highlight=False, soft_wrap=True)


def _document(document: Document) -> str:
    return f"{document.system} {document.number or 'done'} ({document.operation})"
