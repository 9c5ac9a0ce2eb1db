"""Steps of a process in the words of the plant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lineshaft.console.moments import duration_text

__all__ = ["KINDS", "Awaited", "awaited", "event_words", "step_title"]

_SHORT = 3  # ERP, MES, WMS
KINDS = {
    "call": "call",
    "wait": "wait for an event",
    "approval": "decision",
    "sleep": "pause",
    "child": "other process",
    "publish": "event told",
}


class Awaited(msgspec.Struct, frozen=True, kw_only=True):
    """What one open step waits for. key: asked for in the trace; child: a process id; both may be empty."""

    text: str
    key: str = ""
    child: str = ""


def event_words(type: str) -> str:
    """`maintenance.order.completed.v1` → `maintenance order completed`"""
    words = type.split(".")
    return " ".join(words[:-1] if words[-1][:1] == "v" else words).replace("_", " ")


def step_title(kind: str, name: str) -> str:
    match kind:
        case "wait":
            return f"wait for {event_words(name)}"
        case "publish":
            return f"tell {event_words(name)}"
        case "approval":
            return f"ask the {name.replace('_', ' ')}"
        case "child":
            return name.replace("_", " ")
        case "sleep":
            seconds = name.partition(" ")[0]
            return f"pause {duration_text(float(seconds))}" if seconds.replace(".", "").isdigit() else "pause"
        case _:
            system, _, operation = name.rpartition(".")
            system = system.upper() if len(system) <= _SHORT else system
            return f"{system}: {operation}".replace("_", " ") if system else name


def awaited(step: Mapping[str, Any]) -> Awaited:
    """step: an entry of `waits_for`"""
    kind, name, key = step["kind"], step["name"], step["key"]
    match kind:
        case "wait":
            return Awaited(text=event_words(name), key=key)
        case "approval":
            question = f": {step['question']}" if step["question"] else ""
            return Awaited(text=f"a decision of the {name.replace('_', ' ')}{question}")
        case "child":
            return Awaited(text=f"the process {name.replace('_', ' ')}", child=key)
        case "sleep":
            return Awaited(text="the end of a pause")
        case _:
            tries = step["attempts"]
            return Awaited(text=f"{step_title(kind, name)}, after {tries} {'try' if tries == 1 else 'tries'}")
