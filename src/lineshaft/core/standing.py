"""How the plants stand: what insight finds out and the console shows."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

__all__ = [
    "DOMAINS",
    "OTHER",
    "Cell",
    "CellState",
    "Desk",
    "Flow",
    "Late",
    "LateRow",
    "Recent",
    "Standing",
    "Work",
]


OTHER = "other"
DOMAINS = (
    *("production", "equipment", "maintenance", "quality", "inventory", "logistics", "planning"),
    *("procurement", "finance", "customer", "masterdata", "platform", OTHER),
)
"""Of event types, in the order in which they are shown. What belongs to none of them is `other`."""


class Late(msgspec.Struct, frozen=True, kw_only=True):
    """What is over its service level now; of events, what was recorded too late in the last hour.

    kind     call, process or event
    subject  operation, process or event type
    oldest   RFC 3339: since when; empty for events
    level_s  the service level
    """

    kind: str
    subject: str
    plant: str
    domain: str
    count: int
    oldest: str
    level_s: float


class LateRow(msgspec.Struct, frozen=True, kw_only=True):
    """One of them. key: under which `trace` finds it; name: the system, of an event what it is about;
    ends: when it was recorded, empty while it goes on."""

    key: str
    name: str
    state: str
    begins: str
    ends: str
    cause: str


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Calls or processes that have not ended, by state. oldest: of processes, in this state."""

    kind: str
    subject: str
    plant: str
    domain: str
    state: str
    count: int
    oldest: str


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """Open exceptions of one owner in one plant."""

    owner: str
    plant: str
    domain: str
    count: int
    oldest: str


class Recent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. kind: event, call or process; key: its id; about: whom or what it is about."""

    kind: str
    key: str
    name: str
    about: str
    plant: str
    state: str
    at: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """begins      epoch seconds from which, without a gap to now, it is known what happened; not long before
                the first of it. None: not yet
    late        the most first
    outbox      events that the backbone does not have yet; None for who sees only some plants
    outbox_oldest  RFC 3339, empty: none
    lag_s       at most, from the fact until it was recorded, of 95 % of the last five minutes' events;
                None: there were none
    """

    begins: int | None
    plants: Sequence[str]
    late: Sequence[Late]
    work: Sequence[Work]
    desks: Sequence[Desk]
    outbox: int | None
    outbox_oldest: str
    lag_s: float | None


class CellState(StrEnum):
    """From the worst.

    stopped   something is late, and nothing got through for a quarter of an hour
    degraded  something is late, parked or open
    starting  it is not known yet what happened lately
    active    something happened in the last quarter of an hour
    idle      nothing did
    """

    STOPPED = "stopped"
    DEGRADED = "degraded"
    STARTING = "starting"
    ACTIVE = "active"
    IDLE = "idle"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A domain of a plant. in_hour: events, calls and processes of the last hour, failed: those of them."""

    plant: str
    domain: str
    state: CellState
    late: int
    parked: int
    exceptions: int
    in_hour: int
    failed: int


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """Events, calls or processes of one stretch of time that begins at `at`, epoch seconds.

    p50_s, p95_s   of their latency; None where nothing has one
    """

    at: int
    kind: str
    count: int
    failed: int
    late: int
    p50_s: float | None
    p95_s: float | None
