"""A process: an async function with a name, a version, what starts it and what it may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec

from lineshaft.contracts.capability import Capability
from lineshaft.contracts.event import EventContract
from lineshaft.core.values import Value
from lineshaft.processes.context import Context

__all__ = ["ProcessDefinition", "process"]

T = TypeVar("T", bound=Value)
R = TypeVar("R", bound=Value)


class ProcessDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """key: business key of an instance, from its starting event: the same key never starts twice."""

    name: str
    version: int
    starts_on: EventContract[Any]
    key: Callable[[Any], str]
    uses: Sequence[type[Capability]]
    waits_on: Sequence[EventContract[Any]]
    owner: str
    run: Callable[[Context, Any], Awaitable[Value]]

    @property
    def actor(self) -> str:
        return f"process:{self.name}"

    @property
    def operations(self) -> frozenset[str]:
        """What it may ask the one door for."""
        return frozenset(
            operation.name for capability in self.uses for operation in capability.operations.values()
        )


def process(
    *,
    name: str,
    version: int,
    starts_on: EventContract[T],
    key: Callable[[T], str],
    uses: Sequence[type[Capability]],
    waits_on: Sequence[EventContract[Any]] = (),
    owner: str,
) -> Callable[[Callable[[Context, T], Awaitable[R]]], ProcessDefinition]:
    def define(run: Callable[[Context, T], Awaitable[R]]) -> ProcessDefinition:
        return ProcessDefinition(
            name=name,
            version=version,
            starts_on=starts_on,
            key=key,
            uses=uses,
            waits_on=waits_on,
            owner=owner,
            run=run,
        )

    return define
