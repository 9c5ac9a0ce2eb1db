"""How instances are started, saved and ended in the store. Each is a unit of work, safe to run twice.

Those that end in `_together` take what many instances ask for at the same moment.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, bindparam, case, delete, func, select, update

from lineshaft.core.clock import rfc3339
from lineshaft.core.values import Event
from lineshaft.processes.records import (
    FINISHED,
    INSTANCE_OF,
    STEP_OF,
    Instance,
    Pending,
    ProcessState,
    Start,
    Step,
)
from lineshaft.processes.refusals import NoSuchProcess
from lineshaft.processes.waits import (
    awaited_ends,
    end_of,
    index_keys,
    register,
    row_of,
    start_row,
    tell_end,
    woken_by_end,
)
from lineshaft.store import Outbox
from lineshaft.store.rows import plain
from lineshaft.store.schema import EMPTY, archived_processes, process_actions, process_steps, processes
from lineshaft.store.statements import change, inserted, present, put

__all__ = [
    "Finish",
    "Save",
    "finish_together",
    "load",
    "open_versions",
    "reason",
    "running",
    "save_together",
    "start_together",
    "suspend",
    "take_over",
]

# What a person wants of it that it does not know yet is a reason to run on. One that has done everything
# can be cancelled no more; an abort undoes what it did.
_STILL_OURS = (
    "state = 'running' AND worker = held_by"
    " AND (wanted = known_wanted OR (new_state = 'completed' AND wanted <> 'abort'))"
)


class Save(msgspec.Struct, frozen=True):
    """Steps that have an outcome, and the events that were published by them."""

    process_id: str
    steps: Sequence[Step]
    events: Sequence[Event]


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    """The end of an instance, or its parking.

    wanted  what it knows that a person wants of it
    more    told in the same transaction, with the connection
    """

    save: Save
    state: ProcessState
    worker: str
    at: str
    wanted: str = ""
    result: str = ""
    cause: str = ""
    owner: str = ""
    at_step: str = ""
    more: Callable[[Connection], None] | None = None


def start_together(connection: Connection, starts: Sequence[Start]) -> list[bool]:
    """For each, True when its business key starts now, False when it had started before."""
    first = {start.instance.process_id: start for start in reversed(starts)}
    begun = inserted(connection, processes, [start_row(start.instance) for start in first.values()])
    begun -= _withdrawn(connection, begun)
    index_keys(connection, [first[process_id] for process_id in begun])
    return [
        start.instance.process_id in begun and first[start.instance.process_id] is start for start in starts
    ]


def _withdrawn(connection: Connection, begun: Collection[str]) -> set[str]:
    """Those that are archived start not again. Asked afterwards: one may be archived at this very moment."""
    found = present(connection, archived_processes.c.process_id, begun)
    if found:
        connection.execute(delete(processes).where(processes.c.process_id.in_(found)))
    return found


def load(connection: Connection, process_id: str) -> tuple[Instance, list[Step]]:
    """raises  NoSuchProcess, also when it is archived"""
    row = connection.execute(select(processes).where(processes.c.process_id == process_id)).first()
    if row is None:
        raise NoSuchProcess(f"there is no process {process_id!r}", hint="see `lineshaft processes list`")
    steps = connection.execute(select(process_steps).where(process_steps.c.process_id == process_id))
    return (
        INSTANCE_OF(plain(row)),
        [STEP_OF(plain(step)) for step in steps],
    )


def _save(connection: Connection, saves: Sequence[Save]) -> None:
    put(
        connection,
        process_steps,
        [row_of(save.process_id, step) for save in saves for step in save.steps],
    )
    Outbox.add(connection, [event for save in saves for event in save.events])


def save_together(connection: Connection, saves: Sequence[Save]) -> list[str]:
    """For each, what a person wants of the instance: empty for nothing."""
    _save(connection, saves)
    wanted = _wanted(connection, [save.process_id for save in saves])
    return [wanted.get(save.process_id, "") for save in saves]


def _wanted(connection: Connection, process_ids: list[str]) -> dict[str, str]:
    """Asked at each save: nearly always of none, and never about those that ended long ago."""
    asked = present(connection, processes.c.process_id, process_ids, only="wanted <> ''")
    if not asked:
        return {}
    columns = select(processes.c.process_id, processes.c.wanted).where(processes.c.process_id.in_(asked))
    return {row.process_id: row.wanted for row in connection.execute(columns)}


def finish_together(connection: Connection, finishes: Sequence[Finish]) -> list[list[str]]:
    """For each, the instances that have to run on: those that waited for its end and are woken by it.

    One that is no longer this worker's, or of which more is wanted than it knows, stays as it is: that is
    looked at again.
    """
    _save(connection, [finish.save for finish in finishes])
    rows = [
        {
            "process_id": finish.save.process_id,
            "state": finish.state,
            "worker": "",
            "result": finish.result,
            "cause": finish.cause,
            "owner": finish.owner,
            "at_step": finish.at_step,
            "updated_at": finish.at,
            "finished_at": "" if finish.state is ProcessState.PARKED else finish.at,
            "held_by": finish.worker,
            "known_wanted": finish.wanted,
        }
        for finish in finishes
    ]
    changed = change(connection, processes, rows, only=_STILL_OURS)
    for finish in finishes:
        if finish.save.process_id in changed and finish.state in _STOPPED:
            _stop_children(connection, finish)
    awaited = awaited_ends(connection, [finish.save.process_id for finish in finishes])
    woken: list[list[str]] = []
    for finish in finishes:
        process_id, is_awaited = finish.save.process_id, finish.save.process_id in awaited
        if process_id not in changed:  # also when this unit is run again: its first run has told the end
            told = woken_by_end(connection, process_id, finish.worker) if is_awaited else []
            woken.append([process_id, *told])
            continue
        if finish.more is not None:
            finish.more(connection)
        end = end_of(finish.state, finish.result, finish.cause)
        is_told = is_awaited and finish.state is not ProcessState.PARKED
        woken.append(tell_end(connection, process_id, end, finish.at, finish.worker) if is_told else [])
    return woken


_STOPPED = {ProcessState.ABORTED: "abort", ProcessState.CANCELLED: "cancel"}


def _stop_children(connection: Connection, finish: Finish) -> None:
    """The processes that it was waiting for end as it does, when nobody has asked them to before."""
    runs, table = processes.c.state == ProcessState.RUNNING, processes.c
    connection.execute(
        update(processes)
        .where(table.parent_id == finish.save.process_id, table.parent_id != EMPTY)
        .where(table.wanted == "", table.state.not_in(FINISHED))
        .values(
            wanted=_STOPPED[finish.state],
            state=case((runs, table.state), else_=ProcessState.RETRYING),
            wake_at=case((runs, None), else_=0.0),
            at_step=case((runs, table.at_step), else_=""),
            updated_at=finish.at,
        )
    )


_HELD = (
    select(processes.c.state, processes.c.worker, processes.c.wanted)
    .where(processes.c.process_id == bindparam("process"))
    .with_for_update()
)


def suspend(
    connection: Connection,
    save: Save,
    pending: Sequence[Pending],
    cause: str,
    at: str,
    *,
    worker: str,
    wanted: str,
) -> bool:
    """Leave an instance to its rows; False when it has to run on: what it waits for came meanwhile.

    worker  who has it; when it is another's, or ended, nothing of it is left to this one
    wanted  what it knows that a person wants of it; more than that is a reason to run on, too
    """
    _save(connection, [save])
    held = connection.execute(_HELD, {"process": save.process_id}).one()
    if tuple(held) != (ProcessState.RUNNING, worker, wanted):
        return False
    if register(connection, save.process_id, pending, at):
        return False
    retries = any(not each.event_type and each.step.kind == "call" for each in pending)
    row = {
        "process_id": save.process_id,
        "state": ProcessState.RETRYING if retries else ProcessState.WAITING,
        "worker": "",
        "wake_at": min(each.wake_at for each in pending),
        "cause": cause,
        "updated_at": at,
    }
    return bool(change(connection, processes, [row]))


def reason(connection: Connection, process_id: str, wanted: str) -> str:
    """Why a person wanted it to end; empty when no person did."""
    asked = (process_actions.c.process_id == process_id) & (process_actions.c.action == wanted)
    latest = select(process_actions.c.reason).where(asked).order_by(process_actions.c.at.desc()).limit(1)
    return connection.execute(latest).scalar() or ""


def open_versions(connection: Connection) -> list[tuple[str, int, int, str]]:
    """Of unfinished instances: name, version, how many, since when."""
    found = connection.execute(
        select(processes.c.type, processes.c.version, func.count(), func.min(processes.c.started_at))
        .where(processes.c.state.not_in(FINISHED))
        .group_by(processes.c.type, processes.c.version)
        .order_by(processes.c.type, processes.c.version)
    )
    return [(name, version, count, since) for name, version, count, since in found]


def running(connection: Connection, worker: str) -> list[str]:
    """What this worker was at work on, when it starts again."""
    mine = (processes.c.state == ProcessState.RUNNING) & (processes.c.worker == worker)
    return list(connection.execute(select(processes.c.process_id).where(mine)).scalars())


def take_over(connection: Connection, dead: str, worker: str) -> list[str]:
    theirs = (processes.c.state == ProcessState.RUNNING) & (processes.c.worker == dead)
    now = rfc3339(datetime.now(UTC))
    connection.execute(update(processes).where(theirs).values(worker=worker, updated_at=now))
    return running(connection, worker)
