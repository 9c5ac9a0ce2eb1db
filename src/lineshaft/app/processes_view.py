"""Processes in the terminal: a line for each, or everything about one."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lineshaft.app.terminal import said_at
from lineshaft.console.moments import duration_text, seconds_between
from lineshaft.processes.records import FINISHED, ProcessState

__all__ = ["print_listed", "print_shown"]

_COLOURS = {
    "completed": "green",
    "running": "cyan",
    "waiting": "cyan",
    "done": "green",
    "retrying": "yellow",
    "reopened": "yellow",
    "parked": "bold red",
    "failed": "red",
    "rejected": "red",
    "timed_out": "red",
}
_SHORT = 8
_MOST_TOLD = 4_000
Row = Mapping[str, Any]


def print_listed(out: Console, found: Sequence[Row], zone: ZoneInfo) -> None:
    if not found:
        out.print("there are none; see `lineshaft processes show` for one that is archived")
        return
    table = Table("id", "process", "business key", "state", "age", "owner", "what it is about")
    for row in found:
        table.add_row(
            row["process_id"][:_SHORT],
            f"{escape(row['type'])} v{row['version']}",
            escape(row["business_key"]),
            _state(row["state"]),
            duration_text(row["age_s"]),
            escape(row["owner"]),
            escape(_about(row, zone)),
        )
    out.print(table)


def _about(row: Row, zone: ZoneInfo) -> str:
    """What it waits for, when it goes on, or why it does not."""
    parts = [f"asked to {row['wanted']}"] if row["wanted"] and row["state"] not in FINISHED else []
    if row["state"] == ProcessState.WAITING:
        until = f" until {said_at(row['next_try'], zone)}" if row["next_try"] else ""
        parts.append("; ".join(_awaited(step) for step in row["waits_for"]) + until)
    elif row["state"] == ProcessState.RETRYING:
        parts += [f"{step['name']} after attempt {step['attempts']}" for step in row["waits_for"]]
        parts.append(f"next try {said_at(row['next_try'], zone)}")
    if row["state"] != ProcessState.WAITING and row["cause"]:
        parts.append(row["cause"])
    return "; ".join(parts)


def _awaited(step: Row) -> str:
    match step["kind"]:
        case "approval":
            return f"a decision as {step['name']}" + (f": {step['question']}" if step["question"] else "")
        case "child":
            return f"process {step['name']} {step['key'][:_SHORT]}"
        case "sleep":
            return "sleeps"
        case _:
            return f"{step['name']} {step['key']}".rstrip()


def print_shown(out: Console, shown: Row, zone: ZoneInfo, config: Path | None) -> None:
    """config: as it was given, for the commands to copy."""

    def say(title: str, text: str, style: str = "") -> None:
        if text:
            styled = f"[{style}]{escape(text)}[/]" if style else escape(text)
            out.print(f"[dim]{title:<14}[/] {styled}", highlight=False, soft_wrap=True)

    say("process", f"{shown['type']} v{shown['version']} {shown['business_key']}", "bold")
    say("id", shown["process_id"])
    archived = ", in the archive" if shown["archived"] else ""
    say("state", shown["state"] + archived, _COLOURS.get(shown["state"], ""))
    say("", _about({**shown, "cause": ""}, zone))
    say("cause", shown["cause"])
    say("owner", shown["owner"])
    say("parked at step", shown["at_step"])
    say("started", _times(shown, zone))
    say("story", f"lineshaft trace {shown['correlation_id']}{_option(config)}")
    for title in ("parents", "children", "originals", "forks"):
        for each in shown[title]:
            kept = ", archived" if each["archived"] else ""
            told = f"{each['process_id']} {each['type']} {each['business_key']} ({each['state']}{kept})"
            say(_RELATIVES[title], told)
    say("input", _pretty(shown["input"]))
    for step in shown["steps"]:
        _print_step(out, step, zone)
    say("result", _pretty(shown["result"]))
    for action in shown["actions"]:
        at = f" at step {action['step']}" if action["step"] else ""
        told = f"{said_at(action['at'], zone)} {action['actor']}: {action['action']}{at}, {action['reason']}"
        detail = f" {_pretty(action['detail'])}" if action["detail"] else ""
        say("what was done", told + detail)
    for each in shown["next"]:
        out.print(f"[dim]{'can be done':<14}[/] {escape(each['effect'])}", highlight=False, soft_wrap=True)
        out.print(f"{'':<16} {escape(each['command'])}{_option(config)}", highlight=False, soft_wrap=True)


_RELATIVES = {
    "parents": "is a step of",
    "children": "its step",
    "originals": "is a copy of",
    "forks": "its copy",
}


def _print_step(out: Console, step: Row, zone: ZoneInfo) -> None:
    tries = f", attempt {step['attempts']}" if step["attempts"] > 1 else ""
    took = duration_text(seconds_between(step["started_at"], step["finished_at"]))
    times = f"{said_at(step['started_at'], zone)}{f', took {took}' if took else ''}{tries}"
    what = f"{escape(step['kind'])} {escape(step['name'])} {_state(step['state'])}"
    out.print(f"[dim]step {step['step']:<9}[/] {what} [dim]{times}[/]", highlight=False, soft_wrap=True)
    told = {
        "asked": step["input"],
        "corrected": step["corrected"],
        "gave": step["output"],
        "error": _fault(step["error"]),
        "ref": step["ref"],
    }
    for title, value in told.items():
        if value:
            text = value if isinstance(value, str) else _pretty(value)
            out.print(f"{'':<16} [dim]{title}[/] {escape(text)}", highlight=False, soft_wrap=True)


def _fault(error: Row | None) -> str:
    if error is None:
        return ""
    hint = f" ({error['hint']})" if error["hint"] else ""
    return f"{error['code']}: {error['message']}{hint}"


def _state(state: str) -> str:
    colour = _COLOURS.get(state, "dim")
    return f"[{colour}]{state}[/]"


def _times(shown: Row, zone: ZoneInfo) -> str:
    began = f"{said_at(shown['started_at'], zone)} ({duration_text(shown['age_s'])} ago)"
    if not shown["finished_at"]:
        return began
    took = duration_text(seconds_between(shown["started_at"], shown["finished_at"]))
    return f"{began}, finished {said_at(shown['finished_at'], zone)} after {took}"


def _pretty(value: Any) -> str:
    """On one line: a step has many facts, and --json has them in full."""
    if value is None:
        return ""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _MOST_TOLD else f"{text[:_MOST_TOLD]}… (whole with --json)"


def _option(config: Path | None) -> str:
    return f" --config {shlex.quote(str(config))}" if config else ""
