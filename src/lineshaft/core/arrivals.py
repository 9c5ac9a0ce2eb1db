"""Events as they come in from outside, each taken once however often it is told."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

import msgspec

from lineshaft.core.ids import business_key
from lineshaft.core.requests import RequestNote
from lineshaft.core.values import Event

__all__ = ["Arrival", "Taken", "TakesEvents", "arrival_id"]


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """told_as: its identity with its sender, `<source>|<id>`, of which the event's own id is made;
    fingerprint: of its type and data."""

    event: Event
    told_as: str
    fingerprint: str
    caller: str


class Taken(Enum):
    """What became of one. REUSED: its identity is that of an event with other content; nothing was taken."""

    NEW = "new"
    REPLAYED = "replayed"
    REUSED = "reused"


class TakesEvents(Protocol):
    async def take(self, arrivals: Sequence[Arrival], note: RequestNote | None = None) -> Sequence[Taken]:
        """All of them on disk with the note, on their way to the backbone, or nothing where one is REUSED.

        raises  TransientFault when the store is away
        """
        ...


def arrival_id(told_as: str) -> str:
    """The event's id here. Ids of different senders may be alike, so theirs alone is none."""
    return business_key("event", "", told_as)
