"""Every contract with all that is known of it, for catalogues: what it says, its versions, who uses it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

import msgspec

from lineshaft.contracts.capability import Operation
from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS
from lineshaft.contracts.event import EventContract
from lineshaft.contracts.examples import example, example_of
from lineshaft.contracts.fields import Field, about, fields_of
from lineshaft.contracts.registry.contract import Contract, Kind, State
from lineshaft.contracts.registry.live import LiveContract
from lineshaft.contracts.registry.party import Party, Role

__all__ = ["Entry", "EntryPart", "EntryVersion", "declared_entries", "entries", "users_of"]


class EntryPart(msgspec.Struct, frozen=True, kw_only=True):
    """name: `data` of an event or external payload, `request` or `reply` of an operation."""

    name: str
    about: str
    fields: Sequence[Field]
    document: Mapping[str, Any]
    example: Any = None


class EntryVersion(msgspec.Struct, frozen=True, kw_only=True):
    """at: RFC 3339, when it was published; sunset: a date from which its major may be gone."""

    version: str
    state: State
    at: str = ""
    by: str = ""
    sunset: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """name                  without the major, as in the registry
    describe              makes the parts: each costs a JSON Schema
    field_names           of its payloads, not of what is nested in them
    producers, consumers  kinds of systems that it is meant for
    parties               that are registered
    is_command            an operation that changes its system
    """

    name: str
    major: int
    kind: Kind
    owner: str
    summary: str = ""
    eventclass: str = ""
    key: str = ""
    order_by: str = ""
    sla: str = ""
    sla_s: float = 0.0
    entity: str = ""
    system_of_record: str = ""
    producers: Sequence[str] = ()
    consumers: Sequence[str] = ()
    is_command: bool = False
    emits: str = ""
    describe: Callable[[], Sequence[EntryPart]] = tuple
    field_names: Sequence[str] = ()
    versions: Sequence[EntryVersion] = ()
    parties: Sequence[Party] = ()

    @property
    def id(self) -> str:
        """`production.order.released.v1`; an operation has no major in its name."""
        return f"{self.name}.v{self.major}" if self.kind is Kind.EVENT else self.name

    @property
    def parts(self) -> Sequence[EntryPart]:
        return self.describe()

    @property
    def domain(self) -> str:
        return self.name.partition(".")[0]

    @property
    def state(self) -> State:
        """Of the newest version; what is only declared, and in no registry, counts as published."""
        return self.versions[-1].state if self.versions else State.PUBLISHED

    def in_role(self, role: Role) -> list[Party]:
        return [party for party in self.parties if party.role is role]


def users_of(entry: Entry, field: Field) -> list[str]:
    """Registered consumers that a change of this field could break."""
    path = field.path.replace("[]", "")
    return sorted({party.party for party in entry.in_role(Role.CONSUMER) if party.uses(path)})


@cache
def declared_entries() -> tuple[Entry, ...]:
    """Of the contracts that come with the product, by name."""
    operations = (each for kind in CAPABILITIES.values() for each in kind.operations.values())
    found = [*map(_of_event, EVENTS.values()), *map(_of_operation, operations)]
    return tuple(sorted(found, key=lambda entry: (entry.name, entry.major)))


def entries(
    contracts: Collection[Contract] = (), live: Collection[LiveContract] = (), parties: Iterable[Party] = ()
) -> list[Entry]:
    """The declared contracts and those of others, with versions, states and parties where they are known.

    contracts  with all their versions, as files have them
    live       what is live in an environment: one version of each
    """
    versions = _versions(contracts, live)
    known = {(entry.name, entry.major): entry for entry in declared_entries()}
    for contract in contracts:
        for major in {each.version.major for each in contract.versions}:
            newest = [each for each in contract.versions if each.version.major == major][-1]
            key = (contract.name, major)
            known.setdefault(key, _other(*key, contract.kind, contract.owner, newest.document))
    for each in live:
        key = (each.name, each.major)
        known.setdefault(key, _other(*key, each.kind, each.owner, each.document))
    registered: dict[tuple[str, int], list[Party]] = {}
    for party in parties:
        registered.setdefault((party.contract, party.major), []).append(party)
    return [
        msgspec.structs.replace(
            entry,
            versions=versions.get(key, ()),
            parties=sorted(registered.get(key, ()), key=lambda party: (party.role, party.party)),
        )
        for key, entry in sorted(known.items())
    ]


def _of_event(event: EventContract[Any]) -> Entry:
    name, _, major = event.type.rpartition(".v")
    return Entry(
        name=name,
        major=int(major),
        kind=Kind.EVENT,
        owner=event.owner,
        summary=event.summary,
        eventclass=str(event.eventclass),
        key=event.key,
        order_by=event.order_by,
        sla=str(event.sla),
        sla_s=event.sla_s,
        entity=event.entity,
        system_of_record=str(event.system_of_record or ""),
        producers=[str(kind) for kind in event.producers],
        consumers=[str(kind) for kind in event.consumers],
        describe=partial(_of_data, event),
        field_names=event.data.__struct_fields__,
    )


def _of_operation(operation: Operation) -> Entry:
    return Entry(
        name=operation.name,
        major=1,
        kind=Kind.OPERATION,
        owner=operation.owner,
        summary=operation.summary,
        key=", ".join(operation.key),
        order_by=", ".join(operation.order),
        entity=operation.entity,
        system_of_record=operation.system_of_record,
        producers=[operation.system_kind],
        is_command=operation.is_command,
        emits=operation.emits.type if operation.emits else "",
        describe=partial(_of_request_and_reply, operation),
        field_names=(*operation.request.__struct_fields__, *operation.reply.__struct_fields__),
    )


@cache
def _of_data(event: EventContract[Any]) -> tuple[EntryPart, ...]:
    return (_part("data", event.schema.document, example(event)),)


@cache
def _of_request_and_reply(operation: Operation) -> tuple[EntryPart, ...]:
    return (
        _part("request", operation.request_schema.document, example(operation)),
        _part("reply", operation.reply_schema.document, example_of(operation.reply)),
    )


def _other(name: str, major: int, kind: Kind, owner: str, document: Mapping[str, Any]) -> Entry:
    """One that only the registry knows."""
    parts = document if kind is Kind.OPERATION else {"data": document}
    made = [
        _part(part, schema, next(iter(schema.get("examples", ())), None)) for part, schema in parts.items()
    ]
    summary = str(made[0].document.get("title", "")) if made else ""
    names = [field.path for part in made for field in part.fields]
    return Entry(
        name=name,
        major=major,
        kind=kind,
        owner=owner,
        summary=summary,
        describe=lambda: made,
        field_names=names,
    )


def _part(name: str, document: Mapping[str, Any], sample: Any) -> EntryPart:
    return EntryPart(
        name=name, about=about(document), fields=fields_of(document), document=document, example=sample
    )


def _versions(
    contracts: Collection[Contract], live: Collection[LiveContract]
) -> dict[tuple[str, int], list[EntryVersion]]:
    found = {key: [version] for key, version in _live_versions(live)}
    for contract in contracts:
        for major in {each.version.major for each in contract.versions}:
            found[contract.name, major] = [
                EntryVersion(
                    version=str(each.version),
                    state=contract.state(each),
                    at=each.at,
                    by=each.by,
                    sunset=contract.major_state(major).sunset,
                )
                for each in contract.versions
                if each.version.major == major
            ]
    return found


def _live_versions(live: Collection[LiveContract]) -> Iterator[tuple[tuple[str, int], EntryVersion]]:
    for each in live:
        yield (
            (each.name, each.major),
            EntryVersion(version=each.version, state=each.state, at=each.at, by=each.by, sunset=each.sunset),
        )
