"""One process as its page shows it: the same steps as a diagram, along the time, and one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from lineshaft.console.moments import Moment, PlantTime, duration_text, offset_text, parse, seconds_between
from lineshaft.console.step_bars import Bar, bars
from lineshaft.console.step_flow import Flow, flow_of
from lineshaft.console.step_words import KINDS, Awaited, awaited, step_title
from lineshaft.console.tones import Tone, tone_of

__all__ = ["Document", "ProcessView", "StepView", "Waiting", "pretty", "process_view"]

_MOST_TEXT = 20_000
_UNSETTLED = ("waiting", "retrying", "reopened")
Row = Mapping[str, Any]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    text: str
    cut: bool


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    message: str
    code: str
    owner: str
    hint: str


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """anchor   id of its row
    offset   since the process began
    took     until its outcome; of an open step, until now
    mark     `now` where the process stands, `failed` where it parked, else empty
    undoes   path of the step that it undoes; empty: none
    child    the process that it starts; ref: of the call or event that it was, for the trace
    """

    path: str
    anchor: str
    title: str
    kind: str
    name: str
    state: str
    tone: Tone
    mark: str
    at: Moment | None
    offset: str
    took: str
    is_open: bool
    attempts: int
    fault: Fault | None
    documents: list[Document]
    undoes: str
    ref: str
    child: str
    bar: Bar


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """One open step: what it waits for, since when, and until when it does."""

    step: str
    anchor: str
    what: Awaited
    since: Moment | None
    until: Moment | None
    fault: Fault | None


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    at: Moment | None
    actor: str
    action: str
    step: str
    reason: str
    documents: list[Document]


class ProcessView(msgspec.Struct, frozen=True, kw_only=True):
    """steps: by path, in order; at: the step at which it parked; decisions: how many there were about it"""

    id: str
    type: str
    version: int
    key: str
    state: str
    tone: Tone
    plant: str
    owner: str
    cause: str
    wanted: str
    is_open: bool
    archived: bool
    began: Moment | None
    ended: Moment | None
    next_try: Moment | None
    took: str
    correlation_id: str
    started_by: str
    flow: Flow
    steps: dict[str, StepView]
    at: StepView | None
    waits: list[Waiting]
    input: Document | None
    result: Document | None
    family: list[tuple[str, list[Row]]]
    deeds: list[Deed]
    decisions: int


def process_view(
    shown: Row, time: PlantTime, now: datetime, seen: Callable[[Any], Any] = lambda value: value
) -> ProcessView:
    """shown: as app.steering has it; seen: leaves of a payload what the account may see"""
    state, flow = str(shown["state"]), flow_of([step["step"] for step in shown["steps"]])
    by_path = {step["step"]: step for step in shown["steps"]}
    steps = [by_path[path] for path in flow.paths()]
    is_open = not shown["finished_at"]
    ends = now if is_open else parse(shown["finished_at"]) or now
    spans = [(_moment(step["started_at"], ends), _end(step, ends)) for step in steps]
    views = {
        step["step"]: _step(step, bar, shown, time, now, ends, seen)
        for step, bar in zip(steps, bars(spans), strict=True)
    }
    return ProcessView(
        id=shown["process_id"],
        type=str(shown["type"]).replace("_", " "),
        version=shown["version"],
        key=shown["business_key"],
        state=state,
        tone=tone_of(state, "process"),
        plant=shown["plant"],
        owner=shown["owner"],
        cause=shown["cause"],
        wanted=shown["wanted"] if is_open else "",
        is_open=is_open,
        archived=shown["archived"],
        began=time.moment(shown["started_at"], now),
        ended=time.moment(shown["finished_at"], now),
        next_try=time.moment(shown["next_try"], now) if state in ("waiting", "retrying") else None,
        took=duration_text(seconds_between(shown["started_at"], shown["finished_at"])),
        correlation_id=shown["correlation_id"],
        started_by="" if shown["parent_id"] else shown["causation_id"],
        flow=flow,
        steps=views,
        at=views.get(shown["at_step"]) if state == "parked" else None,
        waits=[_waiting(each, shown, time, now) for each in shown["waits_for"]] if is_open else [],
        input=_document("Input", seen(shown["input"])),
        result=_document("Result", seen(shown["result"])),
        family=[(title, shown[name]) for name, title in _FAMILY if shown[name]],
        deeds=[
            Deed(
                at=time.moment(each["at"], now),
                actor=each["actor"],
                action=each["action"],
                step=each["step"],
                reason=each["reason"],
                documents=_documents(
                    (name, seen(each["detail"].get(name))) for name in ("before", "after", "value")
                ),
            )
            for each in shown["actions"]
        ],
        decisions=shown["decisions"],
    )


_FAMILY = (
    ("parents", "A step of"),
    ("children", "Its steps are"),
    ("originals", "A copy of"),
    ("forks", "Its copies"),
)


def _step(
    step: Row,
    bar: Bar,
    shown: Row,
    time: PlantTime,
    now: datetime,
    ends: datetime,
    seen: Callable[[Any], Any],
) -> StepView:
    kind, name, path = str(step["kind"]), str(step["name"]), str(step["step"])
    state, answer = str(step["state"]), step["output"]
    is_open = not shown["finished_at"] and state in _UNSETTLED
    was_left = state in _UNSETTLED and not is_open
    failed = shown["state"] == "parked" and path == shown["at_step"]
    was_corrected = step["corrected"] is not None
    told = [
        ("Asked first, before it was corrected", step["input"] if was_corrected else None),
        ("Asked", step["corrected"] if was_corrected else step["input"]),
        ("Answer", _child_result(answer) if kind == "child" else answer),
    ]
    return StepView(
        path=path,
        anchor=f"step-{path}",
        title=step_title(kind, name),
        kind=KINDS.get(kind, kind),
        name=name,
        state="left open" if was_left else state,
        tone=Tone.PLAIN if was_left else tone_of(state, "step"),
        mark="failed" if failed else "now" if is_open else "",
        at=time.precise(step["started_at"], shown["started_at"]),
        offset=offset_text(seconds_between(shown["started_at"], step["started_at"])),
        took=duration_text(max(0.0, (_end(step, ends) - _moment(step["started_at"], ends)).total_seconds())),
        is_open=is_open,
        attempts=step["attempts"],
        fault=_fault(step["error"]),
        documents=_documents((label, seen(value)) for label, value in told),
        undoes=_undone(path),
        ref="" if kind == "child" else step["ref"],
        child=step["key"] if kind == "child" else "",
        bar=bar,
    )


def _undone(path: str) -> str:
    """1.2.0u.0 → 1.2.0"""
    return path.partition("u")[0] if "u" in path else ""


def _child_result(output: Any) -> Any:
    """The end of a child has its result as JSON text within it."""
    if not isinstance(output, Mapping) or not isinstance(output.get("result"), str) or not output["result"]:
        return output
    return {**output, "result": json.loads(output["result"])}


def _waiting(each: Row, shown: Row, time: PlantTime, now: datetime) -> Waiting:
    step = next(step for step in shown["steps"] if step["step"] == each["step"])
    asked = step["input"] if isinstance(step["input"], Mapping) else {}
    began, most = parse(step["started_at"]), asked.get("timeout_s")
    ends = began.timestamp() + most if began and isinstance(most, int | float) else None
    until = datetime.fromtimestamp(ends, began.tzinfo) if began and ends else None
    return Waiting(
        step=each["step"],
        anchor=f"step-{each['step']}",
        what=awaited(each),
        since=time.moment(began, now),
        until=time.moment(until, now),
        fault=_fault(step["error"]),
    )


def _fault(error: Row | None) -> Fault | None:
    if not error:
        return None
    return Fault(
        message=str(error.get("message", "")),
        code=str(error.get("code", "")),
        owner=str(error.get("owner", "")),
        hint=str(error.get("hint", "")),
    )


def _documents(pairs: Iterable[tuple[str, Any]]) -> list[Document]:
    return [made for label, value in pairs if (made := _document(label, value))]


def _document(label: str, value: Any) -> Document | None:
    """None for nothing, and for what says nothing."""
    if value is None or value in ({}, [], ""):
        return None
    text = pretty(value)
    return Document(label=label, text=text[:_MOST_TEXT], cut=len(text) > _MOST_TEXT)


def pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _moment(text: str, otherwise: datetime) -> datetime:
    return parse(text) or otherwise


def _end(step: Row, ends: datetime) -> datetime:
    return max(_moment(step["finished_at"], ends), _moment(step["started_at"], ends))
