"""The page of contracts: what there is, found by any word of it, and one with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from lineshaft.console.tones import Tone, tone_of
from lineshaft.contracts.entries import Entry, EntryPart, declared_entries, entries, users_of
from lineshaft.contracts.registry.contract import Kind
from lineshaft.contracts.registry.live import ContractRegistry
from lineshaft.contracts.registry.party import Role
from lineshaft.core.errors import LineshaftError

__all__ = ["Catalogue", "CatalogueView"]

_LONGEST = 200


class FieldView(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    type: str
    required: bool
    is_key: bool
    unit: str
    facets: str
    users: Sequence[str]


class PartView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    about: str
    fields: Sequence[FieldView]
    example: str
    schema: str


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """consumers: how many are registered"""

    id: str
    what: str
    summary: str
    owner: str
    sla: str
    state: str
    tone: Tone
    consumers: int


class CatalogueView(msgspec.Struct, frozen=True, kw_only=True):
    """fault: why the registry does not answer; then the contracts that come with the product are shown.
    table: the same as rows: id, kind, domain, owner, state, version, sla, consumers, summary
    """

    query: str
    kind: str
    owner: str
    owners: Sequence[str]
    domains: Sequence[tuple[str, Sequence[LineView]]]
    table: Sequence[Sequence[Any]]
    count: int
    fault: str = ""
    asked: str = ""
    entry: Entry | None = None
    what: str = ""
    tone: Tone = Tone.PLAIN
    facts: Sequence[tuple[str, str]] = ()
    parts: Sequence[PartView] = ()
    is_used: bool = False


class Catalogue:
    """registry: of this environment; None: there is none, and the declared contracts are shown."""

    def __init__(self, registry: ContractRegistry | None) -> None:
        self._registry = registry

    async def view(self, query: Mapping[str, str]) -> CatalogueView:
        """query: `q` words, `kind`, `owner`, and `contract`, the id of the one to be shown whole."""
        known, fault = await self._entries()
        words, kind, owner, asked = (
            query.get(name, "").strip()[:_LONGEST] for name in ("q", "kind", "owner", "contract")
        )
        found = [
            entry
            for entry in known
            if kind in ("", _what(entry), entry.kind) and owner in ("", entry.owner) and _has(entry, words)
        ]
        view = CatalogueView(
            query=words,
            kind=kind,
            owner=owner,
            owners=sorted({entry.owner for entry in known}),
            domains=[(domain, [*map(_line, some)]) for domain, some in groupby(found, key=_domain)],
            table=[_cells(entry) for entry in found],
            count=len(found),
            fault=fault,
            asked=asked,
        )
        chosen = next((entry for entry in known if asked and entry.id == asked), None)
        return _opened(view, chosen) if chosen else view

    async def _entries(self) -> tuple[Sequence[Entry], str]:
        if self._registry is None:
            return declared_entries(), ""
        try:
            live, parties = await self._registry.contracts(), await self._registry.parties()
        except LineshaftError as fault:
            return declared_entries(), str(fault)
        return entries(live=live, parties=parties), ""


def _opened(view: CatalogueView, entry: Entry) -> CatalogueView:
    return msgspec.structs.replace(
        view,
        entry=entry,
        what=_what(entry),
        tone=tone_of(entry.state),
        facts=[(name, value) for name, value in _facts(entry) if value],
        parts=[_part(entry, part) for part in entry.parts],
        is_used=bool(entry.in_role(Role.CONSUMER)),
    )


def _domain(entry: Entry) -> str:
    return entry.domain


def _what(entry: Entry) -> str:
    if entry.kind is Kind.OPERATION:
        return "command" if entry.is_command else "query"
    return str(entry.kind)


def _has(entry: Entry, words: str) -> bool:
    told = (entry.id, entry.summary, entry.owner, entry.entity, entry.system_of_record, *entry.field_names)
    text = " ".join((*told, *(party.party for party in entry.parties))).lower()
    return all(word in text for word in words.lower().split())


def _line(entry: Entry) -> LineView:
    return LineView(
        id=entry.id,
        what=_what(entry),
        summary=entry.summary,
        owner=entry.owner,
        sla=entry.sla,
        state=str(entry.state),
        tone=tone_of(entry.state),
        consumers=len(entry.in_role(Role.CONSUMER)),
    )


def _cells(entry: Entry) -> list[Any]:
    line, version = _line(entry), entry.versions[-1].version if entry.versions else ""
    told = (line.owner, line.state, version, line.sla, line.consumers, line.summary)
    return [line.id, line.what, entry.domain, *told]


def _facts(entry: Entry) -> list[tuple[str, str]]:
    by = "served by" if entry.kind is Kind.OPERATION else "told by"
    return [
        ("owner", entry.owner),
        ("class", entry.eventclass),
        ("in time", f"{entry.sla}, within {entry.sla_s:g}\u00a0s" if entry.sla else ""),
        ("key", entry.key),
        ("order within", entry.order_by if entry.order_by != entry.key else ""),
        ("entity", entry.entity),
        ("system of record", entry.system_of_record),
        (by, ", ".join(entry.producers)),
        ("meant for", ", ".join(entry.consumers)),
        ("outcome told by", entry.emits),
    ]


def _part(entry: Entry, part: EntryPart) -> PartView:
    return PartView(
        name=part.name,
        about=part.about,
        fields=[
            FieldView(**msgspec.structs.asdict(field), users=users_of(entry, field)) for field in part.fields
        ],
        example=_pretty(part.example) if part.example is not None else "",
        schema=_pretty(part.document),
    )


def _pretty(document: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
