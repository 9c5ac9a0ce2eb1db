"""A workbench on a real store, with what it sends to replaced by parts that remember."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import insert

from lineshaft.contracts.catalogue import EVENTS, THRESHOLD_EXCEEDED
from lineshaft.core.errors import LineshaftError
from lineshaft.core.exceptions import Chosen
from lineshaft.core.values import Event, ExceptionKind, ExceptionRecord
from lineshaft.ledger import (
    OPERATOR,
    Audit,
    Corrections,
    Desk,
    EventLog,
    ExceptionChanges,
    Redriven,
    Redriving,
    Workbench,
)
from lineshaft.store import Outbox, Store
from lineshaft.store.schema import calls, outbox, processes
from tests.clocks import ManualClock
from tests.facts import AT, breach
from tests.rows import rows

__all__ = ["WHY", "Bench", "dead_event", "parked", "reading"]

WHY = {"by": "anna", "reason": "the sensor was exchanged"}


def dead_event(number: int = 1, data: bytes | None = None, **changes: Any) -> ExceptionRecord:
    """A threshold event that its consumer gave up, by default for its unit."""
    good = THRESHOLD_EXCEEDED.make(
        breach(), plant="NSP", source="/acme/NSP/telemetry/main", identity=(str(number),), time=AT
    )
    payload = good.data.replace(b'"BAR"', b"7") if data is None else data
    event = msgspec.structs.replace(good, data=payload)
    fields: dict[str, Any] = {
        "kind": ExceptionKind.CONTRACT_VIOLATION,
        "plant": "NSP",
        "source": f"processes of {event.type}",
        "owner": "plant-engineering",
        "cause": "unit: 7 is not of type 'string'",
        "payload": payload,
        "ref": event.id,
        "correlation_id": event.correlationid,
        "event": event,
    }
    return ExceptionRecord(**fields | changes)


def reading(topic: str = "plant/nsp/filler-2/p", ref: str = "LS_RAW:7", **changes: Any) -> ExceptionRecord:
    fields: dict[str, Any] = {
        "kind": ExceptionKind.MALFORMED_READING,
        "plant": "NSP",
        "source": topic,
        "owner": "plant-engineering",
        "cause": "value is no number",
        "payload": b'{"value": "high"}',
        "ref": ref,
        "topic": topic,
    }
    return ExceptionRecord(**fields | changes)


def parked(process_id: str = "p1", **changes: Any) -> ExceptionRecord:
    fields: dict[str, Any] = {
        "kind": ExceptionKind.BUSINESS_FAULT,
        "plant": "NSP",
        "source": "process repair PUMP-7",
        "owner": "maintenance",
        "cause": "closed period",
        "payload": b'{"amount": 1}',
        "ref": process_id,
        "correlation_id": "story-1",
    }
    return ExceptionRecord(**fields | changes)


class Hook:
    """Implements core.ports.Webhook for bodies that are the event's data."""

    def translate(self, hook: str, headers: Mapping[str, str], body: bytes) -> Sequence[Event]:
        raise AssertionError("a corrected body has no signature")

    def reread(self, hook: str, body: bytes) -> Sequence[Event]:
        if body == b"{}":
            return []
        data = THRESHOLD_EXCEEDED.schema.decode(body)
        made = THRESHOLD_EXCEEDED.make(
            data, plant="NSP", source="/acme/NSP/cmms/main", identity=(hook,), time=AT
        )
        return [made]

    def owner(self, hook: str) -> str:
        return "maintenance"


class ParkedProcesses:
    """Implements core.ports.ProcessActions; `away` is raised instead, `wrong` is found in a correction."""

    def __init__(self) -> None:
        self.retried: list[str] = []
        self.corrected: list[tuple[str, bytes]] = []
        self.away: LineshaftError | None = None
        self.wrong: list[str] = []

    async def retry(self, process_id: str, *, by: str, reason: str) -> None:
        if self.away is not None:
            raise self.away
        self.retried.append(process_id)

    async def correct(
        self, process_id: str, payload: bytes, *, by: str, reason: str, dry_run: bool
    ) -> list[str]:
        if self.away is not None:
            raise self.away
        if not dry_run and not self.wrong:
            self.corrected.append((process_id, payload))
        return self.wrong


class Topics:
    """Implements core.ports.RawDestination; `reports` is told to the desk before the position is known."""

    def __init__(self, desk: Desk) -> None:
        self.published: list[tuple[str, bytes]] = []
        self.reports: ExceptionRecord | None = None
        self.taken_in = True
        self._desk = desk

    async def publish(self, topic: str, payload: bytes) -> str:
        self.published.append((topic, payload))
        position = f"LS_RAW:{100 + len(self.published)}"
        if self.reports is not None:
            await self._desk.report([msgspec.structs.replace(self.reports, ref=position)])
        return position

    async def is_taken_in(self, position: str) -> bool:
        return self.taken_in


class Bench:
    def __init__(self, store: Store, *, taken_in: Sequence[str] = (THRESHOLD_EXCEEDED.type,)) -> None:
        self.store = store
        self.clock = ManualClock(tick_s=1)
        self.desk = Desk(store, self.clock)
        self.log = EventLog(store, EVENTS, self.clock)
        self.processes = ParkedProcesses()
        self.topics = Topics(self.desk)
        self.under_its_key: list[str] = []
        changes = ExceptionChanges(store, Outbox(store), Audit(OPERATOR, self.clock), self.clock)
        corrections = Corrections(EVENTS, {"cmms": Hook()})
        self.redriving = Redriving(
            store,
            changes,
            corrections,
            self.processes,
            self.topics,
            taken_in=frozenset(taken_in),
            started_by=lambda event_type, payload: self.under_its_key,
            telemetry_since=lambda: "2026-03-02T06:00:00.500000Z",
        )
        self.work = Workbench(store, changes, corrections, self.processes, self.redriving)

    async def one(self) -> str:
        """The id of the only exception there is."""
        (row,) = await self.work.listing(Chosen(state=""), 10)
        return str(row["exception_id"])

    async def state(self) -> str:
        (row,) = await self.work.listing(Chosen(state=""), 10)
        return str(row["state"])

    async def redrive(self, *ids: str, **more: Any) -> list[Redriven]:
        chosen = Chosen(ids=ids) if ids else Chosen()
        return await self.work.redrive(chosen, **({"wait_s": 0.0} | WHY | more))

    async def sent(self) -> list[Event]:
        """What is on its way to the backbone."""
        return [msgspec.json.decode(row["event"], type=Event) for row in await rows(self.store, outbox)]

    async def process(self, process_id: str = "p1", *, state: str, **columns: Any) -> None:
        row = {
            "process_id": process_id,
            "type": "repair",
            "version": 1,
            "business_key": "PUMP-7",
            "state": state,
            "correlation_id": "story-1",
            "finished_at": "2026-03-02T07:00:00.000000Z" if state == "completed" else "",
        }
        await self.store.write(
            lambda connection: connection.execute(insert(processes).values(row | columns)) and None
        )

    async def call(self, call_id: str = "c1", *, state: str = "posted", document: str = "D-1") -> None:
        row = {
            "call_id": call_id,
            "idempotency_key": call_id,
            "operation": "maintenance.create_request",
            "system": "cmms",
            "state": state,
            "document": document,
            "correlation_id": "story-1",
        }
        await self.store.write(lambda connection: connection.execute(insert(calls).values(row)) and None)
