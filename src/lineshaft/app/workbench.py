"""The exceptions workbench, wired: inside a node, and for the command line beside a node that runs or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy import Connection as Database

from lineshaft.app.node_connection import connect_to_node
from lineshaft.app.plant_data import PlantData, read_plant
from lineshaft.backbone import Connection, Publisher, RawAgain
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.core.clock import Clock, SystemClock, rfc3339
from lineshaft.core.errors import TransientFault
from lineshaft.core.ports import RawDestination, Webhook
from lineshaft.ledger import (
    OPERATOR,
    Audit,
    AuditEntry,
    Corrections,
    ExceptionChanges,
    Redriving,
    Workbench,
)
from lineshaft.processes.actions import PAST, Action, Actions
from lineshaft.processes.definition import ProcessDefinition, starters, with_children
from lineshaft.store import Outbox, Store

__all__ = [
    "keep_settling",
    "make_workbench",
    "note_action",
    "open_workbench",
    "tags_read_at",
    "webhooks_of",
]

_LOG = structlog.get_logger(__name__)
_SETTLE_EVERY_S = 5.0


def webhooks_of(plant: PlantData) -> dict[str, Webhook]:
    """The systems that may call us, by name."""
    return {
        system.name: system.connector  # type: ignore[misc]
        for system in plant.systems
        if callable(getattr(system.connector, "translate", None))
    }


def note_action(audit: Audit) -> Callable[[Database, Action], None]:
    """What people do to processes goes into the audit as `process.<past verb>`."""

    def note(connection: Database, action: Action) -> None:
        entry = AuditEntry(
            entry_id=action.action_id,
            actor=action.actor,
            action=f"process.{PAST[action.action]}",
            subject=action.process_id,
            detail={"step": action.step, **action.detail},
            reason=action.reason,
        )
        audit.append(connection, [entry])

    return note


def instances_started(definitions: Sequence[ProcessDefinition]) -> Callable[[str, bytes], list[str]]:
    """Tells of an event's type and payload the ids of the instances that it starts, or has started before."""
    starts = starters(definitions)

    def started_by(event_type: str, payload: bytes) -> list[str]:
        found = []
        for definition in starts.get(event_type, ()):
            try:
                key = definition.key(definition.input_schema.decode(payload))
            except Exception as error:  # a key is a process's own code; its consumer fails and reports alike
                _LOG.debug("exceptions.no_key", process=definition.name, reason=str(error))
            else:
                found.append(definition.instance_id(key))
        return found

    return started_by


def tags_read_at(plant: PlantData, started: Path) -> str:
    """When telemetry last read its tag list, as text of the store; empty: it does not run.

    started   a file that the node writes at its start; later, telemetry reads the tag list when that changes
    """
    telemetry = plant.settings.telemetry
    if telemetry is None or not started.exists():
        return ""
    tags = plant.path.parent / telemetry.tags
    changed = [file.stat().st_mtime for file in (started, tags) if file.exists()]
    return rfc3339(datetime.fromtimestamp(max(changed), UTC))


def make_workbench(
    plant: PlantData,
    store: Store,
    outbox: Outbox,
    audit: Audit,
    readings: RawDestination,
    clock: Clock,
    *,
    telemetry_since: Callable[[], str],
) -> tuple[Workbench, Redriving]:
    """telemetry_since: see `tags_read_at`"""
    changes = ExceptionChanges(store, outbox, audit, clock)
    corrections = Corrections(EVENTS, webhooks_of(plant))
    actions = Actions(store, plant.processes, note_action(audit), clock, zone=plant.settings.zone)
    taken_in = frozenset(
        contract.type
        for definition in with_children(plant.processes)
        for contract in (definition.starts_on, *definition.waits_on)
        if contract is not None
    )
    redriving = Redriving(
        store,
        changes,
        corrections,
        actions,
        readings,
        taken_in=taken_in,
        started_by=instances_started(plant.processes),
        telemetry_since=telemetry_since,
    )
    return Workbench(store, changes, corrections, actions, redriving), redriving


async def keep_settling(redriving: Redriving) -> None:
    """Close what was redriven and has come to its end, until cancelled."""
    while True:
        try:
            await redriving.settle()
        except TransientFault as fault:
            _LOG.warning("workbench.waiting", reason=str(fault))
        await asyncio.sleep(_SETTLE_EVERY_S)


@asynccontextmanager
async def open_workbench(path: Path, *, sends: bool) -> AsyncIterator[Workbench]:
    """For the command line, on the settings at `path`. sends: it needs the backbone of a node that runs.

    raises  ConfigError; TransientFault when the database, or the node, does not answer
    """
    clock = SystemClock()
    plant = read_plant(path, clock)
    address = plant.data_dir / "node.json"
    async with AsyncExitStack() as stack:
        store = Store.open(plant.store_url)
        stack.push_async_callback(store.close)
        outbox = Outbox(store)
        readings: RawDestination = _NoNode()
        if sends:
            connection = await _connect(plant)
            stack.push_async_callback(connection.close)
            publisher = Publisher(connection)
            stack.push_async_callback(publisher.close)
            await stack.enter_async_context(_in_background(outbox, publisher))
            readings = RawAgain(connection)
        workbench, _ = make_workbench(
            plant,
            store,
            outbox,
            Audit(OPERATOR, clock),
            readings,
            clock,
            telemetry_since=lambda: tags_read_at(plant, address),
        )
        yield workbench


async def _connect(plant: PlantData) -> Connection:
    try:
        return await connect_to_node(plant.settings.backbone, plant.data_dir)
    except TransientFault as fault:
        raise TransientFault(
            f"nothing can be redriven: {fault.message}",
            code="node_down",
            hint="start it with `lineshaft run`; list, show, fix, discard and --dry-run work without it",
        ) from fault


@asynccontextmanager
async def _in_background(outbox: Outbox, publisher: Publisher) -> AsyncIterator[None]:
    sending = asyncio.create_task(outbox.run(publisher))
    try:
        yield
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


class _NoNode:
    """Implements core.ports.RawDestination where nothing is sent."""

    async def publish(self, topic: str, payload: bytes) -> str:
        raise TransientFault(f"{topic}: no node runs", code="node_down", hint="start it with `lineshaft run`")

    async def is_taken_in(self, position: str) -> bool:
        return False
