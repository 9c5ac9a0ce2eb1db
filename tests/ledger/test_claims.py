"""The ledger of transactions: claimed before it is sent, noted once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from sqlalchemy import update

from lineshaft.core.values import Event, OutcomeState
from lineshaft.ledger import Audit, Claims
from lineshaft.store import Outbox, Store, Worker
from lineshaft.store.schema import audit, business_keys, calls, outbox, workers
from tests.books import BOOKED, Books, Posting, booking
from tests.clocks import ManualClock
from tests.facts import AT
from tests.rows import rows

POST = Books.operations["post"]


@pytest.fixture
def claims(store: Store) -> Claims:
    return Claims(store, Outbox(store), Audit("node", ManualClock()), ManualClock())


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


async def test_another_payload_is_told_and_claims_nothing(store: Store, claims: Claims) -> None:
    one, other = [await claims.claim(booking(amount=amount), POST, "books") for amount in (1, 2)]
    assert one.call_id == other.call_id
    assert (one.same_payload, other.same_payload) == (True, False)
    (row,) = await rows(store, calls)
    assert (row["fingerprint"], row["claimed_by"]) == (one.fingerprint, one.claimed_by)
    assert one.fingerprint == POST.fingerprint(booking(amount=1).request)


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


async def test_many_calls_at_once_are_many_rows(store: Store, claims: Claims) -> None:
    made = await asyncio.gather(
        *(claims.claim(booking(f"R{number}"), POST, "books") for number in range(200))
    )
    assert {claim.earlier for claim in made} == {None}
    noting = [
        claims.posted(claim, POST, reply(f"R{number}"), 1, event())
        if number % 2
        else claims.not_posted(claim, OutcomeState.FAILED, 1, "c", f"e{number}")
        for number, claim in enumerate(made)
    ]
    await asyncio.gather(*noting)
    found = {msgspec.json.decode(row["request"])["reference"]: row for row in await rows(store, calls)}
    assert len(found) == 200
    for number in range(200):
        row = found[f"R{number}"]
        assert (row["state"], row["error"]) == (("posted", "") if number % 2 else ("failed", f"e{number}"))
    assert len(await rows(store, audit)) == 200


async def test_every_noted_outcome_is_in_the_audit_once(store: Store, claims: Claims) -> None:
    claim = await claims.claim(booking(), POST, "books")
    await claims.not_posted(claim, OutcomeState.UNKNOWN, 1, "outcome_unknown", "no answer")
    claim = await claims.claim(booking(), POST, "books")
    await claims.posted(claim, POST, reply(), 1, None)
    await claims.posted(claim, POST, reply(), 1, None)
    found = await rows(store, audit)
    assert [(row["action"], row["subject"], row["actor"]) for row in found] == [
        ("call.unknown", claim.call_id, "process:test"),
        ("call.posted", claim.call_id, "process:test"),
    ]
    detail = msgspec.json.decode(found[1]["detail"])
    assert detail == {
        "operation": "books.post",
        "system": "books",
        "key": claim.idempotency_key,
        "fingerprint": claim.fingerprint,
        "document": "D1",
    }


@pytest.mark.parametrize("state", [OutcomeState.REJECTED, OutcomeState.FAILED])
async def test_a_person_can_correct_what_had_no_effect(
    state: OutcomeState, store: Store, claims: Claims
) -> None:
    first = await claims.claim(booking(amount=1), POST, "books")
    await claims.not_posted(first, state, 1, "c", "e")
    wanted = msgspec.structs.replace(booking(amount=2), reopen="decision-1")
    again = await claims.claim(wanted, POST, "books")
    assert (again.earlier, again.reopened, again.same_payload) == (state, True, True)
    (row,) = await rows(store, calls)
    assert (row["state"], msgspec.json.decode(row["request"])["amount"]) == ("sending", 2)
    entry = next(row for row in await rows(store, audit) if row["action"] == "call.reopened")
    detail = msgspec.json.decode(entry["detail"])
    assert (detail["fingerprint_before"], detail["fingerprint"]) == (first.fingerprint, again.fingerprint)
    assert detail["was"] == state


async def test_a_decision_counts_once(store: Store, claims: Claims) -> None:
    """A process that is replayed asks with the same decision again: nobody decided about the second loss."""
    wanted = msgspec.structs.replace(booking(), reopen="decision-1")
    for reopened in (True, False):
        claim = await claims.claim(booking(), POST, "books")
        await claims.not_posted(claim, OutcomeState.UNKNOWN, 1, "lost", "no answer")
        again = await claims.claim(wanted, POST, "books")
        assert (again.earlier, again.reopened) == (OutcomeState.UNKNOWN, reopened)
    other = await claims.claim(msgspec.structs.replace(wanted, reopen="decision-2"), POST, "books")
    await claims.not_posted(other, OutcomeState.UNKNOWN, 1, "lost", "no answer")
    assert (await claims.claim(msgspec.structs.replace(wanted, reopen="decision-3"), POST, "books")).reopened


@pytest.mark.parametrize("state", [OutcomeState.UNKNOWN, OutcomeState.POSTED, None])
async def test_what_may_have_had_an_effect_cannot_be_corrected(
    state: OutcomeState | None, store: Store, claims: Claims
) -> None:
    first = await claims.claim(booking(amount=1), POST, "books")
    if state is OutcomeState.POSTED:
        await claims.posted(first, POST, reply(), 1, None)
    elif state is not None:
        await claims.not_posted(first, state, 1, "c", "e")
    again = await claims.claim(msgspec.structs.replace(booking(amount=2), reopen="decision-1"), POST, "books")
    assert (again.reopened, again.same_payload) == (False, False)
    (row,) = await rows(store, calls)
    assert (row["fingerprint"], row["state"]) == (first.fingerprint, state or "sending")


async def test_a_note_of_a_claim_that_was_taken_over_says_only_what_did_happen(
    store: Store, claims: Claims
) -> None:
    late = await claims.claim(booking(), POST, "books")
    await claims.claim(booking(), POST, "books")
    await claims.not_posted(late, OutcomeState.FAILED, 1, "late", "late")
    (row,) = await rows(store, calls)
    assert (row["state"], row["error"]) == ("sending", "")
    await claims.posted(late, POST, reply(), 1, None)
    (row,) = await rows(store, calls)
    assert (row["state"], row["document"]) == ("posted", "D1")


@pytest_asyncio.fixture
async def two(store: Store, store_url: str) -> AsyncIterator[tuple[Claims, Claims]]:
    """Of two workers on one database."""
    second = Store.open(store_url)
    made = []
    for name, own in (("one", store), ("two", second)):
        worker = Worker(own, name, lease_s=60)
        await worker.join()
        made.append(Claims(own, Outbox(own), Audit(name, ManualClock()), ManualClock(), worker))
    yield made[0], made[1]
    await second.close()


async def test_what_another_worker_is_at_work_on_is_left_to_it(
    store: Store, two: tuple[Claims, Claims]
) -> None:
    one, other = two
    first = await one.claim(booking(), POST, "books")
    told = await other.claim(booking(), POST, "books")
    assert (told.held_elsewhere, told.earlier) == (True, OutcomeState.SENDING)
    (row,) = await rows(store, calls)
    assert row["claimed_by"] == first.claimed_by
    await one.posted(first, POST, reply(), 1, None)
    told = await other.claim(booking(), POST, "books")
    assert (told.held_elsewhere, told.earlier) == (False, OutcomeState.POSTED)


@pytest.mark.parametrize("how", ["lease ran out", "epoch raised"])
async def test_what_a_dead_worker_was_at_work_on_is_taken_over_in_doubt(
    how: str, store: Store, two: tuple[Claims, Claims]
) -> None:
    one, other = two
    await one.claim(booking(), POST, "books")
    gone = {"expires_at": 1.0} if how == "lease ran out" else {"epoch": workers.c.epoch + 1}
    dead = update(workers).where(workers.c.name == "one").values(gone)
    await other._store.write(lambda connection: connection.execute(dead) and None)
    told = await other.claim(booking(), POST, "books")
    assert (told.held_elsewhere, told.earlier) == (False, OutcomeState.SENDING)
    (row,) = await rows(store, calls)
    assert row["claimed_by"] == told.claimed_by


async def test_what_an_earlier_life_was_at_work_on_is_taken_over_in_doubt(store: Store) -> None:
    lives = []
    for _ in range(2):
        worker = Worker(store, "one", lease_s=60)
        await worker.join()
        lives.append(Claims(store, Outbox(store), Audit("one", ManualClock()), ManualClock(), worker))
        told = await lives[-1].claim(booking(), POST, "books")
    assert (told.held_elsewhere, told.earlier) == (False, OutcomeState.SENDING)
