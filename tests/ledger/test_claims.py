"""The ledger of transactions: claimed before it is sent, noted once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lineshaft.core.values import Event, OutcomeState
from lineshaft.ledger import Claim, Claims
from lineshaft.store import Outbox, Store
from lineshaft.store.schema import business_keys, calls, outbox
from tests.books import BOOKED, Books, Posting, booking
from tests.clocks import ManualClock
from tests.facts import AT
from tests.rows import rows

POST = Books.operations["post"]


@pytest.fixture
def claims(store: Store) -> Claims:
    return Claims(store, Outbox(store), ManualClock())


def reply(reference: str = "R1") -> Posting:
    return Posting(reference=reference, amount=100, id="D1")


def event() -> Event:
    return BOOKED.make(reply(), plant="NSP", source="/x", identity=("1",), time=AT)


async def test_a_first_claim_is_on_disk_before_anything_is_sent(store: Store, claims: Claims) -> None:
    claim = await claims.claim(booking(), POST, "books")
    assert claim.earlier is None
    (row,) = await rows(store, calls)
    assert row["call_id"] == claim.call_id
    assert (row["state"], row["system"], row["owner"]) == ("sending", "books", "finance")
    assert (row["correlation_id"], row["plant"]) == ("story-1", "NSP")
    assert msgspec.json.decode(row["request"], type=Posting) == booking().request


async def test_an_open_claim_is_told_to_the_next(claims: Claims) -> None:
    first = await claims.claim(booking(), POST, "books")
    second = await claims.claim(booking(), POST, "books")
    assert (second.earlier, second.call_id) == (OutcomeState.SENDING, first.call_id)


async def test_another_system_is_another_fact(claims: Claims) -> None:
    one, other = [await claims.claim(booking(), POST, system) for system in ("books", "books-2")]
    assert other.earlier is None
    assert one.call_id != other.call_id


async def test_another_payload_is_told_by_its_fingerprint(claims: Claims) -> None:
    one, other = [await claims.claim(booking(amount=amount), POST, "books") for amount in (1, 2)]
    assert one.call_id == other.call_id
    assert other.fingerprint == one.fingerprint != POST.fingerprint(booking(amount=2).request)


async def test_of_many_claims_at_once_one_is_the_first(claims: Claims) -> None:
    made = await asyncio.gather(*(claims.claim(booking(), POST, "books") for _ in range(30)))
    assert [claim.earlier for claim in made].count(None) == 1


async def test_a_posted_claim_is_replayed_with_its_reply(store: Store, claims: Claims) -> None:
    claim = await claims.claim(booking(), POST, "books")
    await claims.posted(claim, POST, reply(), 2, event())
    again = await claims.claim(booking(), POST, "books")
    assert again.earlier is OutcomeState.POSTED
    assert msgspec.json.decode(again.reply, type=Posting) == reply()
    assert again.document == "D1"
    assert {row["key"] for row in await rows(store, business_keys)} >= {"R1", "D1"}


async def test_posted_twice_is_noted_once(store: Store, claims: Claims) -> None:
    """Two read-backs, or a unit that runs again: one row, one event, the first document."""
    claim = await claims.claim(booking(), POST, "books")
    await claims.posted(claim, POST, reply(), 1, event())
    await claims.posted(claim, POST, msgspec.structs.replace(reply(), id="D2"), 1, event())
    (row,) = await rows(store, calls)
    assert row["document"] == "D1"
    assert len(await rows(store, outbox)) == 1


@pytest.mark.parametrize("state", [OutcomeState.FAILED, OutcomeState.UNKNOWN, OutcomeState.REJECTED])
async def test_what_is_posted_stays_posted(state: OutcomeState, store: Store, claims: Claims) -> None:
    claim = await claims.claim(booking(), POST, "books")
    await claims.posted(claim, POST, reply(), 1, None)
    await claims.not_posted(claim, state, 1, "late", "too late")
    (row,) = await rows(store, calls)
    assert (row["state"], row["error"]) == ("posted", "")


async def test_only_a_failed_claim_is_sent_again_without_doubt(store: Store, claims: Claims) -> None:
    claim = await claims.claim(booking(), POST, "books")
    await claims.not_posted(claim, OutcomeState.FAILED, 4, "unavailable", "away")
    assert (await claims.claim(booking(), POST, "books")).earlier is OutcomeState.FAILED
    assert (await claims.claim(booking(), POST, "books")).earlier is OutcomeState.SENDING


async def test_a_refusal_names_who_decides(claims: Claims) -> None:
    claim = await claims.claim(booking(), POST, "books")
    await claims.not_posted(claim, OutcomeState.REJECTED, 1, "closed_period", "closed", "controlling")
    again = await claims.claim(booking(), POST, "books")
    assert (again.error_code, again.error, again.owner) == ("closed_period", "closed", "controlling")


class ClaimsAgainstAModel(RuleBasedStateMachine):
    """The ledger against a dictionary: state per reference, as it was before the claim."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, OutcomeState] = {}
        self.held: dict[str, Claim] = {}
        self.runner = asyncio.Runner()

    @initialize(reopen=st.booleans())
    def begin(self, reopen: bool) -> None:
        path = Path(self.template).with_name(f"machine-{id(self)}.db")
        path.write_bytes(Path(self.template).read_bytes())
        self.url = f"sqlite:///{path}"
        self.open()

    template = ""

    def open(self) -> None:
        self.store = Store.open(self.url)
        self.claims = Claims(self.store, Outbox(self.store), ManualClock())

    @rule()
    def restart(self) -> None:
        self.runner.run(self.store.close())
        self.open()

    @rule(reference=st.sampled_from("abc"))
    def claim(self, reference: str) -> None:
        claim = self.runner.run(self.claims.claim(booking(reference), POST, "books"))
        assert claim.earlier == self.model.get(reference)
        if claim.earlier in (None, OutcomeState.FAILED):
            self.model[reference] = OutcomeState.SENDING
        self.held[reference] = claim

    @rule(reference=st.sampled_from("abc"), twice=st.booleans())
    def posted(self, reference: str, twice: bool) -> None:
        if reference in self.held:
            for _ in range(1 + twice):
                noting = self.claims.posted(self.held[reference], POST, reply(reference), 1, None)
                self.runner.run(noting)
            self.model[reference] = OutcomeState.POSTED

    @rule(
        reference=st.sampled_from("abc"),
        state=st.sampled_from([OutcomeState.FAILED, OutcomeState.UNKNOWN, OutcomeState.REJECTED]),
    )
    def not_posted(self, reference: str, state: OutcomeState) -> None:
        if reference in self.held:
            self.runner.run(self.claims.not_posted(self.held[reference], state, 1, "c", "e"))
            if self.model[reference] is not OutcomeState.POSTED:
                self.model[reference] = state

    @invariant()
    def the_rows_are_the_model(self) -> None:
        if hasattr(self, "store"):
            found = {
                msgspec.json.decode(row["request"])["reference"]: row["state"]
                for row in self.runner.run(rows(self.store, calls))
            }
            assert found == self.model

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.runner.run(self.store.close())
        self.runner.close()


def test_claims_against_a_model(migrated_sqlite: Path) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    class Machine(ClaimsAgainstAModel):
        template = str(migrated_sqlite)

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=15, stateful_step_count=15, deadline=None)
    )
