"""Deliveries in the store: who holds them, what is due in which order, and how long they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from lineshaft.contracts.catalogue import EVENTS, THRESHOLD_EXCEEDED
from lineshaft.core.ids import new_id
from lineshaft.core.ports import StreamPosition
from lineshaft.core.subscriptions import DeliveryState, FedEvent, Subscription, SubscriptionState
from lineshaft.ledger import Audit, Desk, KeepFor, Retention
from lineshaft.ledger.subscriptions import Book, Deliveries, Delivery, HandingOut, Outcome
from lineshaft.store import Store, Worker
from lineshaft.store.schema import deliveries, delivery_positions, exceptions
from tests.clocks import ManualClock
from tests.gateway.events.telling import threshold_event
from tests.rows import rows

WHY = {"by": "anna", "reason": "they asked"}
STREAM = "LS_OPERATIONAL"


class House:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = ManualClock()
        self.book = Book(store, Audit("w1", self.clock), self.clock)
        self.worker = Worker(store, "w1", lease_s=3600)
        self.out = HandingOut(store, self.worker, self.clock)
        self.deliveries = self.of(self.worker)

    def of(self, worker: Worker) -> Deliveries:
        return Deliveries(self.store, worker, Desk(self.store, self.clock).add, self.clock)

    async def subscribe(self, name: str = "portal") -> Subscription:
        wanted = Subscription(
            subscription_id=new_id(),
            name=name,
            account=name,
            url="https://hooks.example.com/",
            types=[THRESHOLD_EXCEEDED.type],
            plants=["leipzig"],
        )
        return await self.book.add(wanted, "", **WHY)

    async def tell(self, *keys: str, start: int = 1) -> list[str]:
        fed = [
            FedEvent(STREAM, StreamPosition(number, "made"), threshold_event(number, partitionkey=key))
            for number, key in enumerate(keys, start)
        ]
        await self.out.hand_out(fed)
        return [each.event.id for each in fed]

    async def due(self, to: Subscription, limit: int = 100) -> list[Delivery]:
        return (await self.deliveries.due(to.subscription_id, self.clock.now().timestamp(), limit))[0]

    async def note(self, to: Subscription, each: Delivery, state: DeliveryState, **more: object) -> None:
        outcome = Outcome(delivery=each, state=state, attempts=each.attempts + 1, **more)  # type: ignore[arg-type]
        await self.deliveries.note(outcome, to)


@pytest.fixture
async def house(store: Store) -> House:
    built = House(store)
    await built.worker.join()
    return built


def ids(found: Sequence[Delivery]) -> list[str]:
    return [each.event.id for each in found]


async def test_the_oldest_of_each_key_is_due(house: House) -> None:
    to = await house.subscribe()
    a1, b1, a2, b2 = await house.tell("A", "B", "A", "B")
    due = await house.due(to)
    assert ids(due) == [a1, b1]
    await house.note(to, due[0], DeliveryState.DELIVERED)
    await house.note(to, due[1], DeliveryState.FAILED, error="answered 400")
    assert ids(await house.due(to)) == [a2]
    (wrong,) = await rows(house.store, exceptions)
    assert wrong["ref"] == due[1].delivery_id
    await house.book.redeliver("portal", [], **WHY)
    assert ids(await house.due(to)) == [b1, a2] or ids(await house.due(to)) == [a2, b1]
    assert b2 not in ids(await house.due(to))


async def test_what_is_handed_out_twice_is_one(house: House) -> None:
    await house.subscribe()
    await house.tell("A", "B")
    await house.tell("A", "B")
    assert len(await rows(house.store, deliveries)) == 2
    assert await house.out.positions() == {STREAM: StreamPosition(2, "made")}
    assert len(await rows(house.store, delivery_positions)) == 1


async def test_one_that_waits_tells_when_it_is_due(house: House) -> None:
    to = await house.subscribe()
    await house.tell("A")
    (one,) = await house.due(to)
    now = house.clock.now().timestamp()
    await house.note(to, one, DeliveryState.WAITING, due_at=now + 30, status=503)
    assert await house.deliveries.due(to.subscription_id, now, 10) == ([], now + 30)
    await house.deliveries.come_back(to.subscription_id)
    assert [each.attempts for each in await house.due(to)] == [1]


async def test_each_is_held_by_one_living_worker(house: House, store: Store) -> None:
    other = Worker(store, "w2", lease_s=3600)
    await other.join()
    await house.subscribe()
    assert [each.name for each in await house.deliveries.hold()] == ["portal"]
    assert await house.of(other).hold() == []
    assert await house.out.leads()
    assert not await HandingOut(store, other, house.clock).leads()
    await house.worker.leave()
    assert [each.name for each in await house.of(other).hold()] == ["portal"]
    assert await HandingOut(store, other, house.clock).leads()
    await house.book.change("portal", SubscriptionState.PAUSED, **WHY)
    assert await house.of(other).hold() == []


async def test_nothing_is_due_for_one_whose_lease_is_over(house: House, store: Store) -> None:
    to = await house.subscribe()
    told = await house.tell("A")
    late = Worker(store, "late", lease_s=-1.0)
    await late.join()
    now = house.clock.now().timestamp()
    assert await house.of(late).due(to.subscription_id, now, 10) == ([], None)
    assert ids(await house.due(to)) == told


async def test_what_is_over_is_kept_for_as_long_as_events(house: House) -> None:
    to = await house.subscribe()
    await house.tell("A", "B", "C")
    one, two, _ = await house.due(to)
    await house.note(to, one, DeliveryState.DELIVERED)
    await house.note(to, two, DeliveryState.FAILED)
    days = timedelta(days=90)
    keep = KeepFor(events=days, signals=days, exceptions=days, call_payloads=days)
    retention = Retention(house.store, EVENTS, house.clock, keep)
    assert (await retention.sweep())["deliveries"] == 0
    house.clock.advance(91 * 86_400)
    assert (await retention.sweep(dry_run=True))["deliveries"] == 1
    assert (await retention.sweep())["deliveries"] == 1
    assert {row["state"] for row in await rows(house.store, deliveries)} == {"failed", "waiting"}
