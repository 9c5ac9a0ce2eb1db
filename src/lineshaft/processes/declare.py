"""`@process`: make an async function a process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from lineshaft.contracts.capability import Capability
from lineshaft.contracts.event import EventContract
from lineshaft.core.values import Value
from lineshaft.processes.context import Context
from lineshaft.processes.definition import ProcessDefinition

__all__ = ["process"]

T = TypeVar("T", bound=Value)
R = TypeVar("R", bound=Value)


def process(
    *,
    name: str,
    version: int,
    starts_on: EventContract[T] | None = None,
    key: Callable[[T], str],
    uses: Sequence[type[Capability]] = (),
    waits_on: Sequence[EventContract[Any]] = (),
    children: Sequence[ProcessDefinition] = (),
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
            children=children,
            owner=owner,
            run=run,
        )

    return define
