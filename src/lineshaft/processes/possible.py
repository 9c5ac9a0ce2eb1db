"""What people can do with an instance as it is now, as commands to copy."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from lineshaft.processes.records import FINISHED, ProcessState, StepState

__all__ = ["Possible", "possible"]

_WHY, _VALUE = ("--reason", "…"), ("--value", "@FILE")


class Possible(msgspec.Struct, frozen=True, kw_only=True):
    """command  to be completed at each `…`
    step     path of the one that it is about; empty: none
    role     in which a decision is asked
    value    it needs one
    version  that instances can be moved to; 0: none
    """

    action: str
    command: str
    effect: str
    step: str = ""
    role: str = ""
    value: bool = False
    version: int = 0


def possible(shown: Mapping[str, Any], loaded: Mapping[str, Sequence[int]]) -> list[Possible]:
    """shown: a process as `views.shown` has it; loaded: the versions of each process that can run here."""
    versions = loaded.get(shown["type"], ())
    if shown["archived"]:
        return []
    if shown["state"] in FINISHED:
        return list(_again(shown))
    moves = [] if shown["version"] in versions else list(_moves(shown, versions))
    return [*moves, *_further(shown), *_ends(shown)]


def _possible(
    action: str, shown: Mapping[str, Any], effect: str, *more: str, step: str = "", role: str = ""
) -> Possible:
    words = ["lineshaft", "processes", action, shown["process_id"], *more, *_WHY]
    needs_value = "--value" in more
    return Possible(
        action=action, command=shlex.join(words), effect=effect, step=step, role=role, value=needs_value
    )


def _moves(shown: Mapping[str, Any], versions: Sequence[int]) -> Iterator[Possible]:
    for version in versions:
        words = ["lineshaft", "processes", "migrate", shown["type"]]
        words += ["--from", str(shown["version"]), "--to", str(version), "--dry-run"]
        effect = f"try whether v{version} fits: v{shown['version']} is not loaded"
        yield Possible(action="migrate", command=shlex.join(words), effect=effect, version=version)


def _further(shown: Mapping[str, Any]) -> Iterator[Possible]:
    steps = {step["step"]: step for step in shown["steps"]}
    if shown["state"] == ProcessState.PARKED:
        at = steps.get(shown["at_step"])
        if at is not None and at["kind"] == "call":
            name, path = at["name"], at["step"]
            yield _possible("retry", shown, f"ask for {name} again", step=path)
            yield _possible("correct", shown, f"ask for {name} with this request", *_VALUE, step=path)
            yield _possible("skip", shown, f"go on with this reply of {name}", *_VALUE, step=path)
        else:
            yield _possible("retry", shown, "run on from its last step")
            yield _possible("correct", shown, "run on with this input", *_VALUE)
        return
    if shown["state"] == ProcessState.RETRYING:
        yield _possible("retry", shown, "try again now, not later")
    for step in shown["waits_for"]:
        yield from _open(shown, step)


def _open(shown: Mapping[str, Any], step: Mapping[str, Any]) -> Iterator[Possible]:
    name, path = step["name"], step["step"]
    where = ("--step", path)
    match step["kind"]:
        case "approval":
            for action, said in (("approve", "yes"), ("refuse", "no")):
                effect = f"say {said} as {name}"
                yield _possible(action, shown, effect, "--role", name, step=path, role=name)
        case "child":
            command = f"lineshaft processes show {step['key']}"
            yield Possible(action="show", command=command, effect=f"see {name}, which it waits for")
        case "sleep":
            yield _possible("skip", shown, "wake it now", *where, step=path)
        case "wait":
            effect = f"go on as if this {name} had come"
            yield _possible("skip", shown, effect, *where, *_VALUE, step=path)
        case _ if step["state"] in (StepState.RETRYING, StepState.REOPENED):
            effect = f"go on with this reply of {name}"
            yield _possible("skip", shown, effect, *where, *_VALUE, step=path)


def _ends(shown: Mapping[str, Any]) -> Iterator[Possible]:
    yield _possible("abort", shown, "end it, and run the undos that its steps name, in reverse")
    yield _possible("cancel", shown, "end it before its next step; what it has done stays")
    if shown["state"] == ProcessState.RUNNING:
        yield _possible("cancel", shown, "end it at once, in the middle of a step", "--now")


def _again(shown: Mapping[str, Any]) -> Iterator[Possible]:
    firsts = [step["step"] for step in shown["steps"] if step["step"].isdigit()]
    if firsts:
        effect = f"a copy that does step {firsts[-1]} and the rest anew; any step can be named"
        yield _possible("fork", shown, effect, "--step", firsts[-1])
