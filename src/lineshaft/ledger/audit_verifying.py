"""The audit verified on demand, one check at a time; what came of it is noted in the audit itself.

So each verification keeps the heads of all chains in the verifier's own chain: who computes one chain anew
would have to do so with the others, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, select

from lineshaft.core.clock import Clock
from lineshaft.ledger.audit import Audit, AuditEntry
from lineshaft.ledger.audit_check import verify_audit
from lineshaft.store import Store
from lineshaft.store.schema import audit

__all__ = ["Verification", "Verifier"]

_ACTION = "audit.verified"
_MOST_NOTED = 20


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """heads     `chain:seq:hash` of each chain, to be noted elsewhere
    findings  what is wrong, in words, the first twenty; found: how many there are in all
    at, by    empty while it is under way
    """

    rows: int
    heads: Sequence[str]
    found: int
    findings: Sequence[str]
    took_s: float
    at: str = ""
    by: str = ""


_DETAIL = msgspec.json.Decoder(Verification)


class Verifier:
    def __init__(self, store: Store, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock
        self._running: asyncio.Task[None] | None = None

    @property
    def runs(self) -> bool:
        return self._running is not None and not self._running.done()

    async def last(self) -> Verification | None:
        """Of any node on this database; None: never yet."""
        return await self._store.read(_last)

    async def verify(self, *, by: str, reason: str = "", wait_s: float) -> Verification | None:
        """The verification; None while it still runs after wait_s: it goes on. Who asks meanwhile waits for
        the one that is under way.

        raises  TransientFault when the database does not answer
        """
        running = self._running if self._running is not None and self.runs else None
        if running is None:
            running = self._running = asyncio.create_task(self._check(by, reason), name="audit-verification")
        done, _ = await asyncio.wait({running}, timeout=wait_s)
        if not done:
            return None
        running.result()
        return await self.last()

    async def _check(self, by: str, reason: str) -> None:
        began = self._clock.monotonic()
        report = await self._store.read(verify_audit)
        verification = Verification(
            rows=report.rows,
            heads=[str(head) for head in report.heads],
            found=len(report.findings) + report.more,
            findings=[str(finding) for finding in report.findings[:_MOST_NOTED]],
            took_s=round(self._clock.monotonic() - began, 3),
        )
        detail = msgspec.to_builtins(verification)
        entry = AuditEntry(actor=by, action=_ACTION, subject=self._audit.chain, detail=detail, reason=reason)
        await self._store.write(lambda connection: self._audit.append(connection, [entry]))


def _last(connection: Connection) -> Verification | None:
    newest = select(audit).where(audit.c.action == _ACTION).order_by(audit.c.at.desc()).limit(1)
    row = connection.execute(newest).first()
    if row is None:
        return None
    return msgspec.structs.replace(_DETAIL.decode(row.detail), at=row.at, by=row.actor)
