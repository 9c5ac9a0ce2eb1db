"""Deliveries at work: who sends, what is due, and what became of each attempt.

Of one subscription and order key only the oldest delivery that is not over may be sent: what failed holds up
those behind it until a person decides, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, exists, func, select, update

from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.subscriptions import DeliveryState, Subscription, SubscriptionState
from lineshaft.core.values import Event, ExceptionKind, ExceptionRecord
from lineshaft.ledger.subscriptions.book import read_subscriptions
from lineshaft.store import Store, Worker
from lineshaft.store.schema import deliveries, subscriptions
from lineshaft.store.statements import change
from lineshaft.store.workers import living_workers

__all__ = ["Deliveries", "Delivery", "Outcome"]

_OPEN = (DeliveryState.WAITING.value, DeliveryState.FAILED.value)
Report = Callable[[Connection, ExceptionRecord], None]


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """attempts: made so far."""

    delivery_id: str
    subscription_id: str
    order_key: str
    event: Event
    attempts: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt came to. due_at: epoch seconds of the next; status: of the answer, 0 without one.

    becomes  the state of the subscription, where that changes
    """

    delivery: Delivery
    state: DeliveryState
    attempts: int
    due_at: float = 0.0
    status: int = 0
    error: str = ""
    becomes: SubscriptionState | None = None


class Deliveries:
    """worker: the one that sends, among others on this database; report: files an exception in a unit."""

    def __init__(self, store: Store, worker: Worker, report: Report, clock: Clock) -> None:
        self._store = store
        self._worker = worker
        self._report = report
        self._clock = clock

    async def hold(self) -> list[Subscription]:
        """The active subscriptions that are ours to send for: those that no living worker holds become so.

        One that is not active is let go, so that whoever resumes it finds it free.
        """
        me = f"{self._worker.name}:{self._worker.epoch}"

        def look(connection: Connection) -> tuple[list[Subscription], bool]:
            """Those that are ours, and whether there are others that should be, or should not be any more."""
            alive = {f"{name}:{epoch}" for name, epoch in living_workers(connection)} - {me}
            held = {row.subscription_id: row.held_by for row in connection.execute(_HELD)}
            known = read_subscriptions(connection)
            active = {each.subscription_id for each in known if each.state is SubscriptionState.ACTIVE}
            free = {key for key in active if held[key] != me and held[key] not in alive}
            idle = {key for key, holder in held.items() if holder == me and key not in active}
            mine = [
                each for each in known if each.subscription_id in active and held[each.subscription_id] == me
            ]
            return mine, bool(free or idle)

        def unit(connection: Connection) -> None:
            alive = {f"{name}:{epoch}" for name, epoch in living_workers(connection)} - {me}
            active = subscriptions.c.state == SubscriptionState.ACTIVE.value
            free = update(subscriptions).where(active, subscriptions.c.held_by.not_in(alive))
            connection.execute(free.values(held_by=me))
            ours = update(subscriptions).where(~active, subscriptions.c.held_by == me)
            connection.execute(ours.values(held_by=""))

        mine, changes = await self._store.read(look)
        if changes:
            await self._store.write(unit)
            mine, _ = await self._store.read(look)
        return mine

    async def due(
        self, subscription_id: str, now_s: float, limit: int
    ) -> tuple[list[Delivery], float | None]:
        """What may be sent now, the oldest first; and when the next is due, None: there is none.

        now_s  epoch seconds

        None of either while the lease of this worker is over: another may send by now.
        """
        if not self._worker.holds:
            return [], None
        row = deliveries.c
        earlier = deliveries.alias("earlier").c
        heads = select(row.delivery_id, row.order_key, row.event, row.attempts, row.due_at).where(
            row.subscription_id == subscription_id,
            row.state == DeliveryState.WAITING.value,
            ~exists().where(
                earlier.subscription_id == row.subscription_id,
                earlier.order_key == row.order_key,
                earlier.state.in_(_OPEN),
                earlier.state != DeliveryState.DELIVERED.value,
                and_(earlier.seq < row.seq, earlier.stream == row.stream),
            ),
        )
        ready = heads.where(row.due_at <= now_s).order_by(row.created_at, row.seq).limit(limit)
        later = heads.where(row.due_at > now_s).subquery()

        def ask(connection: Connection) -> tuple[list[Delivery], float | None]:
            found = [
                Delivery(
                    delivery_id=each.delivery_id,
                    subscription_id=subscription_id,
                    order_key=each.order_key,
                    event=_EVENT.decode(each.event),
                    attempts=each.attempts,
                )
                for each in connection.execute(ready)
            ]
            if found:
                return found, None
            return [], connection.execute(select(func.min(later.c.due_at))).scalar()

        return await self._store.read(ask)

    async def come_back(self, subscription_id: str) -> None:
        """The endpoint is there again: what waits because it was away is due now."""
        row = deliveries.c
        waits = and_(row.subscription_id == subscription_id, row.state == DeliveryState.WAITING.value)
        not_refused = ~row.status.between(400, 499)
        await self._store.write(
            lambda connection: (
                connection.execute(update(deliveries).where(waits, not_refused).values(due_at=0.0)) and None
            )
        )

    async def note(self, outcome: Outcome, to: Subscription) -> None:
        """Durable when it returns, with the exception of one that failed for good."""
        await self._store.write_together(self._note_together, (outcome, to))

    def _note_together(
        self, connection: Connection, noted: Sequence[tuple[Outcome, Subscription]]
    ) -> list[None]:
        at = rfc3339(self._clock.now())
        rows: dict[str, dict[str, Any]] = {}
        for outcome, _ in noted:
            is_over = outcome.state is not DeliveryState.WAITING
            rows[outcome.delivery.delivery_id] = {
                "delivery_id": outcome.delivery.delivery_id,
                "state": outcome.state.value,
                "attempts": outcome.attempts,
                "due_at": outcome.due_at,
                "status": outcome.status,
                "error": outcome.error,
                "finished_at": at if is_over else "",
            }
        change(connection, deliveries, list(rows.values()), only=_STILL_WAITS)
        for outcome, to in noted:
            if outcome.becomes is not None:
                which = subscriptions.c.subscription_id == to.subscription_id
                connection.execute(
                    update(subscriptions)
                    .where(which, subscriptions.c.state == SubscriptionState.ACTIVE.value)
                    .values(state=outcome.becomes.value, cause=outcome.error)
                )
            if outcome.state is DeliveryState.FAILED:
                self._report(connection, _exception(outcome, to))
        return [None] * len(noted)


_HELD = select(subscriptions.c.subscription_id, subscriptions.c.held_by)
_EVENT = msgspec.json.Decoder(Event)
_STILL_WAITS = f"state = '{DeliveryState.WAITING.value}'"


def _exception(outcome: Outcome, to: Subscription) -> ExceptionRecord:
    event = outcome.delivery.event
    return ExceptionRecord(
        kind=ExceptionKind.BUSINESS_FAULT,
        plant=event.plant,
        source=f"subscription {to.name}",
        owner=to.owner,
        cause=f"{to.url} did not take {event.type} {event.subject}: {outcome.error}",
        payload=event.data,
        ref=outcome.delivery.delivery_id,
        correlation_id=event.correlationid,
    )
