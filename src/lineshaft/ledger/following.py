"""What became of a redrive: the processes that took it in, and the documents that their calls posted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, or_, select

from lineshaft.core.exceptions import ExceptionState
from lineshaft.core.subscriptions import DeliveryState
from lineshaft.core.values import OutcomeState
from lineshaft.ledger.corrections import Carrier, carrier_of
from lineshaft.ledger.exception_rows import ExceptionRow
from lineshaft.store.schema import calls, deliveries, events, exceptions, process_waits, processes, signals

__all__ = ["Document", "Followed", "Verdict", "follow"]

_PARKED, _WAITING = "parked", "waiting"


class Verdict(StrEnum):
    WOULD = "would be redriven"
    REFUSED = "refused"
    POSTED = "posted"
    WAITING = "waiting"
    FAILED = "failed again"


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One effect in a target system; number is empty where the system gives none."""

    system: str
    operation: str
    number: str


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    verdict: Verdict
    detail: str
    documents: list[Document] = []


def follow(
    connection: Connection,
    row: ExceptionRow,
    taken_in: frozenset[str],
    started_by: Callable[[str, bytes], Sequence[str]],
) -> Followed:
    """Of an exception that was redriven; its `row` as it is now. Of a reading only telemetry knows more.

    taken_in    the event types that processes take in
    started_by  the ids of the instances that an event of this type and payload starts, or has started before
    """
    if row.state is ExceptionState.OPEN:
        return Followed(verdict=Verdict.FAILED, detail=row.cause)
    found = _found(connection, row, taken_in, started_by)
    if row.state is not ExceptionState.REDRIVEN:  # that was found out before
        found = msgspec.structs.replace(found, verdict=Verdict.POSTED, detail=f"it is {row.state}")
    return found


def _found(
    connection: Connection,
    row: ExceptionRow,
    taken_in: frozenset[str],
    started_by: Callable[[str, bytes], Sequence[str]],
) -> Followed:
    match carrier_of(row):
        case Carrier.READING:
            return Followed(verdict=Verdict.WAITING, detail="telemetry has not come to it yet")
        case Carrier.DELIVERY:
            return _delivery(connection, row.ref)
        case Carrier.PROCESS:
            instances = _instances(connection, processes.c.process_id == row.ref)
        case _:
            instances = _takers(connection, row.redrive_ref, started_by)
    if not instances:
        return _event(connection, row.redrive_ref, taken_in)
    return _ended(connection, instances, row.exception_id)


def _delivery(connection: Connection, delivery_id: str) -> Followed:
    asked = select(deliveries.c.state, deliveries.c.error).where(deliveries.c.delivery_id == delivery_id)
    found = connection.execute(asked).first()
    if found is None or found.state in (DeliveryState.DELIVERED, DeliveryState.DROPPED):
        return Followed(verdict=Verdict.POSTED, detail="it was delivered, or need not be any more")
    if found.state == DeliveryState.FAILED:
        return Followed(verdict=Verdict.FAILED, detail=found.error)
    return Followed(verdict=Verdict.WAITING, detail=f"it is being tried; last: {found.error or 'not yet'}")


def _event(connection: Connection, event_id: str, taken_in: frozenset[str]) -> Followed:
    """One that no instance has taken."""
    found = connection.execute(select(events.c.type).where(events.c.event_id == event_id)).scalar()
    if found is None:
        return Followed(verdict=Verdict.WAITING, detail="the event is on its way")
    if found not in taken_in:
        return Followed(verdict=Verdict.POSTED, detail="the event is recorded; no process takes it in")
    kept = select(signals.c.event_id).where(signals.c.event_id == event_id)
    if connection.execute(kept).first() is not None:
        return Followed(verdict=Verdict.WAITING, detail="the event is kept for a process that waits for it")
    return Followed(verdict=Verdict.WAITING, detail="no process has taken the event in yet")


def _instances(connection: Connection, condition: Any) -> Sequence[Any]:
    return connection.execute(select(processes).where(condition)).all()


def _takers(
    connection: Connection, event_id: str, started_by: Callable[[str, bytes], Sequence[str]]
) -> Sequence[Any]:
    """Those that the event started or woke; else those that had ended before under its business key.

    The latter start nothing anew, but only once it has come: while it is on its way, nobody has taken it.
    """
    woken = select(process_waits.c.process_id).where(process_waits.c.event_id == event_id)
    taken = or_(processes.c.causation_id == event_id, processes.c.process_id.in_(woken))
    if found := _instances(connection, taken):
        return found
    event = connection.execute(
        select(events.c.type, events.c.data).where(events.c.event_id == event_id)
    ).first()
    if event is None:
        return []
    same = processes.c.process_id.in_(started_by(event.type, event.data.encode()))
    return _instances(connection, and_(same, processes.c.finished_at != ""))


def _ended(connection: Connection, instances: Sequence[Any], exception_id: str) -> Followed:
    """Posted when each has ended, or waits for more and all that it asked for so far has its effect.

    exception_id  of the redrive: a process that parks again has the same one open, with its new cause
    """
    stories = {instance.correlation_id for instance in instances}
    made = connection.execute(
        select(calls).where(calls.c.correlation_id.in_(stories)).order_by(calls.c.created_at)
    ).all()
    documents = [
        Document(system=call.system, operation=call.operation, number=call.document)
        for call in made
        if call.state == OutcomeState.POSTED
    ]
    effects_are_known = all(call.state not in (OutcomeState.SENDING, OutcomeState.UNKNOWN) for call in made)
    for instance in instances:
        if instance.state == _PARKED:
            desk = _open_exception(connection, instance.process_id)
            again = f"{_name(instance)} is parked: {instance.cause}{f' (exception {desk})' if desk else ''}"
            detail = instance.cause if desk == exception_id else again
            return Followed(verdict=Verdict.FAILED, detail=detail, documents=documents)
    settled = all(
        instance.finished_at or (instance.state == _WAITING and documents and effects_are_known)
        for instance in instances
    )
    return Followed(
        verdict=Verdict.POSTED if settled else Verdict.WAITING,
        detail="; ".join(f"{_name(instance)} is {instance.state}" for instance in instances),
        documents=documents,
    )


def _name(instance: Any) -> str:
    return f"{instance.type} {instance.business_key}"


def _open_exception(connection: Connection, process_id: str) -> str:
    return (
        connection.execute(
            select(exceptions.c.exception_id).where(
                exceptions.c.ref == process_id, exceptions.c.state == ExceptionState.OPEN
            )
        ).scalar()
        or ""
    )
