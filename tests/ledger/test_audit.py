"""The audit: appended in chains; whatever is changed afterwards is found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from lineshaft.core.errors import ConfigError
from lineshaft.ledger import Audit, AuditEntry, AuditReport, ChainHead, audit_rows, verify_audit
from lineshaft.store import Store
from lineshaft.store.schema import audit, audit_heads
from tests.clocks import ManualClock
from tests.examples import examples
from tests.rows import rows


def entry(number: int = 0, **fields: object) -> AuditEntry:
    given: dict[str, object] = {
        "actor": "anna",
        "action": "exception.fixed",
        "subject": f"x{number}",
        "detail": {"number": number, "what": "ü"},
        "reason": "a typing error",
    }
    return AuditEntry(**given | fields)  # type: ignore[arg-type]


async def append(store: Store, *entries: AuditEntry, chain: str = "operator") -> None:
    kept = Audit(chain, ManualClock())
    await store.write(lambda connection: kept.append(connection, entries))


async def verify(store: Store, *noted: ChainHead) -> AuditReport:
    return await store.read(lambda connection: verify_audit(connection, noted))


async def run(store: Store, *statements: str) -> None:
    def unit(connection: Connection) -> None:
        for statement in statements:
            connection.execute(text(statement))

    await store.write(unit)


@pytest.fixture
async def chain(store: Store) -> Store:
    """Five rows in two appends."""
    await append(store, entry(1), entry(2))
    await append(store, entry(3), entry(4), entry(5))
    return store


async def test_rows_follow_each_other(chain: Store) -> None:
    found = await rows(chain, audit)
    assert [(row["seq"], row["subject"]) for row in found] == [(n, f"x{n}") for n in range(1, 6)]
    assert [row["prev_hash"] for row in found] == ["", *(row["hash"] for row in found[:-1])]
    (head,) = await rows(chain, audit_heads)
    assert (head["seq"], head["hash"]) == (5, found[-1]["hash"])
    report = await verify(chain)
    assert (report.rows, report.findings) == (5, [])
    assert [str(each) for each in report.heads] == [f"operator:5:{head['hash']}"]


async def test_each_writer_has_its_own_chain(chain: Store) -> None:
    await append(chain, entry(6), chain="hub-1")
    found = await rows(chain, audit)
    assert [row["seq"] for row in found if row["chain"] == "hub-1"] == [1]
    report = await verify(chain)
    assert ([head.chain for head in report.heads], report.findings) == (["hub-1", "operator"], [])


async def test_a_unit_whose_commit_was_not_answered_appends_once(store: Store) -> None:
    first, second, third = entry(1), entry(2), entry(3)
    await append(store, first, second)
    await append(store, second, third, third)
    assert [row["subject"] for row in await rows(store, audit)] == ["x1", "x2", "x3"]
    assert (await verify(store)).findings == []


async def test_a_unit_that_fails_leaves_nothing(store: Store) -> None:
    kept = Audit("operator", ManualClock())

    def unit(connection: Connection) -> None:
        kept.append(connection, [entry(1)])
        raise ValueError("the rest failed")

    with pytest.raises(ValueError, match="the rest failed"):
        await store.write(unit)
    await append(store, entry(2))
    assert [(row["seq"], row["subject"]) for row in await rows(store, audit)] == [(1, "x2")]


async def test_several_writers_of_one_chain(store_url: str) -> None:
    """As many command lines at once: each waits for the head."""
    stores = [Store.open(store_url) for _ in range(3)]
    try:
        work = [append(store, entry(n), entry(n + 100)) for store in stores for n in range(10)]
        await asyncio.gather(*work)
        report = await verify(stores[0])
        assert (report.rows, report.findings) == (60, [])
    finally:
        for store in stores:
            await store.close()


async def test_what_a_database_cannot_keep_is_replaced(store: Store) -> None:
    await append(store, entry(1, reason="a\0b\udc80c", subject="s" * 300, detail={"text": "a\0b"}))
    (row,) = await store.read(audit_rows)
    assert (row["reason"], len(row["subject"]), row["detail"]) == ("a\ufffdb?c", 200, {"text": "a\0b"})
    assert (await verify(store)).findings == []


@pytest.mark.parametrize("column", [column.name for column in audit.columns if column.name != "seq"])
async def test_an_edited_column_is_found(column: str, chain: Store) -> None:
    await run(chain, f"update audit set {column} = 'edited' where seq = 3")
    findings = (await verify(chain)).findings
    kind = "removed" if column == "chain" else "edited"
    assert any((found.chain, found.seq, found.kind) == ("operator", 3, kind) for found in findings)


@pytest.mark.parametrize(("seq", "first"), [("1", 1), ("3", 3), ("5", 5), ("2, 3", 2), ("1, 2, 3, 4, 5", 1)])
async def test_removed_rows_are_found(seq: str, first: int, chain: Store) -> None:
    await run(chain, f"delete from audit where seq in ({seq})")
    findings = (await verify(chain)).findings
    assert [(found.chain, found.seq, found.kind) for found in findings] == [("operator", first, "removed")]


async def test_swapped_rows_are_found(chain: Store) -> None:
    swap = [(2, 99), (4, 2), (99, 4)]
    await run(chain, *(f"update audit set seq = {new} where seq = {old}" for old, new in swap))
    findings = (await verify(chain)).findings
    assert {found.seq for found in findings if found.kind == "edited"} == {2, 4}


async def test_a_row_put_in_the_place_of_another_is_found(chain: Store) -> None:
    """Its own hash computed well: the next row does not follow it."""
    forged = Audit("operator", ManualClock())._row(
        entry(9), 3, "2026-01-01", (await rows(chain, audit))[1]["hash"]
    )
    sets = ", ".join(f"{name} = :{name}" for name in forged)
    await chain.write(
        lambda connection: connection.execute(text(f"update audit set {sets} where seq = 3"), forged) and None
    )
    assert [(found.seq, found.kind) for found in (await verify(chain)).findings] == [(4, "order")]


@pytest.mark.parametrize(
    "change",
    ["update audit_heads set seq = 4", "update audit_heads set hash = 'x'", "delete from audit_heads"],
)
async def test_a_changed_head_is_found(change: str, chain: Store) -> None:
    await run(chain, change)
    assert {found.kind for found in (await verify(chain)).findings} == {"head"}


async def test_the_last_rows_with_their_head_show_against_a_noted_one(chain: Store) -> None:
    (noted,) = (await verify(chain)).heads
    third = (await rows(chain, audit))[2]["hash"]
    await run(chain, "delete from audit where seq > 3", f"update audit_heads set seq = 3, hash = '{third}'")
    assert (await verify(chain)).findings == []
    (found,) = (await verify(chain, noted)).findings
    assert (found.seq, found.kind, found.found) == (5, "noted", "no such row")
    still = ChainHead.parse(f"operator:3:{third}")
    assert (await verify(chain, still)).findings == []
    (found,) = (await verify(chain, ChainHead.parse("a:b:3:00"))).findings
    assert (found.chain, found.kind) == ("a:b", "noted")


@pytest.mark.parametrize("text", ["", "operator", "operator:x:00", "3:00"])
def test_what_is_no_noted_head_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="CHAIN:SEQ:HASH"):
        ChainHead.parse(text)


async def test_many_findings_are_counted(store: Store) -> None:
    await append(store, *(entry(n) for n in range(300)))
    await run(store, "update audit set actor = 'nobody'")
    report = await verify(store)
    assert (len(report.findings), report.more) == (200, 100)


async def test_rows_are_found_by_who_did_what_to_what(chain: Store) -> None:
    await append(chain, entry(7, actor="ben", action="call.posted"), chain="hub-1")

    async def ask(**asked: object) -> list[str]:
        found = await chain.read(lambda connection: audit_rows(connection, **asked))  # type: ignore[arg-type]
        return [row["subject"] for row in found]

    assert await ask(actor="ben") == ["x7"]
    assert await ask(action="call.*") == ["x7"]
    assert await ask(action="exception.fixed", limit=2) == ["x5", "x4"]
    assert await ask(subject="x2") == ["x2"]


TEXT = st.text(max_size=20)
ENTRIES = st.lists(
    st.builds(
        AuditEntry,
        actor=TEXT,
        action=TEXT,
        subject=TEXT,
        detail=st.dictionaries(TEXT, TEXT | st.integers(-(2**53), 2**53) | st.booleans()),
        reason=TEXT,
    ),
    min_size=1,
    max_size=8,
)
Damage = Callable[[Connection, int], None]


def _edit(connection: Connection, seq: int) -> None:
    connection.execute(text("update audit set reason = reason || '.' where seq = :seq"), {"seq": seq})


def _remove(connection: Connection, seq: int) -> None:
    connection.execute(text("delete from audit where seq = :seq"), {"seq": seq})


@given(batches=st.lists(ENTRIES, min_size=1, max_size=4), data=st.data())
@settings(max_examples=examples(10))
def test_any_entries_verify_until_one_is_touched(
    migrated_sqlite: Path, batches: list[list[AuditEntry]], data: st.DataObject
) -> None:
    total = sum(len(batch) for batch in batches)
    seq = data.draw(st.integers(1, total))
    damage = data.draw(st.sampled_from([_edit, _remove]))

    path = migrated_sqlite.with_name("audited.db")
    path.write_bytes(migrated_sqlite.read_bytes())

    async def story() -> None:
        store = Store.open(f"sqlite:///{path}")
        try:
            for batch in batches:
                await append(store, *batch)
            report = await verify(store)
            assert (report.rows, report.findings) == (total, [])
            await store.write(lambda connection: damage(connection, seq))
            assert (await verify(store)).findings[0].seq == seq
        finally:
            await store.close()

    asyncio.run(story())
