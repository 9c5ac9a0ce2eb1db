"""How instances are started, saved and ended in the store. Each is a unit of work, safe to run twice.

Those that end in `_together` take what many instances ask for at the same moment.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec
from sqlalchemy import Connection, delete, func, select, update

from lineshaft.core.values import Event
from lineshaft.processes.records import FINISHED, Instance, Pending, ProcessState, Start, Step
from lineshaft.processes.refusals import NoSuchProcess
from lineshaft.processes.waits import (
    awaited_ends,
    end_of,
    index_keys,
    plain,
    register,
    row_of,
    start_row,
    tell_end,
)
from lineshaft.store import Outbox
from lineshaft.store.schema import archived_processes, process_steps, processes
from lineshaft.store.statements import change, inserted, put

__all__ = [
    "Finish",
    "Save",
    "finish_together",
    "load",
    "open_versions",
    "running",
    "save_together",
    "start_together",
    "suspend",
    "take_over",
]

_RUNNING = "state = 'running'"


class Save(msgspec.Struct, frozen=True):
    """Steps that have an outcome, and the events that were published by them."""

    process_id: str
    steps: Sequence[Step]
    events: Sequence[Event]


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    """The end of an instance, or its parking. More: told in the same transaction, with the connection."""

    save: Save
    state: ProcessState
    worker: str
    at: str
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
    archived = select(archived_processes.c.process_id).where(archived_processes.c.process_id.in_(begun))
    found = set(connection.execute(archived).scalars())
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
        msgspec.convert(plain(row), Instance),
        [msgspec.convert(plain(step), Step) for step in steps],
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
    wanted = {
        row.process_id: row.wanted
        for row in connection.execute(
            select(processes.c.process_id, processes.c.wanted).where(processes.c.wanted != "")
        )
    }
    return [wanted.get(save.process_id, "") for save in saves]


def finish_together(connection: Connection, finishes: Sequence[Finish]) -> list[list[str]]:
    """For each, the instances that waited for its end and are woken by it.

    One that is no longer running (a person has ended it) stays as it is.
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
        }
        for finish in finishes
    ]
    changed = change(connection, processes, rows, only=_RUNNING)
    awaited = awaited_ends(connection, changed)
    woken: list[list[str]] = []
    for finish in finishes:
        process_id, ended = finish.save.process_id, finish.state is not ProcessState.PARKED
        if finish.more is not None and process_id in changed:
            finish.more(connection)
        end = end_of(finish.state, finish.result, finish.cause)
        is_awaited = ended and process_id in awaited
        woken.append(tell_end(connection, process_id, end, finish.at, finish.worker) if is_awaited else [])
    return woken


def suspend(
    connection: Connection, save: Save, pending: Sequence[Pending], cause: str, at: str, *, wanted: str
) -> bool:
    """Leave an instance to its rows; False when it has to run on: what it waits for came meanwhile.

    wanted   what it knows that a person wants of it; more than that is a reason to run on, too
    """
    _save(connection, [save])
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
    return bool(change(connection, processes, [row], only=f"{_RUNNING} AND wanted = '{wanted}'"))


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
    connection.execute(update(processes).where(theirs).values(worker=worker))
    return running(connection, worker)
