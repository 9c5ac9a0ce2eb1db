"""A process: an async function with a name, a version, what starts it and what it may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, get_type_hints

from lineshaft.contracts.capability import Capability, Operation
from lineshaft.contracts.event import EventContract
from lineshaft.contracts.schema import PayloadSchema
from lineshaft.core.ids import business_key
from lineshaft.core.values import Value

__all__ = ["ProcessDefinition", "starters", "with_children"]


class ProcessDefinition:
    """One version of a process.

    starts_on  the event that starts an instance; None for one that only other processes start
    key        business key of an instance, from what starts it: the same key never starts twice
    children   processes that it may start
    """

    def __init__(
        self,
        *,
        name: str,
        version: int,
        starts_on: EventContract[Any] | None,
        key: Callable[[Any], str],
        uses: Sequence[type[Capability]],
        waits_on: Sequence[EventContract[Any]],
        children: Sequence[ProcessDefinition],
        owner: str,
        run: Callable[..., Awaitable[Value]],
    ) -> None:
        self.name = name
        self.version = version
        self.starts_on = starts_on
        self.key = key
        self.uses = uses
        self.waits_on = waits_on
        self.children = children
        self.owner = owner
        self.run = run
        self.actor = f"process:{name}"

    @cached_property
    def operations(self) -> dict[str, Operation]:
        """What it may ask the one door for, by name."""
        return {
            operation.name: operation
            for capability in self.uses
            for operation in capability.operations.values()
        }

    @cached_property
    def _types(self) -> tuple[type[Value], type[Value]]:
        hints = get_type_hints(self.run)
        result = hints.pop("return")
        _, given = hints.values()
        return given, result

    @cached_property
    def input_schema(self) -> PayloadSchema[Value]:
        return PayloadSchema(f"{self} input", self._types[0], {})

    @cached_property
    def result_schema(self) -> PayloadSchema[Value]:
        return PayloadSchema(f"{self} result", self._types[1], {})

    def instance_id(self, key: str) -> str:
        """Of the one instance that this business key ever starts, in whichever version."""
        return business_key("process", self.name, key)

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


def with_children(definitions: Sequence[ProcessDefinition]) -> Iterator[ProcessDefinition]:
    """These and all that they may start."""
    for definition in definitions:
        yield definition
        yield from with_children(definition.children)


def starters(definitions: Sequence[ProcessDefinition]) -> dict[str, list[ProcessDefinition]]:
    """By event type, what it starts: the newest versions, as older ones only finish what they began."""
    every = sorted(with_children(definitions), key=lambda each: each.version)
    newest = {definition.name: definition for definition in every}
    found: dict[str, list[ProcessDefinition]] = {}
    for definition in newest.values():
        if definition.starts_on is not None:
            found.setdefault(definition.starts_on.type, []).append(definition)
    return found
