"""One connected system as the door sees it: its connector, operations, limits, breaker and maintenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

from lineshaft.calls.limits import Breaker, Inside, Limits
from lineshaft.calls.maintenance import Maintenance, Window
from lineshaft.contracts.capability import Capability, Operation, bind
from lineshaft.core.clock import Clock
from lineshaft.core.ports import Connector

__all__ = ["CallPolicy", "System"]

_UTC = ZoneInfo("UTC")
_Positive = Annotated[float, msgspec.Meta(gt=0)]
_Seconds = Annotated[float, msgspec.Meta(ge=0)]
_Count = Annotated[int, msgspec.Meta(ge=1)]


class CallPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """waiting      calls that may wait or be under way; one more is told to come back later
    deadline_s   time for one attempt
    attempts     attempts of one call before it is left to the caller to come back later
    backoff_s    wait before the second attempt; doubles, with full jitter, up to backoff_max_s
    settle_s     after an unknown outcome: how long the target may still be at work on the request, so
                 that only a second look-up after this time may say "it did not happen"
    maintenance  when no request is sent
    """

    rate_per_s: _Positive = 200.0
    concurrency: _Count = 16
    waiting: _Count = 128
    deadline_s: _Positive = 10.0
    attempts: _Count = 4
    backoff_s: _Seconds = 0.2
    backoff_max_s: _Seconds = 2.0
    settle_s: _Seconds = 2.0
    maintenance: list[Window] = msgspec.field(default_factory=list)


class System:
    """zone: of the plant, in which the windows of maintenance are meant."""

    def __init__(
        self,
        name: str,
        connector: Connector,
        capabilities: Mapping[str, type[Capability]],
        policy: CallPolicy,
        clock: Clock,
        zone: ZoneInfo = _UTC,
    ) -> None:
        self.name = name
        self.connector = connector
        self.operations: Mapping[str, Operation] = bind(connector, capabilities)
        self.policy = policy
        self.breaker = Breaker(name, clock)
        self.limits = Limits(rate_per_s=policy.rate_per_s, concurrency=policy.concurrency)
        self.inside = Inside(name, most=policy.waiting, rate_per_s=policy.rate_per_s)
        self.maintenance = Maintenance(name, policy.maintenance, zone, clock)

    def reads_back(self, operation: Operation) -> bool:
        return operation.name in self.connector.manifest.reads_back
