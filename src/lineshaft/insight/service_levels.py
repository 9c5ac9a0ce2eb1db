"""How soon what happens is to be done: service level and domain of each event, operation and process."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from lineshaft.contracts.capability import Capability
from lineshaft.contracts.event import EventContract
from lineshaft.core.standing import DOMAINS, OTHER

__all__ = ["CALL", "EVENT", "PROCESS", "ServiceLevels", "Started", "service_levels"]

EVENT, CALL, PROCESS = "event", "call", "process"
_USUAL_CALL_S = 60.0
_STEPS_OF_A_PROCESS = 12
_LEAST_PROCESS_S = 60.0
_OF_OWNERS = {
    "warehouse": "inventory",
    "sales": "customer",
    "plant-engineering": "equipment",
    "engineering": "masterdata",
    "master-data": "masterdata",
    "integration": "platform",
}


class Started(Protocol):
    """A process definition, as far as it matters here."""

    @property
    def name(self) -> str: ...
    @property
    def starts_on(self) -> EventContract[Any] | None: ...
    @property
    def waits_on(self) -> Any: ...
    @property
    def owner(self) -> str: ...


class ServiceLevels(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, and domains, by event type, operation and process.

    events     from the fact until it is recorded
    calls      from the claim until it is posted or rejected
    processes  how long one may run, retry or be parked without getting on
    ends       from its start to its end; not for one that waits for people, unless the settings say so
    """

    events: Mapping[str, float]
    calls: Mapping[str, float]
    processes: Mapping[str, float]
    ends: Mapping[str, float]
    domains: Mapping[tuple[str, str], str]

    def domain(self, kind: str, subject: str) -> str:
        if found := self.domains.get((kind, subject)):
            return found
        return domain_of_owner(subject.partition(".")[0]) if kind == EVENT else OTHER

    def call_s(self, operation: str) -> float:
        return self.calls.get(operation, _USUAL_CALL_S)

    def process_s(self, name: str) -> float:
        """Infinite for one whose definition is not here."""
        return self.processes.get(name, math.inf)


def service_levels(
    events: Mapping[str, EventContract[Any]],
    capabilities: Mapping[str, type[Capability]],
    processes: Mapping[str, Started] | None = None,
    given: Mapping[str, float] | None = None,
) -> ServiceLevels:
    """given: seconds by process, from the settings.

    A call has as long as the event that it emits, else a minute. A process has twelve times as long as the
    event that starts it, and at least a minute: it is a chain of such calls.
    """
    operations = [each for capability in capabilities.values() for each in capability.operations.values()]
    domains = {(EVENT, kind): kind.partition(".")[0] for kind in events}
    for operation in operations:
        emitted = operation.emits.type.partition(".")[0] if operation.emits else ""
        domains[CALL, operation.name] = emitted or domain_of_owner(operation.owner)
    known, given = processes or {}, given or {}
    runs, ends = dict(given), dict(given)
    for name, process in known.items():
        start = process.starts_on
        domains[PROCESS, name] = domain_of_owner(process.owner)
        level = max(_LEAST_PROCESS_S, _STEPS_OF_A_PROCESS * (start.sla_s if start else 0))
        runs.setdefault(name, level)
        if not process.waits_on:
            ends.setdefault(name, level)
    return ServiceLevels(
        events={kind: contract.sla_s for kind, contract in events.items()},
        calls={operation.name: operation.emits.sla_s for operation in operations if operation.emits},
        processes=runs,
        ends=ends,
        domains=domains,
    )


def domain_of_owner(owner: str) -> str:
    """Of what is a desk's: the domain of its name, or the one that it looks after."""
    found = _OF_OWNERS.get(owner, owner)
    return found if found in DOMAINS else OTHER
