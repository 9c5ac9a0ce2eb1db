"""The audit: who did what, to what, and why, in hash chains that are only ever added to.

Each writer (a node, or the people at the command line) has a chain of its own, so that several nodes on one
database do not wait for each other. A row's hash covers its fields and the hash of the row before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select

from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.errors import PermanentFault
from lineshaft.core.ids import new_id
from lineshaft.store.schema import audit, audit_heads
from lineshaft.store.statements import insert_all, insert_new, put

__all__ = ["FIRST", "HASHED", "OPERATOR", "Audit", "AuditEntry", "hash_of", "must_have_reason"]

OPERATOR = "operator"
"""The chain of people at the command line."""

FIRST = ""
"""What the first row of a chain has as the hash before it."""

HASHED = (
    "chain",
    "seq",
    "entry_id",
    "at",
    "actor",
    "action",
    "subject",
    "detail",
    "reason",
    "prev_hash",
)
_LONGEST_SUBJECT = 200


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done. Make it outside of the unit of work: run again, that knows it by its id.

    actor     a person's login, or the process or node that acted
    action    `<thing>.<past verb>`, e.g. `call.posted`, `exception.discarded`
    subject   id of the call, exception or process
    detail    what else is worth knowing, as JSON
    """

    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any] = {}
    reason: str = ""
    entry_id: str = msgspec.field(default_factory=new_id)


class Audit:
    """chain: the writer's name, at most 100 characters."""

    def __init__(self, chain: str, clock: Clock) -> None:
        self.chain = chain
        self._clock = clock

    def append(self, connection: Connection, entries: Sequence[AuditEntry]) -> None:
        """Inside a unit of work: in order, and without those that are there already.

        Costs one look at the head and one insert, however many entries: hand over many at once. On
        PostgreSQL the chain is locked until the unit's commit.
        """
        if not entries:
            return
        seq, last = self._lock_head(connection)
        known = set(
            connection.execute(_KNOWN, {"ids": [entry.entry_id for entry in entries]}).scalars().all()
        )
        rows: list[dict[str, Any]] = []
        at = rfc3339(self._clock.now())
        for entry in entries:
            if entry.entry_id in known:  # the commit of an earlier run of this unit, whose answer was lost
                continue
            known.add(entry.entry_id)
            seq += 1
            row = self._row(entry, seq, at, last)
            last = row["hash"]
            rows.append(row)
        if rows:
            insert_all(connection, audit, rows)
            put(connection, audit_heads, [{"chain": self.chain, "seq": seq, "hash": last}])

    @staticmethod
    def knows(connection: Connection, entry: AuditEntry) -> bool:
        """Whether the entry is in a chain: the unit that appends it was committed before."""
        return connection.execute(_KNOWN, {"ids": [entry.entry_id]}).first() is not None

    def _lock_head(self, connection: Connection) -> tuple[int, str]:
        found = connection.execute(_HEAD, {"chain": self.chain}).first()
        if found is None:
            insert_new(connection, audit_heads, [{"chain": self.chain, "seq": 0, "hash": FIRST}])
            found = connection.execute(_HEAD, {"chain": self.chain}).one()
        return found.seq, found.hash

    def _row(self, entry: AuditEntry, seq: int, at: str, prev_hash: str) -> dict[str, Any]:
        row = {
            "chain": self.chain,
            "seq": seq,
            "entry_id": entry.entry_id,
            "at": at,
            "actor": _storable(entry.actor),
            "action": _storable(entry.action),
            "subject": _storable(entry.subject)[:_LONGEST_SUBJECT],
            "detail": msgspec.json.encode(entry.detail, order="deterministic").decode(),
            "reason": _storable(entry.reason),
            "prev_hash": prev_hash,
        }
        return row | {"hash": hash_of([row[name] for name in HASHED])}


def hash_of(fields: Sequence[Any]) -> str:
    """SHA-256, hex, of a row's fields, in the order of HASHED, as a JSON array."""
    return hashlib.sha256(msgspec.json.encode(fields)).hexdigest()


def _storable(text: str) -> str:
    """As a database keeps it and JSON can say it: no NUL, no lone surrogate."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


_HEAD = select(audit_heads).where(audit_heads.c.chain == bindparam("chain")).with_for_update()
_KNOWN = select(audit.c.entry_id).where(audit.c.entry_id.in_(bindparam("ids", expanding=True)))


def must_have_reason(reason: str) -> None:
    """raises  PermanentFault, code reason_missing"""
    if not reason.strip():
        raise PermanentFault("a reason is missing", code="reason_missing", hint="say why, for the audit")
