"""What a batch has come to so far, brought into order at the end."""

from __future__ import annotations

from typing import TypeAlias

from lineshaft.core.values import ExceptionKind, RawBatch, Value
from lineshaft.telemetry.rules.watch import Found, WatchFault

__all__ = ["Place", "Told"]

Place: TypeAlias = tuple[int, int, int, int, int]
"""(message, 0 or 1 for a virtual tag, index of the reading, rank of the rule, number of the window or 0)"""


class Told:
    def __init__(self, batch: RawBatch) -> None:
        self._batch = batch
        self._facts: list[tuple[Place, Value]] = []
        self._faults: dict[tuple[str, ExceptionKind, str], int] = {}

    def fact(self, place: Place, fact: Value) -> None:
        self._facts.append((place, fact))

    def found(self, place: Place, found: Found) -> None:
        for one in found:
            if isinstance(one, WatchFault):
                self.fault(place[0], one)
            else:
                self._facts.append((place, one))

    def fault(self, message: int, fault: WatchFault) -> None:
        self._faults.setdefault((self._batch.topics[message], fault.kind, fault.cause), message)

    def facts(self) -> list[Value]:
        """Those of one place in the order in which they were told."""
        return [fact for _, fact in sorted(self._facts, key=lambda one: one[0])]

    def faults(self) -> list[tuple[int, ExceptionKind, str]]:
        return [(message, kind, cause) for (_, kind, cause), message in self._faults.items()]
