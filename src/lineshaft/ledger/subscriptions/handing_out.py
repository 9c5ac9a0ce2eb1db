"""Events, handed out: what each subscriber is to be told, written with how far the streams were read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Connection, select

from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.ids import business_key
from lineshaft.core.ports import StreamPosition
from lineshaft.core.subscriptions import DeliveryState, FedEvent, Subscription, SubscriptionState
from lineshaft.core.values import moment_of
from lineshaft.ledger.subscriptions.book import read_subscriptions
from lineshaft.store import Store, Worker
from lineshaft.store.schema import deliveries, delivery_positions
from lineshaft.store.statements import insert_new, put
from lineshaft.store.workers import living_workers

__all__ = ["HandingOut"]


class HandingOut:
    """worker: this process among the others on this database, of which the first by name hands out."""

    def __init__(self, store: Store, worker: Worker, clock: Clock) -> None:
        self._store = store
        self._worker = worker
        self._clock = clock

    async def leads(self) -> bool:
        """Two that both think so, for a moment, write the same rows."""
        living = await self._store.read(living_workers)
        return min((name for name, _ in living), default="") == self._worker.name

    async def positions(self) -> dict[str, StreamPosition]:
        def ask(connection: Connection) -> dict[str, StreamPosition]:
            found = connection.execute(select(delivery_positions))
            return {row.stream: StreamPosition(row.seq, row.created) for row in found}

        return await self._store.read(ask)

    async def hand_out(self, fed: Sequence[FedEvent]) -> int:
        """What was handed out before changes nothing: a batch may come twice. How many are to be told.

        A paused subscription is handed its events, too, and told later; one that has ended is not.
        """
        at = rfc3339(self._clock.now())
        last: Mapping[str, StreamPosition] = {each.stream: each.position for each in fed}
        positions = [
            {"stream": stream, "created": position.created, "seq": position.sequence}
            for stream, position in last.items()
        ]

        def unit(connection: Connection) -> int:
            wanted = [
                _row(each, to, at)
                for to in read_subscriptions(connection)
                if to.state is not SubscriptionState.ENDED
                for each in fed
                if to.wants(each.event) and _came_after(each, to)
            ]
            insert_new(connection, deliveries, wanted)
            put(connection, delivery_positions, positions)
            return len(wanted)

        return await self._store.write(unit)


def _came_after(fed: FedEvent, subscription: Subscription) -> bool:
    """Nobody is told of what the backbone had before they asked."""
    stored = fed.position.stored_us
    return not stored or rfc3339(moment_of(stored)) >= subscription.created_at


def _row(fed: FedEvent, to: Subscription, at: str) -> dict[str, object]:
    event = fed.event
    return {
        "delivery_id": business_key("delivery", to.subscription_id, event.id),
        "subscription_id": to.subscription_id,
        "event_id": event.id,
        "stream": fed.stream,
        "seq": fed.position.sequence,
        "order_key": event.partitionkey or event.subject,
        "event": msgspec.json.encode(event).decode(),
        "state": DeliveryState.WAITING.value,
        "created_at": at,
    }
