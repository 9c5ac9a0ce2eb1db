"""An instance as people look at it: its facts in a line, and everything about one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, select

from lineshaft.core.clock import rfc3339
from lineshaft.core.ids import business_key
from lineshaft.processes.lookup import Found, Plants, find, found_by_id
from lineshaft.processes.possible import possible
from lineshaft.processes.records import ENDED, FINISHED, ProcessState, StepState, in_order
from lineshaft.store.process_documents import ProcessDocument, unpacked
from lineshaft.store.rows import plain
from lineshaft.store.schema import (
    EMPTY,
    archived_processes,
    process_actions,
    process_steps,
    process_waits,
    processes,
)

__all__ = ["FACTS", "OPEN_STEPS", "facts_of", "shown", "waits_of"]

OPEN_STEPS = (StepState.WAITING, StepState.RETRYING, StepState.REOPENED)
_FAR_AWAY = 4102444800.0
FACTS = (
    "process_id",
    "type",
    "version",
    "business_key",
    "state",
    "wanted",
    "cause",
    "owner",
    "at_step",
    "plant",
    "worker",
    "parent_id",
    "forked_from",
    "correlation_id",
    "causation_id",
    "started_at",
    "updated_at",
    "finished_at",
)


def waits_of(connection: Connection, process_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Of each, the steps that have no outcome yet, in order."""
    steps, waits = process_steps.c, process_waits.c
    keys = {
        (row.process_id, row.step): row.key
        for row in connection.execute(
            select(waits.process_id, waits.step, waits.key).where(
                waits.process_id.in_(process_ids), waits.event_id == ""
            )
        )
    }
    found: dict[str, list[dict[str, Any]]] = {}
    open_steps = select(process_steps).where(steps.process_id.in_(process_ids), steps.state.in_(OPEN_STEPS))
    for row in sorted(connection.execute(open_steps), key=lambda row: in_order(row.step)):
        asked = _said(row.input)
        found.setdefault(row.process_id, []).append(
            {
                "step": row.step,
                "kind": row.kind,
                "name": row.name,
                "state": row.state,
                "key": keys.get((row.process_id, row.step), ""),
                "question": asked.get("question", "") if row.kind == "approval" else "",
                "attempts": row.attempts,
            }
        )
    return found


def facts_of(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """owner: the desk that it is parked with; next_try: when it goes on by itself; age_s: since its start."""
    wake_at = row["wake_at"]
    never = row["state"] in FINISHED or wake_at is None or wake_at >= _FAR_AWAY
    began = datetime.fromisoformat(row["started_at"])
    return {name: row[name] for name in FACTS} | {
        "owner": row["owner"] if row["state"] == ProcessState.PARKED else "",
        "next_try": "" if never else rfc3339(max(datetime.fromtimestamp(wake_at, UTC), now)),
        "age_s": round((now - began).total_seconds(), 3),
    }


def shown(
    connection: Connection,
    ref: str,
    now: datetime,
    loaded: Mapping[str, Sequence[int]],
    plants: Plants = None,
) -> dict[str, Any]:
    """Everything that is known of one, whether it is live or archived; `key` of a step: what it waited for.

    ref, plants  as for lookup.find
    loaded       the versions of each process that can run here
    """
    found = find(connection, ref, plants)
    document = _document(connection, found)
    keys = {wait["step"]: wait["key"] for wait in document.waits}
    told = facts_of(document.process, now) | {
        "archived": found.archived,
        "input": _said(document.process["input"]),
        "result": _said(document.process["result"]),
        "waits_for": waits_of(connection, [found.process_id]).get(found.process_id, []),
        "steps": [
            _step(step) | {"key": keys.get(step["step"], "")}
            for step in sorted(document.steps, key=lambda step: in_order(step["step"]))
        ],
        "actions": [
            {name: action[name] for name in ("at", "actor", "action", "step", "reason")}
            | {"detail": _detail(action["detail"])}
            for action in sorted(document.actions, key=lambda action: str(action["at"]))
        ],
        "decisions": len(document.actions),
    }
    told |= _family(connection, document)
    return told | {"next": [msgspec.structs.asdict(each) for each in possible(told, loaded)]}


def _document(connection: Connection, found: Found) -> ProcessDocument:
    def rows(table: Table) -> list[dict[str, Any]]:
        question = select(table).where(table.c.process_id == found.process_id)
        return [plain(row) for row in connection.execute(question)]

    if not found.archived:
        return ProcessDocument(
            process=rows(processes)[0],
            steps=rows(process_steps),
            waits=rows(process_waits),
            actions=rows(process_actions),
        )
    return unpacked(rows(archived_processes)[0]["document"])


def _step(row: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in row.items() if name != "process_id"}
    return told | {name: _said(row[name]) for name in ("input", "corrected", "output", "error")}


def _family(connection: Connection, document: ProcessDocument) -> dict[str, Any]:
    """Those that it waited for, those that it is a step of, its copies, the one that it is a copy of.

    Each may be archived: they are found by their ids alone.
    """
    process = document.process
    children = select(processes.c.process_id).where(
        processes.c.parent_id == process["process_id"], processes.c.parent_id != EMPTY
    )
    waits = process_waits.c
    waiting = select(waits.process_id).where(waits.event_type == ENDED, waits.key == process["process_id"])
    awaited = {wait["key"] for wait in document.waits if wait["event_type"] == ENDED}
    number = sum(action["action"] == "fork" for action in document.actions)
    forks = [
        business_key("process", process["type"], f"{process['business_key']}/fork-{n}")
        for n in range(1, number + 1)
    ]

    def told(process_ids: set[str]) -> list[dict[str, Any]]:
        found = found_by_id(connection, process_ids - {""})
        return [msgspec.structs.asdict(each) for each in sorted(found, key=lambda each: each.business_key)]

    return {
        "children": told(awaited | set(connection.execute(children).scalars())),
        "parents": told({process["parent_id"], *connection.execute(waiting).scalars()}),
        "forks": told(set(forks)),
        "originals": told({process["forked_from"]}),
    }


def _detail(text: str) -> dict[str, Any]:
    """Values in it are JSON themselves."""
    detail: dict[str, Any] = _said(text) or {}
    return detail | {name: _said(detail[name]) for name in ("before", "after", "value") if name in detail}


def _said(text: str) -> Any:
    return msgspec.json.decode(text) if text else None
