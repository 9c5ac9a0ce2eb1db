"""A replay without effects: does a recorded history fit a process function?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Never
from zoneinfo import ZoneInfo

import msgspec

from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import ContractViolation, LineshaftError, PermanentFault, TransientFault
from lineshaft.core.values import Command, Event
from lineshaft.processes.context import Context
from lineshaft.processes.definition import ProcessDefinition
from lineshaft.processes.records import Instance, Step
from lineshaft.processes.stops import Park, Stopped, Unwind

__all__ = ["rehearse"]

_REHEARSE = "rehearse"


async def rehearse(
    definition: ProcessDefinition, instance: Instance, steps: Sequence[Step], zone: ZoneInfo
) -> str:
    """Replay up to the first step that has no outcome; empty when every recorded step was asked for again,
    as it was recorded, else what does not fit.
    """
    trial = msgspec.structs.replace(instance, wanted=_REHEARSE)
    nowhere = _Nowhere()
    context = Context(trial, steps, definition, nowhere, nowhere, SystemClock(), zone=zone, source="")
    try:
        value = definition.input_schema.decode(instance.input.encode())
        await definition.run(context, value)
    except ContractViolation as violation:
        return str(violation)
    except Unwind:
        pass
    except Park as parked:
        return str(parked.fault)
    except Stopped as stopped:
        return f"the replay stopped: {stopped}"
    except LineshaftError:
        pass  # it ends with the fault that is recorded
    except Exception as error:
        return f"{definition} failed in the replay: {error!r}"
    if unasked := context.unasked():
        return (
            f"{definition} does not ask for the recorded step {unasked.step} ({unasked.kind} {unasked.name})"
        )
    return ""


class _Nowhere:
    """Implements context.Journal and core.ports.CallPort for one that comes to neither."""

    async def call(self, command: Command) -> Never:
        raise PermanentFault(f"the replay asked for {command.operation}")

    async def save(self, steps: Sequence[Step], events: Sequence[Event]) -> Never:
        raise PermanentFault("the replay has something to save")

    async def expire(self, step: Step, event_type: str, key: str) -> Never:
        raise PermanentFault(f"the replay waits for {event_type}")

    def retry_at(self, step: Step, fault: TransientFault) -> Never:
        raise PermanentFault("the replay retries")
