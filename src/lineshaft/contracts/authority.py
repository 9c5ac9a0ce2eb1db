"""Data authority: which system masters which field of an entity here, and who may change what it masters.

A command to the master is a request to it, open to whoever may call the operation. A command to another
system, and an event, that carry a mastered field are for who speaks for its master. Processes act for the
source of the event that started them: the door does not ask here for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import msgspec

from lineshaft.contracts.capability import Operation
from lineshaft.contracts.event import EventContract
from lineshaft.core.access import LOCAL, Caller
from lineshaft.core.errors import ConfigError, PermanentFault
from lineshaft.core.values import Value
from lineshaft.model.entities import ENTITIES, Entity

__all__ = ["Authority", "Master", "Overrides"]

Overrides = Mapping[str, str | Mapping[str, str]]
"""Entity → connected system, or field → connected system."""


class Master(msgspec.Struct, frozen=True, kw_only=True):
    """field    empty: all that have no row of their own
    kind     of system, as the entity says; empty where the settings name a system instead
    systems  connected ones that are it; none: nobody can change the field but processes
    """

    entity: str
    field: str
    kind: str
    systems: tuple[str, ...]


class Authority:
    def __init__(self, systems: Mapping[str, Set[str]], overrides: Overrides | None = None) -> None:
        """systems: the connected ones, with the kinds that each is

        raises  ConfigError for overrides that name what there is not
        """
        self._systems = systems
        self._declared: dict[tuple[str, str], str] = {}
        findings = [
            finding for entity, said in (overrides or {}).items() for finding in self._take(entity, said)
        ]
        if findings:
            raise ConfigError("the data authority is not as it can be", findings=findings)

    def _take(self, name: str, said: str | Mapping[str, str]) -> Iterator[str]:
        entity = ENTITIES.get(name)
        if entity is None:
            yield f"authority.{name}: is no entity; known: {', '.join(sorted(ENTITIES))}"
            return
        for field, system in [("", said)] if isinstance(said, str) else said.items():
            place = f"authority.{name}" + (f".{field}" if field else "")
            if field and field not in entity.value.__struct_fields__:
                yield f"{place}: is no field; known: {', '.join(entity.value.__struct_fields__)}"
            elif system not in self._systems:
                known = ", ".join(self._systems) or "none"
                yield f"{place}: no system {system!r} is connected; known: {known}"
            elif not self._systems[system] & (able := _able(entity)):
                yield f"{place}: {system} is no {' or '.join(sorted(able))}, which can master {name}"
            else:
                self._declared[name, field] = system

    @property
    def systems(self) -> Mapping[str, Set[str]]:
        """The connected ones, with the kinds that each is."""
        return self._systems

    def master(self, entity: Entity, field: str) -> Master:
        declared = self._declared.get((entity.name, field)) or self._declared.get((entity.name, ""))
        if declared:
            return Master(entity=entity.name, field=field, kind="", systems=(declared,))
        kind = str(entity.master_of(field)) if field else str(entity.system_of_record)
        systems = tuple(name for name, kinds in self._systems.items() if kind in kinds)
        return Master(entity=entity.name, field=field, kind=kind, systems=systems)

    def matrix(self) -> list[Master]:
        """Each entity, and beside it the fields that another system masters."""
        return [
            self.master(entity, field)
            for entity in ENTITIES.values()
            for field in ("", *sorted(self._apart(entity)))
        ]

    def _apart(self, entity: Entity) -> set[str]:
        declared = {field for name, field in self._declared if name == entity.name and field}
        return declared | (set() if (entity.name, "") in self._declared else set(entity.mastered_elsewhere))

    def check_command(self, caller: Caller, operation: Operation, request: Value, target: str) -> None:
        """target: name of the system that the command goes to

        raises  PermanentFault naming each field that is another's
        """
        if caller == LOCAL or not operation.is_command:
            return
        refused = self._refused(caller, operation.entity, request, frozenset({target, caller.system}))
        if refused:
            raise PermanentFault(
                f"{caller.name} may not change this: {'; '.join(refused)}",
                code="not_the_master",
                hint="let its system of record do it, or a process that acts for that",
            )

    def of_event(self, caller: Caller, contract: EventContract[Any], value: Value) -> Sequence[str]:
        """Why this caller may not tell this. Empty: it may."""
        if caller == LOCAL:
            return ()
        return self._refused(caller, contract.entity, value, frozenset({caller.system}))

    def _refused(self, caller: Caller, name: str, value: Value, speakers: frozenset[str]) -> list[str]:
        entity = ENTITIES.get(name)
        if entity is None:
            return []
        return [
            f"{name}.{field} is mastered by {_said(master)}; {_speaks(caller)}"
            for field in _carried(entity, value)
            if speakers.isdisjoint((master := self.master(entity, field)).systems)
        ]


def _able(entity: Entity) -> set[str]:
    return {str(kind) for kind in (entity.system_of_record, *entity.alternatives)} | {
        str(kind) for kind in entity.mastered_elsewhere.values()
    }


def _carried(entity: Entity, value: Value) -> list[str]:
    """The entity's fields that a value says something of."""
    own = entity.value.__struct_fields__
    return [name for name in value.__struct_fields__ if name in own and getattr(value, name) not in _NOTHING]


_NOTHING: tuple[Any, ...] = (None, "", [], (), msgspec.UNSET)


def _said(master: Master) -> str:
    missing = f"{master.kind}, which is not connected (`authority` in the settings may name another)"
    return ", ".join(master.systems) or missing


def _speaks(caller: Caller) -> str:
    return f"{caller.name} speaks for {caller.system or 'no system'}"
