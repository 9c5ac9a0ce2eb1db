"""The ledger of transactions: a command is claimed before it is sent, and its outcome is noted once."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Update, bindparam, select, update

from lineshaft.contracts.capability import Operation
from lineshaft.contracts.schema import business_keys as keys_of
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.ids import business_key, new_id
from lineshaft.core.values import Command, Event, OutcomeState, Value
from lineshaft.ledger.key_index import note_business_keys
from lineshaft.store import Outbox, Store
from lineshaft.store.schema import business_keys, calls
from lineshaft.store.statements import inserted

__all__ = ["Claim", "Claims"]


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the ledger as it stood when it was claimed.

    earlier     state in which an earlier claim left it; None for a first claim
    reply       JSON of the reply, when it was posted
    """

    call_id: str
    idempotency_key: str
    fingerprint: str
    earlier: OutcomeState | None
    reply: str = ""
    document: str = ""
    error_code: str = ""
    error: str = ""
    owner: str = ""


class Claims:
    def __init__(self, store: Store, outbox: Outbox, clock: Clock) -> None:
        self._store = store
        self._outbox = outbox
        self._clock = clock

    async def claim(self, command: Command, operation: Operation, system: str) -> Claim:
        """Durable when it returns. An open claim of the same key is taken over, told by `earlier`."""
        key = operation.idempotency_key(command.request, system)
        call_id = business_key("call", key)
        origin = command.origin
        row = {
            "call_id": call_id,
            "operation": operation.name,
            "system": system,
            "idempotency_key": key,
            "fingerprint": operation.fingerprint(command.request),
            "state": OutcomeState.SENDING,
            "plant": origin.plant,
            "actor": origin.actor,
            "owner": operation.owner,
            "correlation_id": origin.correlation_id,
            "causation_id": origin.causation_id,
            "traceparent": origin.traceparent,
            "request": msgspec.json.encode(command.request).decode(),
            "created_at": rfc3339(self._clock.now()),
        }

        token = new_id()
        row["claimed_by"] = token
        before: list[Claim] = []

        def unit(connection: Connection) -> Claim:
            if inserted(connection, calls, row):
                note_business_keys(connection, business_keys, "call", call_id, keys_of(command.request))
                before[:] = [_claim(row, earlier=None)]
                return before[0]
            found = connection.execute(select(calls).where(calls.c.call_id == call_id)).one()
            if found.claimed_by == token:  # a commit of this unit whose answer was lost
                return before[0]
            if found.state == OutcomeState.FAILED and found.fingerprint == row["fingerprint"]:
                connection.execute(
                    update(calls)
                    .where(calls.c.call_id == call_id)
                    .values(state=OutcomeState.SENDING, claimed_by=token)
                )
            before[:] = [_claim(found._mapping, earlier=OutcomeState(found.state))]
            return before[0]

        return await self._store.write(unit)

    async def posted(
        self, claim: Claim, operation: Operation, reply: Value, attempts: int, event: Event | None
    ) -> None:
        """Note the effect with the target's document number; its event leaves by the outbox."""
        document = operation.document_number(reply)
        changes = {
            "state": OutcomeState.POSTED,
            "reply": msgspec.json.encode(reply).decode(),
            "document": document,
            "error": "",
            "error_code": "",
        }

        def unit(connection: Connection) -> None:
            self._note(connection, claim, attempts, changes)
            found = [*keys_of(reply), *([("document", document)] if document else [])]
            note_business_keys(connection, business_keys, "call", claim.call_id, found)
            if event is not None:
                self._outbox.add(connection, event)

        await self._store.write(unit)
        self._outbox.wake()

    async def not_posted(
        self, claim: Claim, state: OutcomeState, attempts: int, code: str, error: str, owner: str = ""
    ) -> None:
        """owner: who decides, where the target named one"""
        changes = {"state": state, "error_code": code, "error": error} | ({"owner": owner} if owner else {})
        await self._store.write(lambda connection: self._note(connection, claim, attempts, changes))

    def _note(self, connection: Connection, claim: Claim, attempts: int, changes: dict[str, Any]) -> None:
        """attempts counts this claim's only: a unit may run twice, so nothing is added to the row."""
        row = {"attempts": attempts, "finished_at": rfc3339(self._clock.now()), **changes}
        connection.execute(_note_once(tuple(row)), row | {"noted": claim.call_id})


@cache
def _note_once(columns: tuple[str, ...]) -> Update:
    """What was posted stays posted."""
    return (
        update(calls)
        .where(calls.c.call_id == bindparam("noted"), calls.c.state != OutcomeState.POSTED)
        .values({name: bindparam(name) for name in columns})
    )


def _claim(row: Any, *, earlier: OutcomeState | None) -> Claim:
    fields = {name: row.get(name, "") for name in Claim.__struct_fields__ if name != "earlier"}
    return Claim(earlier=earlier, **fields)
