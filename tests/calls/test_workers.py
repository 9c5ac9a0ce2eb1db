"""Several workers on one ledger; people who reopen calls; order; and what is not sent now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest
import pytest_asyncio

from lineshaft.calls import CallPolicy, follow_pauses
from lineshaft.contracts.capability import Operation
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import (
    BusinessFault,
    ContractViolation,
    OutcomeUnknown,
    PermanentFault,
    TransientFault,
)
from lineshaft.core.ids import new_id
from lineshaft.core.ports import CallContext
from lineshaft.core.values import Command, OutcomeState
from lineshaft.ledger import Audit, Pauses
from lineshaft.store import Store, Worker
from lineshaft.store.schema import calls
from tests.books import (
    Books,
    Ledgerman,
    Posting,
    answer_lost,
    booked,
    booking,
    no_credentials,
    refused_connection,
    request_lost,
    unknown_material,
)
from tests.rows import rows
from tests.waiting import until

from .conftest import QUICK, door_on

POST = Books.operations["post"]
Two = list[tuple[Store, Worker]]


@pytest_asyncio.fixture
async def two(store: Store, store_url: str) -> AsyncIterator[Two]:
    second = Store.open(store_url)
    made = [(own, Worker(own, name, lease_s=60)) for name, own in (("one", store), ("two", second))]
    for _, worker in made:
        await worker.join()
    yield made
    await second.close()


def reopened(command: Command) -> Command:
    return msgspec.structs.replace(command, reopen=new_id())


async def test_a_call_that_another_worker_is_at_work_on_is_waited_for(
    two: Two,
) -> None:
    answer = asyncio.Event()

    async def slow(target: Ledgerman, call: CallContext, request: Posting) -> Posting:
        await answer.wait()
        return target.take_effect(call, request)

    target = Ledgerman([slow])
    policy = msgspec.structs.replace(QUICK, deadline_s=30)
    one, other = [door_on(store, target, policy=policy, worker=worker) for store, worker in two]
    first = asyncio.create_task(one.call(booking()))
    await until(lambda: target.sends == 1)
    second = asyncio.create_task(other.call(booking()))
    done, _ = await asyncio.wait([second], timeout=0.2)
    assert not done
    answer.set()
    assert (await first).document == (await second).document == "D1"
    assert ((await second).replayed, target.sends, target.lookups) == (True, 1, 0)


async def test_it_is_not_waited_for_longer_than_an_attempt_may_take(two: Two) -> None:
    (_, one), (store, worker) = two
    target = Ledgerman()
    own = door_on(two[0][0], target, worker=one)
    await own._effects._claims.claim(booking(), POST, "books")
    with pytest.raises(TransientFault) as caught:
        await door_on(store, target, worker=worker).call(booking())
    assert (caught.value.code, target.sends, target.lookups) == ("in_flight", 0, 0)


async def test_whose_lease_ran_out_sends_nothing(two: Two) -> None:
    (store, worker), _ = two
    target = Ledgerman()
    worker._held_until = 0.0
    with pytest.raises(TransientFault) as caught:
        await door_on(store, target, worker=worker).call(booking())
    assert (caught.value.code, target.sends) == ("lease_lost", 0)
    await worker.join()
    await door_on(store, target, worker=worker).call(booking())
    assert (len(target.effects), target.lookups) == (1, 0)


async def test_a_person_has_a_refused_call_tried_again_with_another_payload(store: Store) -> None:
    target = Ledgerman([unknown_material])
    door = door_on(store, target)
    with pytest.raises(BusinessFault):
        await door.call(booking(amount=1))
    with pytest.raises(ContractViolation):
        await door.call(booking(amount=2))
    assert (await door.call(reopened(booking(amount=2)))).reply.amount == 2
    assert ([posting.amount for _, posting in target.effects], target.lookups) == ([2], 0)
    assert (await door.call(reopened(booking(amount=2)))).replayed
    with pytest.raises(ContractViolation):
        await door.call(reopened(booking(amount=3)))
    assert len(target.effects) == 1


@pytest.mark.parametrize("turn", [unknown_material, no_credentials])
async def test_a_person_has_it_tried_again_as_it_was(turn: object, store: Store) -> None:
    target = Ledgerman([turn])  # type: ignore[list-item]
    door = door_on(store, target)
    with pytest.raises((BusinessFault, PermanentFault)):
        await door.call(booking())
    await door.call(reopened(booking()))
    assert (len(target.effects), target.lookups) == (1, 0)


@pytest.mark.parametrize("turn", [answer_lost, request_lost])
async def test_an_unknown_outcome_is_looked_up_before_a_person_has_it_sent_again(
    turn: object, store: Store
) -> None:
    target = Ledgerman([turn])  # type: ignore[list-item]
    target.lookup_faults = [TransientFault("away")] * 3
    door = door_on(store, target)
    with pytest.raises(TransientFault):
        await door.call(booking())
    await door.call(reopened(booking()))
    assert len(target.effects) == 1
    assert target.lookups > 3


async def test_where_nothing_can_be_looked_up_the_person_has_decided(store: Store) -> None:
    target = Ledgerman([request_lost], reads_back=False)
    door = door_on(store, target)
    with pytest.raises(OutcomeUnknown):
        await door.call(booking())
    with pytest.raises(OutcomeUnknown):
        await door.call(booking())
    assert target.sends == 1
    await door.call(reopened(booking()))
    assert (len(target.effects), target.sends) == (1, 2)


async def test_a_decision_is_for_one_request_a_crash_after_it_is_in_doubt_again(store: Store) -> None:
    target = Ledgerman([request_lost], reads_back=False)
    door = door_on(store, target)
    with pytest.raises(OutcomeUnknown):
        await door.call(booking())
    await door._effects._claims.claim(reopened(booking()), POST, "books")  # claimed, sent, and no note
    with pytest.raises(OutcomeUnknown):
        await door_on(store, target).call(reopened(booking()))
    assert target.sends == 1
    assert [row["state"] for row in await rows(store, calls)] == [OutcomeState.UNKNOWN]


def ordered(door: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Operation, "order_key", lambda _, request, target: (target, request.account))


async def test_calls_of_one_order_key_keep_their_order_while_others_overtake(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Ledgerman([refused_connection, refused_connection])
    door = door_on(store, target)
    ordered(door, monkeypatch)
    asked = [booking(f"R{number}") for number in range(6)]
    other = msgspec.structs.replace(asked[0], request=Posting(reference="X", amount=1, account="other"))
    await asyncio.gather(*(door.call(command) for command in (*asked, other)))
    order = [posting.reference for _, posting in target.effects]
    assert [reference for reference in order if reference != "X"] == [f"R{number}" for number in range(6)]
    assert len(door._turns) == 0


async def test_one_that_is_left_does_not_hold_up_those_after_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Ledgerman([unknown_material])
    door = door_on(store, target)
    ordered(door, monkeypatch)
    first, second = await asyncio.gather(
        door.call(booking("R1")), door.call(booking("R2")), return_exceptions=True
    )
    assert isinstance(first, BusinessFault)
    assert not isinstance(second, BaseException)


async def test_more_calls_than_may_wait_are_told_to_come_back(store: Store) -> None:
    go = asyncio.Event()

    async def slow(target: Ledgerman, call: CallContext, request: Posting) -> Posting:
        await go.wait()
        return await booked(target, call, request)

    target = Ledgerman([slow] * 3)
    policy = CallPolicy(waiting=3, concurrency=1, deadline_s=30)
    door = door_on(store, target, policy=policy)
    tasks = [asyncio.create_task(door.call(booking(f"R{number}"))) for number in range(3)]
    await until(lambda: target.sends == 1)
    with pytest.raises(TransientFault) as caught:
        await door.call(booking("R3"))
    assert caught.value.code == "busy"
    assert caught.value.retry_after_s is not None
    go.set()
    await asyncio.gather(*tasks)
    assert (await door.call(booking("R3"))).document == "D4"
    assert len(await rows(store, calls)) == 4


async def test_a_paused_system_is_sent_nothing_and_what_is_under_way_finishes(store: Store) -> None:
    go = asyncio.Event()

    async def slow(target: Ledgerman, call: CallContext, request: Posting) -> Posting:
        await go.wait()
        return await booked(target, call, request)

    target, clock = Ledgerman([slow]), SystemClock()
    door = door_on(store, target, policy=msgspec.structs.replace(QUICK, deadline_s=30))
    system = door._systems["books.post"]
    pauses = Pauses(store, Audit("operator", clock), clock)
    under_way = asyncio.create_task(door.call(booking("R1")))
    await until(lambda: target.sends == 1)
    following = asyncio.create_task(follow_pauses(pauses, [system], every_s=0.005))
    await pauses.pause("books", clock.now() + timedelta(hours=1), by="jo", reason="upgrade")
    await until(lambda: system.maintenance._pause is not None)
    with pytest.raises(TransientFault) as caught:
        await door.call(booking("R2"))
    assert (caught.value.code, len(await rows(store, calls))) == ("maintenance", 1)
    go.set()
    assert (await under_way).document == "D1"
    await pauses.resume("books", by="jo", reason="done")
    await until(lambda: system.maintenance._pause is None)
    assert (await door.call(booking("R2"))).document == "D2"
    following.cancel()


async def test_a_call_that_waits_when_the_pause_begins_is_left_at_once(store: Store) -> None:
    async def refused_and_paused(target: Ledgerman, call: CallContext, request: Posting) -> Posting:
        system.maintenance.pause(SystemClock().now() + timedelta(hours=1), "upgrade")
        return await refused_connection(target, call, request)

    target = Ledgerman([refused_and_paused])
    door = door_on(store, target)
    system = door._systems["books.post"]
    with pytest.raises(TransientFault) as caught:
        await door.call(booking())
    assert (caught.value.code, target.sends) == ("maintenance", 1)
    (row,) = await rows(store, calls)
    assert (row["state"], row["error_code"]) == ("failed", "maintenance")


async def test_while_it_is_paused_nothing_is_looked_up_either(store: Store) -> None:
    async def lost_and_paused(target: Ledgerman, call: CallContext, request: Posting) -> Posting:
        system.maintenance.pause(SystemClock().now() + timedelta(hours=1), "upgrade")
        return await answer_lost(target, call, request)

    target = Ledgerman([lost_and_paused])
    door = door_on(store, target)
    system = door._systems["books.post"]
    with pytest.raises(TransientFault) as caught:
        await door.call(booking())
    assert (caught.value.code, target.lookups) == ("maintenance", 0)
    assert (caught.value.retry_after_s or 0) >= 300
    assert [row["state"] for row in await rows(store, calls)] == ["unknown"]
    system.maintenance.resume()
    assert (await door.call(booking())).document == "D1"
    assert (len(target.effects), target.sends) == (1, 1)
