"""The journal of process instances in the store. Each function is one unit of work, safe to run twice."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, select, update

from lineshaft.store.schema import business_keys, process_steps, process_waits, processes, signals
from lineshaft.store.statements import insert_new, inserted, put, set_columns

__all__ = [
    "Instance",
    "ProcessState",
    "Step",
    "StepState",
    "deliver",
    "due",
    "interrupted",
    "load",
    "next_wake",
    "record",
    "set_state",
    "start",
    "wait",
]


class ProcessState(StrEnum):
    RUNNING = "running"
    WAITING = "waiting"
    RETRYING = "retrying"
    PARKED = "parked"
    COMPLETED = "completed"


class StepState(StrEnum):
    DONE = "done"
    REJECTED = "rejected"
    RETRYING = "retrying"
    WAITING = "waiting"
    TIMED_OUT = "timed_out"
    FAILED = "failed"


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    process_id: str
    type: str
    version: int
    business_key: str
    state: ProcessState
    plant: str
    input: str
    correlation_id: str
    causation_id: str
    traceparent: str
    started_at: str
    wake_at: float | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the journal. input and output are JSON; ref is a call or event id."""

    step: int
    kind: str
    name: str
    state: StepState
    input: str
    output: str = ""
    error: str = ""
    ref: str = ""
    attempts: int = 1
    started_at: str
    finished_at: str = ""


def start(connection: Connection, instance: Instance, keys: Sequence[tuple[str, str]]) -> bool:
    """True when this business key starts now, False when it had started before."""
    row = msgspec.structs.asdict(instance) | {"updated_at": instance.started_at}
    begun = inserted(connection, processes, row)
    if begun:
        keyed = {"kind": "process", "ref": instance.process_id}
        insert_new(connection, business_keys, [keyed | {"key": key, "field": field} for field, key in keys])
    return begun


def load(connection: Connection, process_id: str) -> tuple[Instance, list[Step]]:
    row = connection.execute(select(processes).where(processes.c.process_id == process_id)).one()
    steps = connection.execute(
        select(process_steps).where(process_steps.c.process_id == process_id).order_by(process_steps.c.step)
    )
    return (
        msgspec.convert(_plain(row), Instance),
        [msgspec.convert(_plain(step), Step) for step in steps],
    )


def record(connection: Connection, process_id: str, step: Step) -> None:
    """Write a step, over an earlier unfinished state of the same step."""
    put(connection, process_steps, {"process_id": process_id, **msgspec.structs.asdict(step)})


def set_state(connection: Connection, process_id: str, state: ProcessState, at: str, **changes: Any) -> None:
    changes.setdefault("wake_at", None)
    set_columns(connection, processes, process_id, {"state": state, "updated_at": at, **changes})


def wait(
    connection: Connection, process_id: str, step: Step, event_type: str, key: str, wake_at: float, at: str
) -> Step:
    """The step as it is left: done by a signal that is there already, or as it came, waiting or timed out."""
    here = (process_waits.c.process_id == process_id) & (process_waits.c.step == step.step)
    if connection.execute(select(process_waits.c.event_id).where(here)).scalar():
        return _recorded(connection, process_id, step.step)  # delivered since the journal was loaded
    signal = _signal(connection, process_id, event_type, key)
    if signal is None and step.state is StepState.TIMED_OUT:
        connection.execute(delete(process_waits).where(here))  # a late event must not find it
        set_state(connection, process_id, ProcessState.RUNNING, at)
        record(connection, process_id, step)
        return step
    event_id = signal.event_id if signal else ""
    waiting = {"process_id": process_id, "step": step.step, "event_type": event_type, "key": key}
    put(connection, process_waits, waiting | {"event_id": event_id})
    if signal:
        step = msgspec.structs.replace(
            step, state=StepState.DONE, output=signal.data, ref=event_id, finished_at=at
        )
        set_state(connection, process_id, ProcessState.RUNNING, at)
    else:
        set_state(connection, process_id, ProcessState.WAITING, at, wake_at=wake_at)
    record(connection, process_id, step)
    return step


def _signal(connection: Connection, process_id: str, event_type: str, key: str) -> Any:
    """The oldest signal that this instance has not taken."""
    taken = select(process_waits.c.event_id).where(process_waits.c.process_id == process_id)
    return connection.execute(
        select(signals)
        .where(signals.c.event_type == event_type, signals.c.key == key, signals.c.event_id.not_in(taken))
        .order_by(signals.c.received_at, signals.c.event_id)
        .limit(1)
    ).first()


def _recorded(connection: Connection, process_id: str, number: int) -> Step:
    row = connection.execute(
        select(process_steps).where(process_steps.c.process_id == process_id, process_steps.c.step == number)
    ).one()
    return msgspec.convert(_plain(row), Step)


def deliver(
    connection: Connection, event_id: str, event_type: str, key: str, data: str, at: str
) -> list[str]:
    """Keep an event for those who wait for it now or later; returns the instances that it wakes.

    Delivered again, it names those that still have to run on: the first time may not have come to wake them.
    """
    signal = {"event_id": event_id, "event_type": event_type, "key": key, "data": data, "received_at": at}
    insert_new(connection, signals, [signal])
    again = select(process_waits.c.process_id).where(process_waits.c.event_id == event_id)
    woken = connection.execute(
        select(process_waits.c.process_id, process_waits.c.step).where(
            process_waits.c.event_type == event_type,
            process_waits.c.key == key,
            process_waits.c.event_id == "",
            process_waits.c.process_id.not_in(again),
        )
    ).all()
    for process_id, step in woken:
        here = (process_waits.c.process_id == process_id) & (process_waits.c.step == step)
        connection.execute(update(process_waits).where(here).values(event_id=event_id))
        connection.execute(
            update(process_steps)
            .where(process_steps.c.process_id == process_id, process_steps.c.step == step)
            .values(state=StepState.DONE, output=data, ref=event_id, finished_at=at)
        )
        connection.execute(
            update(processes)
            .where(processes.c.process_id == process_id, processes.c.state == ProcessState.WAITING)
            .values(state=ProcessState.RUNNING, wake_at=None, updated_at=at)
        )
    return list(
        connection.execute(
            select(processes.c.process_id).where(
                processes.c.process_id.in_(again), processes.c.state == ProcessState.RUNNING
            )
        ).scalars()
    )


def due(connection: Connection, now: float) -> list[str]:
    """Instances whose time has come."""
    return list(
        connection.execute(
            select(processes.c.process_id).where(
                processes.c.state.in_([ProcessState.WAITING, ProcessState.RETRYING]),
                processes.c.wake_at <= now,
            )
        ).scalars()
    )


def next_wake(connection: Connection) -> float | None:
    found: float | None = connection.execute(
        select(func.min(processes.c.wake_at)).where(
            processes.c.state.in_([ProcessState.WAITING, ProcessState.RETRYING])
        )
    ).scalar_one()
    return found


def interrupted(connection: Connection) -> list[str]:
    """Instances that were running when the product stopped."""
    return list(
        connection.execute(
            select(processes.c.process_id).where(processes.c.state == ProcessState.RUNNING)
        ).scalars()
    )


def _plain(row: Row[Any]) -> dict[str, Any]:
    """Column names as plain text; SQLAlchemy's own name type is a subclass that msgspec refuses."""
    return {str(name): value for name, value in row._mapping.items()}
