"""Deliveries that are to be tried again, or not any more, by a person's decision."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from lineshaft.core.subscriptions import DeliveryState, SubscriptionState
from lineshaft.store.schema import deliveries, subscriptions

__all__ = ["deliver_again", "drop"]


def deliver_again(connection: Connection, ids: Sequence[str]) -> None:
    """Inside a unit of work: with all their attempts before them, and an endpoint that was given up, too."""
    these = deliveries.c.delivery_id.in_(ids)
    connection.execute(
        update(deliveries)
        .where(these)
        .values(state=DeliveryState.WAITING.value, attempts=0, due_at=0.0, finished_at="")
    )
    theirs = subscriptions.c.subscription_id.in_(select(deliveries.c.subscription_id).where(these))
    connection.execute(
        update(subscriptions)
        .where(theirs, subscriptions.c.state == SubscriptionState.SUSPENDED.value)
        .values(state=SubscriptionState.ACTIVE.value, cause="")
    )


def drop(connection: Connection, delivery_id: str, at: str) -> None:
    """Inside a unit of work: what follows it in its order goes on."""
    failed = (deliveries.c.delivery_id == delivery_id) & (deliveries.c.state == DeliveryState.FAILED.value)
    connection.execute(
        update(deliveries).where(failed).values(state=DeliveryState.DROPPED.value, finished_at=at)
    )
