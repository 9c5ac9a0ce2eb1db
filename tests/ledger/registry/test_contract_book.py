"""What is live in an environment, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec
import pytest

from lineshaft.contracts.registry import (
    ContractRegistry,
    Document,
    Kind,
    LiveContract,
    Party,
    Role,
    State,
    digest_of,
    drift,
)
from lineshaft.core.errors import PermanentFault
from lineshaft.ledger import Audit, audit_rows, verify_audit
from lineshaft.ledger.registry import ContractBook
from lineshaft.store import Store
from lineshaft.store.schema import contract_versions
from tests.clocks import ManualClock
from tests.rows import rows

FIRST: Document = {"type": "object", "properties": {"é": {"type": "string"}}}
SECOND: Document = {"type": "object", "properties": {"é": {"type": "string"}, "b": {}}}


def live(
    version: str = "1.0", document: Document = FIRST, name: str = "a.b", **changes: object
) -> LiveContract:
    made = LiveContract(
        name=name,
        version=version,
        kind=Kind.EVENT,
        owner="x",
        state=State.PUBLISHED,
        digest=digest_of(document),
        document=document,
    )
    return msgspec.structs.replace(made, **changes)


def uses(party: str, *fields: str, major: int = 1, role: Role = Role.CONSUMER) -> Party:
    return Party(party=party, contract="a.b", major=major, fields=fields, role=role, contact=f"{party}@acme")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(tick_s=1)


@pytest.fixture
def book(store: Store, clock: ManualClock) -> ContractBook:
    return ContractBook(store, Audit("node-1", clock), clock)


async def told(store: Store) -> list[tuple[str, str, str]]:
    """The audit, oldest first, whose chain holds."""
    report = await store.read(verify_audit)
    assert report.findings == []
    found = await store.read(lambda connection: audit_rows(connection, action="contract.*"))
    return [(row["action"], row["subject"], row["actor"]) for row in reversed(found)]


async def names(book: ContractBook) -> list[str]:
    return [f"{each.name} {each.version}" for each in await book.contracts()]


async def parties(book: ContractBook) -> list[tuple[str, str, Sequence[str]]]:
    return [(each.party, each.origin, each.fields) for each in await book.parties("a.b")]


async def test_what_was_promoted_is_live(book: ContractBook, store: Store) -> None:
    port: ContractRegistry = book
    taken = await book.take([live(), live("2.0", SECOND), live(name="c.d")], [], by="node-1")
    assert taken.added == ["a.b 1.0", "a.b 2.0", "c.d 1.0"]
    assert await names(book) == ["a.b 1.0", "a.b 2.0", "c.d 1.0"]
    found = await port.contract("a.b")
    assert (found.version, found.document, found.major) == ("2.0", SECOND, 2)
    assert (await port.contract("a.b", 1)).document == FIRST
    assert drift([live(), live("2.0", SECOND), live(name="c.d")], await book.contracts()) == []
    assert await told(store) == [
        ("contract.made_live", subject, "node-1") for subject in ("a.b 1.0", "a.b 2.0", "c.d 1.0")
    ]


async def test_the_same_again_changes_nothing(book: ContractBook, store: Store) -> None:
    for _ in range(2):
        taken = await book.take([live()], [uses("p")], by="node-1")
    assert (taken.added, taken.changed, taken.retired, taken.kept) == ([], [], [], [])
    assert len(await told(store)) == 1
    (row,) = await rows(store, contract_versions)
    assert row["at"] == "2026-03-02T06:00:01.000000Z"


async def test_a_promoted_version_follows_another_and_the_other_is_kept(
    book: ContractBook, store: Store
) -> None:
    await book.take([live()], [], by="node-1")
    taken = await book.take([live("1.1", SECOND)], [], by="node-2")
    assert taken.changed == ["a.b 1.1"]
    assert [(row["version"], row["live"], row["state"]) for row in await rows(store, contract_versions)] == [
        ("1.0", 0, "published"),
        ("1.1", 1, "published"),
    ]
    await book.take([live()], [], by="node-1")
    assert await names(book) == ["a.b 1.0"]
    assert (await told(store))[1:] == [
        ("contract.changed", "a.b 1.1", "node-2"),
        ("contract.changed", "a.b 1.0", "node-1"),
    ]


async def test_deprecated_and_retired_by_promotion(book: ContractBook, store: Store) -> None:
    await book.take([live()], [], by="n")
    deprecated = live(state=State.DEPRECATED, sunset="2027-01-01")
    assert (await book.take([deprecated], [], by="n")).changed == ["a.b 1.0"]
    assert (await book.contract("a.b")).sunset == "2027-01-01"
    assert (await book.take([], [], by="n")).retired == ["a.b 1.0"]
    assert await names(book) == []
    with pytest.raises(PermanentFault, match=r"a\.b is not live here"):
        await book.contract("a.b")
    (row,) = await rows(store, contract_versions)
    assert (row["live"], row["state"]) == (0, "retired")


async def test_what_a_registered_consumer_uses_stays(book: ContractBook) -> None:
    await book.take([live(), live("2.0", SECOND)], [], by="n")
    await book.register_party(uses("portal"), by="key:portal")
    taken = await book.take([], [], by="n")
    assert (taken.kept, taken.retired) == (["a.b 1.0"], ["a.b 2.0"])
    assert [str(each) for each in drift([], await book.contracts())] == [
        "a.b v1: not_promoted: promoted nothing, found 1.0"
    ]
    await book.withdraw_party(uses("portal"), by="key:portal", reason="moved")
    assert (await book.take([], [], by="n")).retired == ["a.b 1.0"]


async def test_a_document_changed_in_the_database_is_put_right(book: ContractBook, store: Store) -> None:
    await book.take([live()], [], by="n")
    await store.write(
        lambda connection: connection.execute(contract_versions.update().values(document="{}")) and None
    )
    assert [each.what for each in drift([live()], await book.contracts())] == ["digest_differs"]
    assert (await book.take([live()], [], by="n")).changed == ["a.b 1.0"]
    assert drift([live()], await book.contracts()) == []


async def test_parties_of_files_and_of_the_api(book: ContractBook, store: Store) -> None:
    await book.take([live()], [uses("mes", "é"), uses("old")], by="n")
    await book.register_party(uses("portal", "b"), by="key:portal")
    assert await parties(book) == [("mes", "file", ["é"]), ("old", "file", []), ("portal", "api", ["b"])]
    await book.register_party(uses("portal"), by="key:portal")
    await book.take([live()], [uses("mes")], by="n")
    assert await parties(book) == [("mes", "file", []), ("portal", "api", [])]
    assert (await book.parties("c.d"), len(await book.parties())) == ([], 2)
    assert (await told(store))[1:] == [("contract.party_registered", "a.b v1", "key:portal")] * 2


async def test_a_party_may_consume_and_produce(book: ContractBook) -> None:
    await book.take([live()], [uses("p"), uses("p", role=Role.PRODUCER)], by="n")
    assert [each.role for each in await book.parties()] == ["consumer", "producer"]


async def test_the_file_decides_for_its_parties(book: ContractBook) -> None:
    await book.take([live()], [uses("mes")], by="n")
    for change in (
        book.register_party(uses("mes", "b"), by="x"),
        book.withdraw_party(uses("mes"), by="x", reason="gone"),
    ):
        with pytest.raises(PermanentFault, match="change it there") as error:
            await change
        assert error.value.code == "declared_in_file"
    assert await parties(book) == [("mes", "file", [])]


async def test_a_party_of_what_is_not_live_is_refused(book: ContractBook) -> None:
    await book.take([live()], [], by="n")
    for party in (uses("p", major=2), msgspec.structs.replace(uses("p"), contract="c.d")):
        with pytest.raises(PermanentFault, match="is not live here") as error:
            await book.register_party(party, by="x")
        assert error.value.code == "unknown_contract"
    assert await book.parties() == []


async def test_withdrawing_what_is_not_registered_is_no_deed(book: ContractBook, store: Store) -> None:
    await book.withdraw_party(uses("p"), by="x", reason="gone")
    assert await told(store) == []


async def test_people_deprecate_and_retire(book: ContractBook, store: Store) -> None:
    await book.take([live(), live("2.0", SECOND)], [], by="n")
    await book.deprecate("a.b", 1, sunset=date(2027, 1, 1), by="erika", reason="use 2")
    found = await book.contract("a.b", 1)
    assert (found.state, found.sunset, found.by, found.reason) == (
        "deprecated",
        "2027-01-01",
        "erika",
        "use 2",
    )
    assert [each.what for each in drift([live(), live("2.0", SECOND)], await book.contracts())] == [
        "state_differs"
    ]
    await book.retire("a.b", 1, by="erika", reason="nobody left")
    assert await names(book) == ["a.b 2.0"]
    assert (await told(store))[2:] == [
        ("contract.deprecated", "a.b v1", "erika"),
        ("contract.retired", "a.b v1", "erika"),
    ]


async def test_a_consumed_major_is_not_retired(book: ContractBook) -> None:
    await book.take([live()], [uses("mes"), uses("acme", role=Role.PRODUCER)], by="n")
    with pytest.raises(PermanentFault, match="mes consume it") as error:
        await book.retire("a.b", 1, by="erika", reason="x")
    assert error.value.code == "still_consumed"
    assert await names(book) == ["a.b 1.0"]


@pytest.mark.parametrize("reason", ["", "  "])
async def test_people_say_why(reason: str, book: ContractBook) -> None:
    await book.take([live()], [], by="n")
    for change in (
        book.deprecate("a.b", 1, sunset=date(2027, 1, 1), by="erika", reason=reason),
        book.retire("a.b", 1, by="erika", reason=reason),
        book.withdraw_party(uses("p"), by="erika", reason=reason),
    ):
        with pytest.raises(PermanentFault, match="a reason is missing"):
            await change
    with pytest.raises(PermanentFault, match="is not live here"):
        await book.retire("a.b", 2, by="erika", reason="x")
    with pytest.raises(PermanentFault, match="is not live here"):
        await book.deprecate("c.d", 1, sunset=date(2027, 1, 1), by="erika", reason="x")
