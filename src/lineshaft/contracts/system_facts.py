"""What is known of connected systems, and of our own parts, as screens are told it."""

from __future__ import annotations

from datetime import datetime

from lineshaft.core.values import Value

__all__ = [
    "CallTimes",
    "CallUse",
    "ConsumerFacts",
    "OpenCalls",
    "OperationFacts",
    "OwnParts",
    "PauseFacts",
    "StreamFacts",
    "SystemFacts",
]


class OperationFacts(Value, frozen=True, kw_only=True):
    """reads_back: its outcome can be looked up when it is unknown; else that goes to a person"""

    name: str
    is_command: bool
    reads_back: bool


class PauseFacts(Value, frozen=True, kw_only=True):
    until: datetime
    reason: str
    by: str
    at: datetime


class SystemFacts(Value, frozen=True, kw_only=True):
    """How a system may be called, and how much of that is taken now.

    kinds              of system that it is, e.g. `erp`
    under_way          requests at this moment, of `concurrency`
    inside             calls in the door, waiting or under way, of `waiting`
    faults             technical ones in a row
    windows            declared maintenance, in words
    window             from when to when the open window is, or the next one; None: none is declared
    """

    name: str
    connector: str
    kinds: tuple[str, ...]
    capabilities: tuple[str, ...]
    operations: tuple[OperationFacts, ...]
    rate_per_s: float
    concurrency: int
    waiting: int
    deadline_s: float
    attempts: int
    under_way: int = 0
    inside: int = 0
    faults: int = 0
    windows: tuple[str, ...] = ()
    window: tuple[datetime, datetime] | None = None
    pause: PauseFacts | None = None


class CallUse(Value, frozen=True, kw_only=True):
    """One operation in the last hour. p50_ms … of calls that took effect, from claim to outcome

    faults  error code → how often, the most frequent first
    """

    system: str
    operation: str
    count: int
    posted: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    faults: tuple[tuple[str, int], ...] = ()


class OpenCalls(Value, frozen=True, kw_only=True):
    """state: `sending`, or `unknown`: sent, and nobody knows what came of it"""

    system: str
    state: str
    count: int
    oldest: datetime


class CallTimes(Value, frozen=True, kw_only=True):
    """is_cut: there were more calls than were looked at"""

    uses: tuple[CallUse, ...] = ()
    open: tuple[OpenCalls, ...] = ()
    is_cut: bool = False


class ConsumerFacts(Value, frozen=True, kw_only=True):
    """pending: messages that it has not got yet; unacked: that it has, and has not done"""

    name: str
    pending: int
    unacked: int
    again: int


class StreamFacts(Value, frozen=True, kw_only=True):
    """most_bytes: at which it refuses, or forgets the oldest"""

    name: str
    messages: int
    bytes: int
    most_bytes: int
    consumers: tuple[ConsumerFacts, ...] = ()


class OwnParts(Value, frozen=True, kw_only=True):
    """fault: why the streams cannot be told. outbox: events on their way to the backbone, 10,000 for more"""

    streams: tuple[StreamFacts, ...] = ()
    fault: str = ""
    store_bytes: int = 0
    store: str = ""
    disk_free: int = 0
    disk_total: int = 0
    outbox: int = 0
    telemetry_waiting: int | None = None
    telemetry_lag_ms: float | None = None
