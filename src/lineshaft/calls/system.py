"""One connected system as the door sees it: its connector, operations, limits and breaker."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lineshaft.calls.limits import Breaker, Limits
from lineshaft.contracts.capability import Capability, Operation, bind
from lineshaft.core.clock import Clock
from lineshaft.core.ports import Connector

__all__ = ["CallPolicy", "System"]


class CallPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """deadline_s   time for one attempt
    attempts     attempts of one call before it is left to the caller to come back later
    backoff_s    wait before the second attempt; doubles, with full jitter, up to backoff_max_s
    settle_s     after an unknown outcome: how long the target may still be at work on the request, so
                 that only a second look-up after this time may say "it did not happen"
    """

    rate_per_s: float = 200.0
    concurrency: int = 16
    deadline_s: float = 10.0
    attempts: int = 4
    backoff_s: float = 0.2
    backoff_max_s: float = 2.0
    settle_s: float = 2.0


class System:
    def __init__(
        self,
        name: str,
        connector: Connector,
        capabilities: Mapping[str, type[Capability]],
        policy: CallPolicy,
        clock: Clock,
    ) -> None:
        self.name = name
        self.connector = connector
        self.operations: Mapping[str, Operation] = bind(connector, capabilities)
        self.policy = policy
        self.breaker = Breaker(name, clock)
        self.limits = Limits(rate_per_s=policy.rate_per_s, concurrency=policy.concurrency)

    def reads_back(self, operation: Operation) -> bool:
        return operation.name in self.connector.manifest.reads_back
