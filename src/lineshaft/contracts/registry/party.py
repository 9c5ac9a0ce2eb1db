"""Who consumes and produces which contracts, and what of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated

import msgspec

from lineshaft.contracts.registry.contract import Kind, Name

__all__ = ["Direction", "Party", "Role", "broken_by"]


class Role(StrEnum):
    """Of an operation the consumer calls it, and the producer serves it."""

    CONSUMER = "consumer"
    PRODUCER = "producer"


class Direction(StrEnum):
    """backward: a new reader refuses what an old writer writes; forward: an old one what a new one does."""

    BACKWARD = "backward"
    FORWARD = "forward"
    BOTH = "both"


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """One registration.

    fields        paths of what it uses, such as `quantity.value`; empty: all
    environments  in which it runs; empty: in each
    place         `file:line` where it is said; empty for one that registered by API
    """

    party: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    contract: Name
    major: Annotated[int, msgspec.Meta(ge=1)]
    role: Role = Role.CONSUMER
    fields: Sequence[str] = ()
    contact: str = ""
    environments: Sequence[str] = ()
    place: str = ""

    def is_in(self, environment: str) -> bool:
        return not environment or not self.environments or environment in self.environments

    def uses(self, field: str) -> bool:
        """Whether a change at this path, or anywhere below or above it, is at what it uses."""
        if not self.fields or not field:
            return True
        changed = _steps(field)
        for each in self.fields:
            used = _steps(each)
            shorter = min(len(used), len(changed))
            if used[:shorter] == changed[:shorter]:
                return True
        return False


def broken_by(parties: Iterable[Party], kind: Kind, part: str, direction: str, field: str) -> list[Party]:
    """Those whom a change of a contract would break. `parties`: of that contract and major.

    field  path of what changed; empty: the whole

    Readers of events, replies and external payloads are the consumers; of requests, the producers. A backward
    break refuses what old writers write, a forward break is not understood by old readers.
    """
    readers, writers = Role.CONSUMER, Role.PRODUCER
    if kind is Kind.OPERATION and part == "request":
        readers, writers = writers, readers
    hit = {Direction.BACKWARD: {writers}, Direction.FORWARD: {readers}}.get(
        Direction(direction), {readers, writers}
    )
    return [party for party in parties if party.role in hit and party.uses(field)]


def _steps(path: str) -> list[str]:
    """What is in an array goes by the array's name: `lines[].quantity` and `lines.quantity` are the same."""
    return re.sub(r"\[[0-9]*\]", "", path).split(".")
