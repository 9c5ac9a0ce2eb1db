"""The audit verified on demand: one at a time, and noted in the audit itself."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from lineshaft.ledger import Audit, AuditEntry, audit_rows, audit_verifying, verify_audit
from lineshaft.ledger.audit_check import AuditReport
from lineshaft.ledger.audit_verifying import Verifier
from lineshaft.store import Store
from tests.clocks import ManualClock
from tests.waiting import until


@pytest.fixture
async def verifier(store: Store) -> Verifier:
    clock = ManualClock()
    audit = Audit("hub-1", clock)
    entry = AuditEntry(actor="anna", action="exception.fixed", subject="x")
    await store.write(lambda connection: audit.append(connection, [entry]))
    return Verifier(store, audit, clock)


async def test_a_verification_is_in_the_audit_with_the_heads(verifier: Verifier, store: Store) -> None:
    assert await verifier.last() is None
    before = await store.read(verify_audit)
    found = await verifier.verify(by="ben", reason="before the review", wait_s=60)
    assert found is not None
    assert (found.rows, found.found, found.by) == (1, 0, "ben")
    assert found.heads == [str(head) for head in before.heads]
    assert await verifier.last() == found
    newest = (await store.read(audit_rows))[0]
    assert (newest["action"], newest["reason"]) == ("audit.verified", "before the review")
    assert (await store.read(verify_audit)).findings == []


async def test_who_asks_meanwhile_waits_for_the_one_under_way(
    verifier: Verifier, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, checks = threading.Event(), 0

    def slow(connection: Any) -> AuditReport:
        nonlocal checks
        checks += 1
        assert goes_on.wait(60)
        return verify_audit(connection)

    monkeypatch.setattr(audit_verifying, "verify_audit", slow)
    first = asyncio.create_task(verifier.verify(by="ben", wait_s=60))
    await until(lambda: verifier.runs)
    assert await verifier.verify(by="carl", wait_s=0.01) is None
    goes_on.set()
    found = await first
    assert found is not None
    assert (found.by, checks, verifier.runs) == ("ben", 1, False)
    assert await verifier.verify(by="carl", wait_s=60) != found
