"""Pages of the audit: merged from index ranges, complete, and of one's own plants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import insert

from lineshaft.ledger import Audit, AuditEntry
from lineshaft.ledger.audit_reads import AuditReads
from lineshaft.store import Store
from lineshaft.store.process_documents import ProcessDocument, packed
from lineshaft.store.schema import archived_processes, calls, exceptions
from lineshaft.store.statements import insert_all
from tests.clocks import ManualClock


async def append(store: Store, chain: str, entries: Sequence[AuditEntry], clock: ManualClock) -> None:
    audit = Audit(chain, clock)
    await store.write(lambda connection: audit.append(connection, entries))


@pytest.fixture
async def reads(store: Store) -> AuditReads:
    """Two hundred rows in two chains, three to a moment, of four actors and five actions."""
    clock = ManualClock()
    for number in range(66):
        entries = [
            AuditEntry(actor=f"u{each % 4}", action=f"thing.done_{each % 5}", subject=f"s{each % 7}")
            for each in range(3 * number, 3 * number + 3)
        ]
        await append(store, f"chain-{number % 2}", entries, clock)
        clock.advance(60)
    await append(store, "chain-0", [AuditEntry(actor="u0", action="other.done", subject="s0")] * 2, clock)
    return AuditReads(store)


async def every(reads: AuditReads, limit: int, **asked: str) -> list[dict[str, Any]]:
    found, after = [], ""
    while True:
        rows, after = await reads.page(asked, after, None, limit)
        assert len(rows) <= limit
        found += rows
        if not after:
            return found


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"actor": "u1"},
        {"action": "thing.done_2"},
        {"action": "thing.*", "actor": "u3"},
        {"subject": "s4"},
        {"subject": "s4", "actor": "u2", "action": "thing.*"},
        {"since": "2026-03-02T06:10:00.000000Z", "until": "2026-03-02T06:40:00.000000Z"},
        {"actor": "nobody"},
    ],
)
async def test_pages_have_every_row_once_newest_first(asked: dict[str, str], reads: AuditReads) -> None:
    everything = await every(reads, 500)
    assert len(everything) == 199
    places = [(row["at"], row["chain"], row["seq"]) for row in everything]
    assert places == sorted(places, reverse=True)
    since, until = asked.get("since", ""), asked.get("until", "~")

    def fits(row: dict[str, Any]) -> bool:
        action = asked.get("action", "*")
        named = row["action"].startswith(action[:-1]) if action.endswith("*") else row["action"] == action
        same = all(asked.get(name, row[name]) == row[name] for name in ("actor", "subject"))
        return named and same and since <= row["at"] < until

    wanted = [row["entry_id"] for row in everything if fits(row)]
    for limit in (1, 7, 50):
        assert [row["entry_id"] for row in await every(reads, limit, **asked)] == wanted


async def test_what_occurs_is_known(reads: AuditReads) -> None:
    actors, actions = await reads.known()
    assert actors == ["u0", "u1", "u2", "u3"]
    assert actions == ["other.done", *(f"thing.done_{number}" for number in range(5))]


async def test_rows_of_other_plants_are_left_out(store: Store) -> None:
    def seed(connection: Any) -> None:
        for number, plant in enumerate(("lyon", "oslo")):
            call = {"call_id": f"c{number}", "idempotency_key": f"k{number}", "plant": plant}
            insert_all(connection, calls, [call])
            connection.execute(insert(exceptions).values(exception_id=f"x{number}", plant=plant))
            document = packed(ProcessDocument(process={"plant": plant}))
            row = {"process_id": f"p{number}", "business_key": f"b{number}", "document": document}
            insert_all(connection, archived_processes, [row])

    await store.write(seed)
    subjects = [("call.posted", "c"), ("exception.fixed", "x"), ("process.retried", "p")]
    entries = [
        AuditEntry(actor="u", action=action, subject=f"{subject}{number}")
        for action, subject in subjects
        for number in (0, 1, 2)
    ]
    entries.append(AuditEntry(actor="u", action="contract.changed", subject="c0"))
    await append(store, "node", entries, ManualClock())
    found, after = await AuditReads(store).page({}, "", ["lyon"], 50)
    assert [row["subject"] for row in found] == ["c0", "p0", "x0", "c0"]
    assert after == ""
    found, _ = await AuditReads(store).page({"action": "call.*"}, "", ["oslo"], 50)
    assert [row["subject"] for row in found] == ["c1"]


async def test_a_page_of_another_plants_rows_ends_and_goes_on(store: Store) -> None:
    """However many rows there are that are not one's own, a page looks at five thousand of them."""
    entries = [AuditEntry(actor="u", action="call.posted", subject=f"c{number}") for number in range(5_200)]
    await append(
        store, "node", [AuditEntry(actor="u", action="contract.changed", subject="k")], ManualClock()
    )
    clock = ManualClock()
    clock.advance(60)
    await append(store, "node", entries, clock)
    reads = AuditReads(store)
    found, after = await reads.page({}, "", ["lyon"], 50)
    assert (found, bool(after)) == ([], True)
    found, after = await reads.page({}, after, ["lyon"], 50)
    assert ([row["subject"] for row in found], after) == (["k"], "")
