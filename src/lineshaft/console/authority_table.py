"""Data authority as a table: entities by kinds of system, who masters what and who is told of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from lineshaft.contracts.authority import Authority, Master
from lineshaft.contracts.catalogue import EVENTS

__all__ = ["AuthorityRow", "AuthorityTable", "Part", "authority_table", "kind_title"]

_WORDS = {"iot": "IoT", "platform": "lineshaft"}
_LONGEST_SHORT = 4
_OURSELVES = "platform"


class Part(StrEnum):
    """MASTERS: all fields, or all but those that another masters; SOME: some; TOLD: by events."""

    MASTERS = "masters"
    SOME = "some"
    TOLD = "told"


class AuthorityRow(msgspec.Struct, frozen=True, kw_only=True):
    """cells: by kind, in the order of the table; empty where it has no part. apart: field → who masters it

    masters     connected systems that do; none: only processes change it
    is_declared  the settings say so
    """

    entity: str
    cells: Sequence[Part | None]
    masters: Sequence[str]
    usual: str
    is_declared: bool
    apart: Mapping[str, str]


class AuthorityTable(msgspec.Struct, frozen=True, kw_only=True):
    """kinds: with the connected systems of each; those that have some come first"""

    kinds: Sequence[tuple[str, Sequence[str]]]
    rows: Sequence[AuthorityRow]

    @property
    def connected(self) -> int:
        """How many of the kinds have systems."""
        return sum(bool(systems) for _, systems in self.kinds)


def kind_title(kind: str) -> str:
    """`ERP`, `IoT`, `Supplier portal`"""
    if kind in _WORDS:
        return _WORDS[kind]
    return kind.upper() if len(kind) <= _LONGEST_SHORT else kind.replace("_", " ").capitalize()


def authority_table(authority: Authority) -> AuthorityTable:
    masters: dict[str, list[Master]] = defaultdict(list)
    for master in authority.matrix():
        masters[master.entity].append(master)
    told: dict[str, set[str]] = defaultdict(set)
    for contract in EVENTS.values():
        told[contract.entity].update(map(str, contract.consumers))
    parts = {entity: _parts(authority, found, told[entity]) for entity, found in masters.items()}
    connected = {
        kind: [name for name, own in authority.systems.items() if kind in own]
        or (["lineshaft"] if kind == _OURSELVES else [])
        for found in parts.values()
        for kind in found
    }
    kinds = sorted(connected, key=lambda kind: (not connected[kind], kind))
    return AuthorityTable(
        kinds=[(kind, connected[kind]) for kind in kinds],
        rows=[
            _row(entity, found, [parts[entity].get(kind) for kind in kinds])
            for entity, found in masters.items()
        ],
    )


def _parts(authority: Authority, masters: Sequence[Master], told: set[str]) -> dict[str, Part]:
    found = dict.fromkeys(told, Part.TOLD)
    for master in reversed(masters):  # the entity's own comes first, and so has the last word
        kinds = [master.kind] if master.kind else sorted(authority.systems[master.systems[0]])
        found |= dict.fromkeys(kinds, Part.SOME if master.field else Part.MASTERS)
    return found


def _row(entity: str, masters: Sequence[Master], cells: Sequence[Part | None]) -> AuthorityRow:
    whole, apart = masters[0], masters[1:]
    return AuthorityRow(
        entity=entity,
        cells=cells,
        masters=whole.systems,
        usual=whole.kind,
        is_declared=not whole.kind,
        apart={each.field: ", ".join(each.systems) or each.kind for each in apart},
    )
