"""What the journal, the waits and people's actions have to do, in plain dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lineshaft.processes.records import ENDED, FINISHED, Pending, ProcessState, StepState

__all__ = ["Model"]

_ASLEEP = (ProcessState.WAITING, ProcessState.RETRYING)
_AT_REST = (*_ASLEEP, ProcessState.PARKED)


@dataclass
class Row:
    state: ProcessState
    worker: str = ""
    wanted: str = ""
    due: bool = False
    parent: str = ""


class Model:
    """at: instances by id; waits: event type, key and event, by instance and step."""

    def __init__(self) -> None:
        self.at: dict[str, Row] = {}
        self.waits: dict[tuple[str, str], tuple[str, str, str]] = {}
        self.told: dict[str, tuple[str, str]] = {}  # event id: its type and key, in the order of arrival

    def start(self, process_id: str, worker: str) -> bool:
        begins = process_id not in self.at
        if begins:
            self.at[process_id] = Row(ProcessState.RUNNING, worker)
        return begins

    def key_of(self, event_id: str) -> str:
        return self.told.get(event_id, ("", ""))[1]

    def deliver(self, event_id: str, event_type: str, key: str, worker: str) -> list[str]:
        if event_type != ENDED:
            self.told.setdefault(event_id, (event_type, key))
        for process_id in {process_id for process_id, _ in self.waits}:
            unmet = sorted(
                path
                for (owner, path), wait in self.waits.items()
                if owner == process_id and wait == (event_type, key, "")
            )
            if unmet and event_id not in self._taken(process_id):
                self.waits[process_id, unmet[0]] = (event_type, key, event_id)
                self._wake(process_id, worker)
        return [
            process_id
            for process_id, row in self.at.items()
            if event_id in self._taken(process_id)
            and (row.state, row.worker) == (ProcessState.RUNNING, worker)
        ]

    def suspend(self, process_id: str, worker: str, pending: Sequence[Pending]) -> bool:
        row = self.at[process_id]
        if (row.state, row.worker, row.wanted) != (ProcessState.RUNNING, worker, ""):
            return False
        met = False
        for each in pending:
            here = (process_id, each.step.step)
            if here not in self.waits:
                self.waits[here] = (each.event_type, each.key, self._there(process_id, each))
            met |= bool(self.waits[here][2])
        if not met:
            row.state, row.worker, row.due = ProcessState.WAITING, "", False
        return not met

    def expire(self, process_id: str, path: str, event_type: str, key: str) -> tuple[StepState, str]:
        event_id = self.waits.get((process_id, path), ("", "", ""))[2] or self._oldest(
            process_id, event_type, key
        )
        if event_id:
            self.waits[process_id, path] = (event_type, key, event_id)
            return StepState.DONE, event_id
        self.waits.pop((process_id, path), None)
        return StepState.TIMED_OUT, ""

    def finish(self, process_id: str, worker: str, state: ProcessState, wanted: str) -> list[str]:
        row = self.at[process_id]
        heeded = row.wanted == wanted or (state is ProcessState.COMPLETED and row.wanted != "abort")
        if (row.state, row.worker) != (ProcessState.RUNNING, worker) or not heeded:
            return []
        row.state, row.worker = state, ""
        if state in (ProcessState.ABORTED, ProcessState.CANCELLED):
            for child in self._children(process_id):
                if not child.wanted:
                    child.wanted = "abort" if state is ProcessState.ABORTED else "cancel"
                    self._go_on(child)
        if state is ProcessState.PARKED:
            return []
        return self.deliver(f"{process_id}:ended", ENDED, process_id, worker)

    def claim_due(self, worker: str) -> set[str]:
        due = {process_id for process_id, row in self.at.items() if row.state in _ASLEEP and row.due}
        for process_id in due:
            self._wake(process_id, worker)
        return due

    def take_over(self, dead: str, worker: str) -> None:
        for row in self.at.values():
            if row.state is ProcessState.RUNNING and row.worker == dead:
                row.worker = worker

    def allows(self, process_id: str, what: str) -> bool:
        state = self.at[process_id].state
        if what == "retry":
            return state in (ProcessState.PARKED, ProcessState.RETRYING)
        return state in _AT_REST or (what != "skip" and state is ProcessState.RUNNING)

    def abort(self, process_id: str, wanted: str = "abort") -> None:
        row = self.at[process_id]
        row.wanted = wanted
        self._go_on(row)
        for child_id, child in list(self.at.items()):
            if child.parent == process_id and child.state not in FINISHED:
                self.abort(child_id, wanted)

    def cancel(self, process_id: str) -> None:
        self.abort(process_id, "cancel")

    def terminate(self, process_id: str) -> None:
        row = self.at[process_id]
        row.wanted = "terminate" if row.state is ProcessState.RUNNING else ""
        row.state, row.worker = ProcessState.TERMINATED, ""
        self.deliver(f"{process_id}:ended", ENDED, process_id, "")

    def retry(self, process_id: str) -> None:
        self._go_on(self.at[process_id])

    def skip(self, process_id: str, path: str) -> None:
        del self.waits[process_id, path]
        self._go_on(self.at[process_id])

    def open_waits(self, process_id: str) -> list[str]:
        return sorted(
            path
            for (owner, path), (event_type, _, event_id) in self.waits.items()
            if owner == process_id and not event_id and event_type != ENDED
        )

    def is_there(self, process_id: str) -> bool:
        """What it waits for has come."""
        mine = [wait for (owner, _), wait in self.waits.items() if owner == process_id and not wait[2]]
        return any(
            self.at[key].state in FINISHED
            if event_type == ENDED
            else bool(self._oldest(process_id, event_type, key))
            for event_type, key, _ in mine
        )

    def _there(self, process_id: str, pending: Pending) -> str:
        if pending.event_type != ENDED:
            return self._oldest(process_id, pending.event_type, pending.key)
        child = self.at.setdefault(pending.key, Row(ProcessState.RETRYING, due=True, parent=process_id))
        return f"{pending.key}:ended" if child.state in FINISHED else ""

    def _oldest(self, process_id: str, event_type: str, key: str) -> str:
        taken = self._taken(process_id)
        there = (each for each, of in self.told.items() if of == (event_type, key) and each not in taken)
        return next(there, "")

    def _taken(self, process_id: str) -> set[str]:
        return {wait[2] for (owner, _), wait in self.waits.items() if owner == process_id} - {""}

    def _children(self, process_id: str) -> list[Row]:
        return [row for row in self.at.values() if row.parent == process_id and row.state not in FINISHED]

    def _wake(self, process_id: str, worker: str) -> None:
        row = self.at[process_id]
        if row.state in _ASLEEP:
            row.state, row.worker = ProcessState.RUNNING, worker
            if not worker:
                row.state, row.due = ProcessState.RETRYING, True

    def _go_on(self, row: Row) -> None:
        if row.state is not ProcessState.RUNNING:
            row.state, row.worker, row.due = ProcessState.RETRYING, "", True
