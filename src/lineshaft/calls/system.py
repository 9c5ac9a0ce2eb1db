"""One connected system as the door sees it: its connector, operations, limits, breaker and maintenance."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from lineshaft.calls.limits import Breaker, Inside, Limits
from lineshaft.calls.maintenance import Maintenance
from lineshaft.contracts.capability import Capability, Operation, bind
from lineshaft.core.call_policy import CallPolicy
from lineshaft.core.clock import Clock
from lineshaft.core.ports import Connector

__all__ = ["System", "Tally"]

_UTC = ZoneInfo("UTC")


class Tally:
    """Since the start: requests that a connector was handed, look-ups with them; calls that tried again."""

    __slots__ = ("requests", "retries")

    def __init__(self) -> None:
        self.requests = 0
        self.retries = 0


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
        self.tally = Tally()

    def reads_back(self, operation: Operation) -> bool:
        return operation.name in self.connector.manifest.reads_back
