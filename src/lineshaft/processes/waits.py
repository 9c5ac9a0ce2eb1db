"""Instances that wait, the signals that they wait for, and how the two meet whichever comes first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, or_, select, true, tuple_, update

from lineshaft.core.clock import rfc3339
from lineshaft.processes.records import (
    ENDED,
    FINISHED,
    STEP_OF,
    Instance,
    Pending,
    ProcessState,
    Start,
    Step,
    StepState,
)
from lineshaft.store.process_documents import unpacked
from lineshaft.store.rows import plain
from lineshaft.store.schema import (
    archived_processes,
    business_keys,
    process_steps,
    process_waits,
    processes,
    signals,
)
from lineshaft.store.statements import insert_new, inserted, present, put

__all__ = [
    "awaited_ends",
    "claim_due",
    "deliver",
    "end_of",
    "expire",
    "give_back",
    "index_keys",
    "next_wake",
    "register",
    "row_of",
    "start_row",
    "tell_end",
    "woken_by_end",
]

_ASLEEP = (ProcessState.WAITING, ProcessState.RETRYING)
_MOST_AT_ONCE = 500


_KNOWN = select(process_waits.c.step, process_waits.c.event_id).where(
    process_waits.c.process_id == bindparam("process")
)
_OLDEST = (
    select(signals.c.event_id, signals.c.data)
    .where(
        signals.c.event_type == bindparam("type"),
        signals.c.key == bindparam("key"),
        signals.c.event_id.not_in(
            select(process_waits.c.event_id).where(process_waits.c.process_id == bindparam("process"))
        ),
    )
    .order_by(signals.c.received_at, signals.c.event_id)
    .limit(1)
)
_STEP_DONE = (
    update(process_steps)
    .where(process_steps.c.process_id == bindparam("process"), process_steps.c.step == bindparam("path"))
    .values(
        state=StepState.DONE,
        output=bindparam("output"),
        ref=bindparam("ref"),
        finished_at=bindparam("finished_at"),
    )
)
_TAKEN = select(process_waits.c.process_id).where(process_waits.c.event_id == bindparam("event"))
_WAITING = (
    select(process_waits.c.process_id, func.min(process_waits.c.step).label("step"))
    .where(
        process_waits.c.event_type == bindparam("type"),
        process_waits.c.key == bindparam("key"),
        process_waits.c.event_id == "",
        process_waits.c.process_id.not_in(_TAKEN),
    )
    .group_by(process_waits.c.process_id)
)
_MET = (
    update(process_waits)
    .where(process_waits.c.process_id == bindparam("process"), process_waits.c.step == bindparam("path"))
    .values(event_id=bindparam("event_id"))
)
_AWAKE = (
    update(processes)
    .where(processes.c.process_id == bindparam("process"), processes.c.state.in_(_ASLEEP))
    .values({name: bindparam(name) for name in ("state", "worker", "wake_at", "updated_at")})
)


def register(connection: Connection, process_id: str, pending: Sequence[Pending], at: str) -> bool:
    """Note what an instance waits for; True when some of it is there already: it has to run on."""
    for event_type, key in sorted({(each.event_type, each.key) for each in pending if each.event_type}):
        _lock(connection, event_type, key)  # for what was registered before as well: it may come just now
    known = {row.step: row.event_id for row in connection.execute(_KNOWN, {"process": process_id})}
    fresh = [each for each in pending if each.step.step not in known]
    put(connection, process_steps, [row_of(process_id, each.step) for each in fresh])
    met = any(known.get(each.step.step) for each in pending)
    for each in fresh:
        if each.event_type:
            met |= _register(connection, process_id, each, at)
    return met


def _register(connection: Connection, process_id: str, pending: Pending, at: str) -> bool:
    event_id, data = (
        _child(connection, pending)
        if pending.event_type == ENDED
        else _signal(connection, process_id, pending.event_type, pending.key)
    )
    wait = {
        "process_id": process_id,
        "step": pending.step.step,
        "event_type": pending.event_type,
        "key": pending.key,
        "event_id": event_id,
    }
    insert_new(connection, process_waits, [wait])
    if event_id:
        _done(connection, process_id, pending.step.step, event_id, data, at)
    return bool(event_id)


def _child(connection: Connection, pending: Pending) -> tuple[str, str]:
    """The end of a child that had ended before; one that was never started starts now."""
    if pending.child is not None:
        begun = inserted(connection, processes, [start_row(pending.child.instance) | {"wake_at": 0.0}])
        if begun and (end := _archived_end(connection, pending.key)):
            connection.execute(delete(processes).where(processes.c.process_id.in_(begun)))
            return ended_id(pending.key), end
        if begun:
            index_keys(connection, [pending.child])
    ended = connection.execute(
        select(processes.c.state, processes.c.result, processes.c.cause)
        .where(processes.c.process_id == pending.key)
        .with_for_update()  # its end, if that is being written, comes before us or finds our wait
    ).one()
    if ended.state not in FINISHED:
        return "", ""
    return ended_id(pending.key), end_of(ended.state, ended.result, ended.cause)


def _archived_end(connection: Connection, process_id: str) -> str:
    documents = select(archived_processes.c.document).where(archived_processes.c.process_id == process_id)
    found = connection.execute(documents).scalar()
    if found is None:
        return ""
    ended = unpacked(found).process
    return end_of(ended["state"], ended["result"], ended["cause"])


def expire(connection: Connection, process_id: str, step: Step, event_type: str, key: str, at: str) -> Step:
    """The end of a wait whose time is over: done if its event came after all, else timed out."""
    _lock(connection, event_type, key)
    here = (process_waits.c.process_id == process_id) & (process_waits.c.step == step.step)
    if connection.execute(select(process_waits.c.event_id).where(here)).scalar():
        return _recorded(connection, process_id, step.step)  # delivered since the journal was loaded
    event_id, data = _signal(connection, process_id, event_type, key)
    if event_id:
        put(connection, process_steps, [row_of(process_id, step)])
        wait = {"process_id": process_id, "step": step.step, "event_type": event_type, "key": key}
        put(connection, process_waits, [wait | {"event_id": event_id}])
        _done(connection, process_id, step.step, event_id, data, at)
        return _recorded(connection, process_id, step.step)
    connection.execute(delete(process_waits).where(here))  # a late event must not find it
    step = msgspec.structs.replace(step, state=StepState.TIMED_OUT, finished_at=at)
    put(connection, process_steps, [row_of(process_id, step)])
    return step


def _signal(connection: Connection, process_id: str, event_type: str, key: str) -> tuple[str, str]:
    """Id and data of the oldest signal that this instance has not taken; empty for none."""
    asked = {"process": process_id, "type": event_type, "key": key}
    found = connection.execute(_OLDEST, asked).first()
    return (found.event_id, found.data) if found else ("", "")


def _done(connection: Connection, process_id: str, step: str, event_id: str, data: str, at: str) -> None:
    done = {"output": data, "ref": event_id, "finished_at": at}
    connection.execute(_STEP_DONE, done | {"process": process_id, "path": step})


def _recorded(connection: Connection, process_id: str, path: str) -> Step:
    row = connection.execute(
        select(process_steps).where(process_steps.c.process_id == process_id, process_steps.c.step == path)
    ).one()
    return STEP_OF(plain(row))


def deliver(
    connection: Connection, event_id: str, event_type: str, key: str, data: str, at: str, *, worker: str
) -> list[str]:
    """Keep an event for those who wait for it now or later; returns the instances that it wakes.

    Delivered again, it names those that still have to run on: the first time may not have come to wake them.
    """
    _lock(connection, event_type, key)
    signal = {"event_id": event_id, "event_type": event_type, "key": key, "data": data, "received_at": at}
    insert_new(connection, signals, [signal])
    return _meet(connection, event_id, event_type, key, data, at, worker)


def _meet(
    connection: Connection, event_id: str, event_type: str, key: str, data: str, at: str, worker: str
) -> list[str]:
    waiting = connection.execute(_WAITING, {"type": event_type, "key": key, "event": event_id}).all()
    awake: dict[str, Any] = {"state": ProcessState.RUNNING, "worker": worker, "wake_at": None}
    if not worker:  # told by one who runs nothing: due at once, for whichever worker looks first
        awake = {"state": ProcessState.RETRYING, "worker": "", "wake_at": 0.0}
    for process_id, step in waiting:
        here = {"process": process_id, "path": step}
        met = connection.execute(_MET, here | {"event_id": event_id})
        if not met.rowcount:  # a person skipped it meanwhile
            continue
        _done(connection, process_id, step, event_id, data, at)
        connection.execute(_AWAKE, {"process": process_id, "updated_at": at, **awake})
    return _woken(connection, event_id, worker)


def _woken(connection: Connection, event_id: str, worker: str) -> list[str]:
    """Those of this worker's instances that have taken this event and still have to run on."""
    again = select(process_waits.c.process_id).where(process_waits.c.event_id == event_id)
    return list(
        connection.execute(
            select(processes.c.process_id).where(
                processes.c.process_id.in_(again),
                processes.c.state == ProcessState.RUNNING,
                processes.c.worker == worker,
            )
        ).scalars()
    )


def awaited_ends(connection: Connection, process_ids: Collection[str]) -> set[str]:
    """Those of these processes whose end another waits for; asked after their rows were changed."""
    return present(connection, process_waits.c.key, process_ids, only=f"event_type = '{ENDED}'")


def tell_end(connection: Connection, process_id: str, end: str, at: str, worker: str) -> list[str]:
    """Returns the instances that it wakes; told when the row of the one that ended was changed."""
    return _meet(connection, ended_id(process_id), ENDED, process_id, end, at, worker)


def woken_by_end(connection: Connection, process_id: str, worker: str) -> list[str]:
    """Those that the end of this process has woken, when it was told before."""
    return _woken(connection, ended_id(process_id), worker)


def claim_due(
    connection: Connection,
    now: float,
    worker: str,
    loaded: Collection[tuple[str, int]] | None = None,
    forgotten_s: float = 0.0,
) -> list[str]:
    """Instances whose time has come, from now on this worker's.

    loaded            name and version of the processes that it can run; None for all
    forgotten_s       takes also others that nobody took for so long
    """
    since = now - forgotten_s
    forgotten = (processes.c.wake_at <= since) & (processes.c.updated_at < _text_of(since))
    kinds = tuple_(processes.c.type, processes.c.version)
    to_be_ended = processes.c.wanted == "cancel"  # which any worker can do
    mine = true() if loaded is None else or_(kinds.in_(list(loaded)), to_be_ended, forgotten)
    due = (
        select(processes.c.process_id)
        .where(processes.c.state.in_(_ASLEEP), processes.c.wake_at <= now, mine)
        .order_by(processes.c.wake_at)
        .limit(_MOST_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    found = list(connection.execute(due).scalars())
    if found:
        connection.execute(
            update(processes)
            .where(processes.c.process_id.in_(found))
            .values(state=ProcessState.RUNNING, worker=worker, wake_at=None)
        )
    return found


def _text_of(moment: float) -> str:
    return rfc3339(datetime.fromtimestamp(moment, UTC))


def give_back(connection: Connection, process_id: str, worker: str, now: float, at: str) -> None:
    """Due at once, for a worker that can run it."""
    held = (processes.c.process_id == process_id) & (processes.c.worker == worker)
    connection.execute(
        update(processes)
        .where(held, processes.c.state == ProcessState.RUNNING)
        .values(state=ProcessState.RETRYING, worker="", wake_at=now, updated_at=at)
    )


def next_wake(connection: Connection) -> float | None:
    """The earliest time at which an instance has to go on; None when none waits."""
    found = [
        connection.execute(
            select(processes.c.wake_at)
            .where(processes.c.state == state, processes.c.wake_at.is_not(None))
            .order_by(processes.c.wake_at)
            .limit(1)
        ).scalar()
        for state in _ASLEEP
    ]
    return min((moment for moment in found if moment is not None), default=None)


def index_keys(connection: Connection, starts: Sequence[Start]) -> None:
    """Note which business keys started which instance."""
    fields = {(key, start.instance.process_id): field for start in starts for field, key in start.keys if key}
    rows = [
        {"key": key, "kind": "process", "ref": process_id, "field": field}
        for (key, process_id), field in fields.items()
    ]
    insert_new(connection, business_keys, rows)


def row_of(process_id: str, step: Step) -> dict[str, Any]:
    return {"process_id": process_id, **msgspec.structs.asdict(step)}


def start_row(instance: Instance) -> dict[str, Any]:
    return msgspec.structs.asdict(instance) | {"updated_at": instance.started_at}


def ended_id(process_id: str) -> str:
    return f"{process_id}:ended"


def end_of(state: str, result: str, cause: str) -> str:
    return msgspec.json.encode({"state": state, "result": result, "cause": cause}).decode()


def _lock(connection: Connection, event_type: str, key: str) -> None:
    """Who waits and who tells must see each other; on SQLite there is one writer at a time anyway.

    Who tells the end of a process has changed its row before.
    """
    if event_type == ENDED:
        connection.execute(
            select(processes.c.process_id).where(processes.c.process_id == key).with_for_update()
        )
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"{event_type}\x1f{key}",)
        )
