"""How an exception can be put right: what carried it, the event that follows it, and edits of its payload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from lineshaft.contracts.event import EventContract
from lineshaft.core.errors import ContractViolation, LineshaftError, PermanentFault
from lineshaft.core.ids import business_key
from lineshaft.core.ports import Webhook
from lineshaft.core.values import Event
from lineshaft.ledger.exception_rows import ExceptionRow
from lineshaft.store.schema import process_steps, processes

__all__ = ["Carrier", "Corrections", "carrier_of", "what_parked", "with_values"]

_HOOK_PARTS = 4


class Carrier(StrEnum):
    """What brought the payload, and with it what a redrive does."""

    EVENT = "event"
    WEBHOOK = "webhook"
    READING = "reading"
    PROCESS = "process"
    DELIVERY = "delivery"
    NOTHING = "nothing"


def carrier_of(row: ExceptionRow) -> Carrier:
    if row.envelope.event is not None:
        return Carrier.EVENT
    if row.envelope.topic:
        return Carrier.READING
    if row.source.startswith("/webhooks/") and row.source.count("/") == _HOOK_PARTS - 1:
        return Carrier.WEBHOOK
    if row.source.startswith("subscription "):
        return Carrier.DELIVERY
    return Carrier.PROCESS if row.source.startswith("process ") else Carrier.NOTHING


def what_parked(connection: Connection, process_id: str) -> bytes:
    """The request of the call at which a process parked, else its input; empty for no such process."""
    instance = connection.execute(select(processes).where(processes.c.process_id == process_id)).first()
    if instance is None:
        return b""
    step = connection.execute(
        select(process_steps).where(
            process_steps.c.process_id == process_id,
            process_steps.c.step == instance.at_step,
            process_steps.c.kind == "call",
        )
    ).first()
    text: str = (step.corrected or step.input) if step is not None else instance.input
    return text.encode()


class Corrections:
    def __init__(self, contracts: Mapping[str, EventContract[Any]], webhooks: Mapping[str, Webhook]) -> None:
        self._contracts = contracts
        self._webhooks = webhooks

    def findings(self, row: ExceptionRow, payload: bytes) -> list[str]:
        """What is wrong with this payload by the contract of what carried it; telemetry's has none."""
        if carrier_of(row) is Carrier.DELIVERY and payload != row.payload:
            return ["(root): an event is told as it was; have what told it tell another one"]
        try:
            if carrier_of(row) in (Carrier.EVENT, Carrier.WEBHOOK):
                self.events(row, payload)
        except ContractViolation as violation:
            return violation.findings or [violation.message]
        except LineshaftError as fault:
            return [str(fault)]
        return []

    def events(self, row: ExceptionRow, payload: bytes) -> list[Event]:
        """What a redrive publishes: caused by the exception, in its story.

        An event has an id of its own for each revision and redrive, and its subject follows the payload. What
        a webhook's body tells has the id that the body gives it, however often it is told.

        raises  ContractViolation, PermanentFault
        """
        if row.envelope.event is not None:
            return [self._event(row, row.envelope.event, payload)]
        _, _, system, hook = row.source.split("/")
        webhook = self._webhooks.get(system)
        if webhook is None:
            raise PermanentFault(
                f"no system {system!r} sends webhooks here any more",
                hint="connect it under `systems`, or discard the exception",
            )
        caused = {"causationid": row.exception_id}
        return [msgspec.structs.replace(event, **caused) for event in webhook.reread(hook, payload)]

    def _event(self, row: ExceptionRow, original: Event, payload: bytes) -> Event:
        contract = self._contracts.get(original.type)
        if contract is None:
            raise PermanentFault(
                f"no contract of this version declares {original.type}",
                hint="run the version that has it, or discard the exception",
            )
        data = contract.schema.decode(payload)
        return msgspec.structs.replace(
            original,
            id=business_key("redrive", row.exception_id, str(row.revision), str(row.redrives + 1)),
            subject=contract.subject(data),
            partitionkey=contract.partition(data),
            correlationid=original.correlationid or original.id,
            causationid=row.exception_id,
            data=payload,
        )


def with_values(payload: bytes, changes: Sequence[str]) -> bytes:
    """The JSON payload with each `path=value` set; a path is member names and list positions, `a.0.b`.

    A value is JSON, and plain text where it is none.

    raises  ContractViolation naming the change that cannot be made
    """
    try:
        document = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ContractViolation(
            f"the payload is no JSON: {error}", hint="give a whole one with --payload"
        ) from error
    for change in changes:
        path, equals, text = change.partition("=")
        if not equals or not path:
            raise ContractViolation(f"{change!r} changes nothing", hint="write path=value")
        _set(document, path, _value(text))
    return msgspec.json.encode(document)


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text


def _set(document: Any, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    place = document
    for depth, part in enumerate(parents, 1):
        key = _key(place, part, path)
        try:
            place = place[key]
        except (KeyError, IndexError):
            raise ContractViolation(
                f"{path}: the payload has no {'.'.join(parents[:depth])}", hint="set the whole of it as JSON"
            ) from None
    key = _key(place, last, path)
    if isinstance(place, list) and key == len(place):
        place.append(value)
        return
    try:
        place[key] = value
    except IndexError:
        raise ContractViolation(
            f"{path}: the list has {len(place)} items", hint="positions count from 0"
        ) from None


def _key(place: Any, part: str, path: str) -> Any:
    if isinstance(place, dict):
        return part
    if isinstance(place, list) and part.isdigit():
        return int(part)
    raise ContractViolation(f"{path}: {part!r} cannot be reached in {type(place).__name__}")
