"""The unit of work that claims calls: many at once, those that nobody asked for before in one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select

from lineshaft.core.values import OutcomeState
from lineshaft.ledger.audit import Audit, AuditEntry
from lineshaft.ledger.key_index import key_rows
from lineshaft.store.schema import business_keys, calls
from lineshaft.store.statements import change, insert_new, inserted
from lineshaft.store.workers import living_workers

__all__ = ["Asked", "Claim", "claim_together"]


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A call as its row stood when it was claimed.

    actor           who asks now
    claimed_by      who has it now: `<worker>:<epoch>:<claim>`, or only the claim where there is one worker
    keys            (field, business key) pairs of the request
    earlier         state in which an earlier claim left it; None for a first claim
    held_elsewhere  another worker that lives is at work on it: nothing was claimed
    same_payload    false: the key was used with another payload, and nothing was claimed
    reopened        a person decided that it is to be tried again
    reply           JSON of the reply, when it was posted
    """

    call_id: str
    operation: str
    system: str
    actor: str
    idempotency_key: str
    fingerprint: str
    claimed_by: str
    keys: Sequence[tuple[str, str]]
    owner: str
    earlier: OutcomeState | None = None
    held_elsewhere: bool = False
    same_payload: bool = True
    reopened: bool = False
    reply: str = ""
    document: str = ""
    error_code: str = ""
    error: str = ""


class Asked(msgspec.Struct, kw_only=True):
    """One claim that is asked for.

    row     as it is written when nobody asked before
    keys    (field, business key) pairs of the request
    claim   what came of it; kept for a unit that runs again because its commit was not answered
    """

    row: dict[str, Any]
    keys: Sequence[tuple[str, str]]
    claim: Claim | None = None


def claim_together(connection: Connection, asked: Sequence[Asked], audit: Audit, worker: str) -> list[Claim]:
    """Inside a unit of work. worker: our name among the workers, empty where we are the only one."""
    first = {each.row["call_id"]: each for each in reversed(asked)}
    new = inserted(connection, calls, [first[call_id].row for call_id in sorted(first)])  # the same for all
    for call_id in new:
        first[call_id].claim = _claim(first[call_id])
    insert_new(connection, business_keys, key_rows("call", [(each, first[each].keys) for each in new]))
    again = [
        each for each in asked if (call_id := each.row["call_id"]) not in new or first[call_id] is not each
    ]
    if again:
        _claim_again(connection, again, audit, worker)
    return [each.claim for each in asked if each.claim is not None]


def _claim_again(connection: Connection, asked: Sequence[Asked], audit: Audit, worker: str) -> None:
    ids = [each.row["call_id"] for each in asked]
    found = {row.call_id: dict(row._mapping) for row in connection.execute(_FOUND, {"ids": ids})}
    others = {holder for row in found.values() if (holder := _holder(row)) and holder[0] != worker}
    living = others & living_workers(connection) if others else others
    taken: dict[str, dict[str, Any]] = {}
    reopened: list[Asked] = []
    entries: list[AuditEntry] = []
    for each in asked:
        row = found[each.row["call_id"]]
        if row["claimed_by"] == each.row["claimed_by"]:  # a commit of this unit that was not answered
            continue
        before = row["fingerprint"]
        claim = each.claim = _claim(each, row, held_elsewhere=_holder(row) in living)
        if claim.earlier is OutcomeState.POSTED or claim.held_elsewhere or not claim.same_payload:
            continue
        if claim.earlier is OutcomeState.REJECTED and not claim.reopened:
            continue
        decided = each.row["reopened_by"] if claim.reopened else row["reopened_by"]
        taken[claim.call_id] = {name: each.row[name] for name in _TAKEN} | {"reopened_by": decided}
        row |= taken[claim.call_id]
        if claim.reopened:
            reopened.append(each)
            entries.append(_reopened(claim, before))
    change(connection, calls, list(taken.values()))
    insert_new(
        connection, business_keys, key_rows("call", [(each.row["call_id"], each.keys) for each in reopened])
    )
    audit.append(connection, entries)


def _claim(asked: Asked, found: Mapping[str, Any] | None = None, *, held_elsewhere: bool = False) -> Claim:
    row, told = asked.row, found or asked.row
    earlier = OutcomeState(found["state"]) if found else None
    same = told["fingerprint"] == row["fingerprint"]
    # Of what was rejected or failed nothing took effect: only then may the payload be another.
    reopened = row["reopened_by"] not in ("", told["reopened_by"]) and (
        earlier in (OutcomeState.REJECTED, OutcomeState.FAILED) or (earlier is OutcomeState.UNKNOWN and same)
    )
    return Claim(
        call_id=row["call_id"],
        operation=row["operation"],
        system=row["system"],
        actor=row["actor"],
        idempotency_key=row["idempotency_key"],
        fingerprint=row["fingerprint"],
        claimed_by=row["claimed_by"],
        keys=asked.keys,
        owner=told["owner"],
        earlier=earlier,
        held_elsewhere=held_elsewhere,
        same_payload=same or reopened,
        reopened=reopened,
        reply=told.get("reply", ""),
        document=told.get("document", ""),
        error_code=told.get("error_code", ""),
        error=told.get("error", ""),
    )


def _holder(row: Mapping[str, Any]) -> tuple[str, int] | None:
    """Worker and epoch of a call that is under way."""
    parts = row["claimed_by"].rsplit(":", 2)
    return (parts[0], int(parts[1])) if row["state"] == OutcomeState.SENDING and len(parts) == 3 else None


def _reopened(claim: Claim, before: str) -> AuditEntry:
    return AuditEntry(
        actor=claim.actor,
        action="call.reopened",
        subject=claim.call_id,
        detail={
            "operation": claim.operation,
            "system": claim.system,
            "key": claim.idempotency_key,
            "was": claim.earlier,
            "fingerprint_before": before,
            "fingerprint": claim.fingerprint,
        },
    )


_TAKEN = ("call_id", "claimed_by", "state", "fingerprint", "request")
_READ = (
    "call_id",
    "state",
    "fingerprint",
    "claimed_by",
    "reopened_by",
    "owner",
    "reply",
    "document",
    "error_code",
    "error",
)
_FOUND = (
    select(*(calls.c[name] for name in _READ))
    .where(calls.c.call_id.in_(bindparam("ids", expanding=True)))
    .order_by(calls.c.call_id)
    .with_for_update()
)
