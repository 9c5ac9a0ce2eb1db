"""What the journal holds: an instance, its steps, and what a suspended one waits for."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from lineshaft.store.rows import converter

__all__ = [
    "ENDED",
    "FINISHED",
    "INSTANCE_OF",
    "STEP_OF",
    "Instance",
    "Pending",
    "ProcessState",
    "Start",
    "Step",
    "StepState",
    "in_order",
]


class ProcessState(StrEnum):
    """`running` exactly while a worker has it; in every other state it is rows only, and nobody's."""

    RUNNING = "running"
    WAITING = "waiting"
    RETRYING = "retrying"
    PARKED = "parked"
    COMPLETED = "completed"
    ABORTED = "aborted"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"


FINISHED = (
    ProcessState.COMPLETED,
    ProcessState.ABORTED,
    ProcessState.CANCELLED,
    ProcessState.TERMINATED,
)


class StepState(StrEnum):
    """reopened: a person wants it tried again, whatever came of it before; ref is that decision's id."""

    DONE = "done"
    REJECTED = "rejected"
    RETRYING = "retrying"
    WAITING = "waiting"
    TIMED_OUT = "timed_out"
    FAILED = "failed"
    REOPENED = "reopened"

    @property
    def is_settled(self) -> bool:
        """A replay returns or raises what was recorded."""
        return self in _SETTLED


_SETTLED = (StepState.DONE, StepState.REJECTED, StepState.TIMED_OUT)


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """wanted: what a person asked of it, `abort` or `cancel`; at_step: where it parked."""

    process_id: str
    type: str
    version: int
    business_key: str
    state: ProcessState
    worker: str = ""
    wanted: str = ""
    at_step: str = ""
    parent_id: str = ""
    forked_from: str = ""
    plant: str
    input: str
    correlation_id: str
    causation_id: str
    traceparent: str
    started_at: str
    updated_at: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the journal. input and output are JSON; ref is a call, event or process id.

    step        a path: 3, and for the first step in branch 1 of a gather at 3: 3.1.0
    corrected   what a person had asked instead of the input
    """

    step: str
    kind: str
    name: str
    state: StepState
    input: str
    corrected: str = ""
    output: str = ""
    error: str = ""
    ref: str = ""
    attempts: int = 1
    started_at: str
    finished_at: str = ""


class Start(msgspec.Struct, frozen=True):
    """An instance to be started; keys: field and key, for the index of business keys."""

    instance: Instance
    keys: Sequence[tuple[str, str]]


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A step that an instance is suspended at, and what brings it back: a time, or an event before it.

    child       an instance to be started, whose end is the awaited event
    """

    step: Step
    wake_at: float
    event_type: str = ""
    key: str = ""
    child: Start | None = None


INSTANCE_OF, STEP_OF = converter(Instance), converter(Step)
"""An instance, and a step, out of a plain row."""

ENDED = "lineshaft.process.ended"
"""Type of the signal that tells the end of a process, its key is the process id; never on the backbone."""


def in_order(path: str) -> tuple[tuple[int, str], ...]:
    """Sort key of a step's path: 2 before 10, and an undo after what it undoes."""
    parts = []
    for part in path.split("."):
        number = part.rstrip("u")
        parts.append((int(number) if number.isdigit() else -1, part))
    return tuple(parts)
