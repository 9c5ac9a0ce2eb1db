"""The ledger of transactions: a command is claimed before it is sent, and its outcome is noted once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import msgspec
from sqlalchemy import Connection

from lineshaft.contracts.capability import Operation
from lineshaft.contracts.schema import business_keys as keys_of
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.ids import business_key, new_id
from lineshaft.core.values import Command, Event, OutcomeState, Value
from lineshaft.ledger.audit import Audit, AuditEntry
from lineshaft.ledger.claiming import Asked, Claim, claim_together
from lineshaft.ledger.key_index import key_rows
from lineshaft.store import Outbox, Store, Worker
from lineshaft.store.schema import business_keys, calls
from lineshaft.store.statements import change, insert_new

__all__ = ["Claim", "Claims"]

# What is posted stays posted. Who lost a claim to another cannot say what did not happen, only what did.
_STILL_OPEN = "state <> 'posted' AND (claimed_by = new_claimed_by OR new_state = 'posted')"


class _Note(msgspec.Struct, kw_only=True):
    """What became of a claim. keys: (field, business key) pairs of the reply that the request has not."""

    row: dict[str, Any]
    entry: AuditEntry
    keys: Sequence[tuple[str, str]] = ()
    event: Event | None = None


class Claims:
    """worker: this process among the others on this database; None where it is the only one."""

    def __init__(
        self, store: Store, outbox: Outbox, audit: Audit, clock: Clock, worker: Worker | None = None
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._audit = audit
        self._clock = clock
        self._worker = worker
        self._numbers = count(1)
        self._life = new_id()

    @property
    def may_send(self) -> bool:
        """False when this worker's lease ran out: another may be at work on what it claimed."""
        return self._worker is None or self._worker.holds

    async def claim(self, command: Command, operation: Operation, system: str, *, key: str = "") -> Claim:
        """Durable when it returns.

        key   the idempotency key, where the caller has computed it already
        """
        key = key or operation.idempotency_key(command.request, system)
        origin = command.origin
        asked = Asked(
            row={
                "call_id": business_key("call", key),
                "operation": operation.name,
                "system": system,
                "idempotency_key": key,
                "fingerprint": operation.fingerprint(command.request),
                "state": OutcomeState.SENDING.value,
                "plant": origin.plant,
                "actor": origin.actor,
                "owner": operation.owner,
                "correlation_id": origin.correlation_id,
                "causation_id": origin.causation_id,
                "traceparent": origin.traceparent,
                "request": msgspec.json.encode(command.request).decode(),
                "claimed_by": self._token(),
                "reopened_by": command.reopen,
                "created_at": rfc3339(self._clock.now()),
            },
            keys=tuple(keys_of(command.request)),
        )
        return await self._store.write_together(self._claim_all, asked)

    def _token(self) -> str:
        """`<worker>:<epoch>:<claim>`: who has it, and whether the commit of just this claim was ours."""
        number = f"{self._life}.{next(self._numbers)}"
        return f"{self._worker.name}:{self._worker.epoch}:{number}" if self._worker else number

    def _claim_all(self, connection: Connection, asked: Sequence[Asked]) -> list[Claim]:
        return claim_together(connection, asked, self._audit, self._worker.name if self._worker else "")

    async def posted(
        self, claim: Claim, operation: Operation, reply: Value, attempts: int, event: Event | None
    ) -> None:
        """Note the effect with the target's document number; its event leaves by the outbox."""
        document = operation.document_number(reply)
        asked_with = {key for _, key in claim.keys}
        keys = [pair for pair in keys_of(reply) if pair[1] not in asked_with]
        note = _Note(
            row=self._row(claim, OutcomeState.POSTED, attempts)
            | {"reply": msgspec.json.encode(reply).decode(), "document": document},
            entry=_entry(claim, OutcomeState.POSTED, document=document),
            keys=[*keys, ("document", document)],
            event=event,
        )
        await self._store.write_together(self._note_all, note)
        self._outbox.wake()

    async def not_posted(
        self, claim: Claim, state: OutcomeState, attempts: int, code: str, error: str, owner: str = ""
    ) -> None:
        """owner: who decides, where the target named one"""
        changes = {"error_code": code, "error": error} | ({"owner": owner} if owner else {})
        note = _Note(row=self._row(claim, state, attempts) | changes, entry=_entry(claim, state, code=code))
        await self._store.write_together(self._note_all, note)

    def _row(self, claim: Claim, state: OutcomeState, attempts: int) -> dict[str, Any]:
        """attempts counts this claim's only: a unit may run twice, so nothing is added to the row."""
        return {
            "call_id": claim.call_id,
            "claimed_by": claim.claimed_by,
            "state": state.value,
            "attempts": attempts,
            "reply": "",
            "document": "",
            "error_code": "",
            "error": "",
            "owner": claim.owner,
            "finished_at": rfc3339(self._clock.now()),
        }

    def _note_all(self, connection: Connection, notes: Sequence[_Note]) -> list[None]:
        """A note that changes nothing leaves nothing else: another said before what came of the call."""
        done: list[_Note] = []
        rest = list(notes)
        while rest:  # one round, unless several are of one call
            once = {note.row["call_id"]: note for note in reversed(rest)}
            found = change(connection, calls, [note.row for note in once.values()], only=_STILL_OPEN)
            done += [note for call_id, note in once.items() if call_id in found]
            rest = [note for note in rest if once[note.row["call_id"]] is not note]
        keys = key_rows("call", [(note.row["call_id"], note.keys) for note in done])
        insert_new(connection, business_keys, keys)
        self._outbox.add(connection, [note.event for note in done if note.event is not None])
        self._audit.append(connection, [note.entry for note in done])
        return [None] * len(notes)


def _entry(claim: Claim, state: OutcomeState, **told: str) -> AuditEntry:
    return AuditEntry(
        actor=claim.actor,
        action=f"call.{state.value}",
        subject=claim.call_id,
        detail={
            "operation": claim.operation,
            "system": claim.system,
            "key": claim.idempotency_key,
            "fingerprint": claim.fingerprint,
        }
        | told,
    )
