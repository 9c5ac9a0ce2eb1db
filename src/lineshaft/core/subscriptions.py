"""Who is told of which events outside: subscriptions, and the events that are handed out to them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Protocol

import msgspec

from lineshaft.core.ports import StreamPosition
from lineshaft.core.values import Event

__all__ = [
    "DeliveryState",
    "EventFeed",
    "FedEvent",
    "Subscription",
    "SubscriptionBook",
    "SubscriptionState",
    "bare_type",
    "is_told",
]

_VERSION = re.compile(r"\.v[1-9][0-9]*$")


class SubscriptionState(StrEnum):
    """suspended: its endpoint was away for longer than is tried; ended: it said that it is gone."""

    ACTIVE = "active"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    ENDED = "ended"


class DeliveryState(StrEnum):
    """failed: a person has to look, and what follows in its order waits; dropped: by a person's decision."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """types    event types, or beginnings of some that end in `*`
    subject  only events of this one; empty: of any
    plants   only events of these; `*`: of any
    owner    the desk for what cannot be delivered
    cause    why it is in a state other than active
    """

    subscription_id: str
    name: str
    account: str
    url: str
    types: list[str]
    subject: str = ""
    plants: list[str] = []
    owner: str = "integration"
    state: SubscriptionState = SubscriptionState.ACTIVE
    cause: str = ""
    created_by: str = ""
    created_at: str = ""

    def wants(self, event: Event) -> bool:
        return (
            is_told(event.type, self.types)
            and self.subject in ("", event.subject)
            and ("*" in self.plants or event.plant in self.plants)
        )


def is_told(kind: str, types: Collection[str]) -> bool:
    """Whether an event type is one of these, or begins as one that ends in `*` does."""
    return kind in types or any(each.endswith("*") and kind.startswith(each[:-1]) for each in types)


@lru_cache(maxsize=1024)
def bare_type(kind: str) -> str:
    """Without its version, as permissions name it."""
    return _VERSION.sub("", kind)


class FedEvent(msgspec.Struct, frozen=True):
    """An event and its place: position.sequence in the stream of that name."""

    stream: str
    position: StreamPosition
    event: Event


class EventFeed(Protocol):
    """Operational and transactional events as the backbone has them, each stream in its own order."""

    async def newest(self) -> Mapping[str, StreamPosition]:
        """By stream, the last that it has. raises  TransientFault"""
        ...

    async def oldest(self) -> Mapping[str, StreamPosition]:
        """By stream, the place before the first that it still has. raises  TransientFault"""
        ...

    def follow(
        self,
        after: Mapping[str, StreamPosition],
        *,
        types: Collection[str] = (),
        since: datetime | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[Sequence[FedEvent]]]:
        """All after these positions and then what comes, each once, until left; never an empty batch.

        types  only these; none given: all
        since  where to begin in a stream that has no position
        """
        ...


class SubscriptionBook(Protocol):
    """What the HTTP API may do. Those that change something raise PermanentFault, code reason_missing,
    no_such_subscription or subscription_exists; all raise TransientFault when the store is away."""

    async def add(self, subscription: Subscription, secret: str, *, by: str, reason: str) -> Subscription: ...

    async def listing(self) -> list[Subscription]: ...

    async def get(self, ref: str) -> Subscription:
        """ref: its id or name"""
        ...

    async def change(self, ref: str, state: SubscriptionState, *, by: str, reason: str) -> Subscription: ...

    async def deliveries(self, ref: str, *, state: str = "", limit: int = 100) -> list[dict[str, object]]:
        """The newest first."""
        ...

    async def redeliver(self, ref: str, ids: Sequence[str], *, by: str, reason: str) -> list[str]:
        """ids: of deliveries; none: all that failed. Those that wait now."""
        ...
