"""The contract registry of one environment: it takes what files promote to it, and parties may register."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import msgspec
from sqlalchemy import Connection

from lineshaft.contracts.registry import LiveContract, Party, Registration, Role, State
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.errors import PermanentFault
from lineshaft.ledger.audit import Audit, AuditEntry, must_have_reason
from lineshaft.ledger.registry.contract_rows import (
    consumers,
    delete_parties,
    live_rows,
    party_row,
    party_rows,
    put_live,
    put_parties,
    take_down,
)
from lineshaft.store import Store

__all__ = ["ContractBook", "Taken"]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What a start changed, as `<name> <version>`.

    kept  live although not promoted any more, because consumers that registered here still use it
    """

    added: Sequence[str] = ()
    changed: Sequence[str] = ()
    retired: Sequence[str] = ()
    kept: Sequence[str] = ()


class ContractBook:
    """Implements contracts.registry.ContractRegistry."""

    def __init__(self, store: Store, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    async def take(self, live: Collection[LiveContract], parties: Collection[Party], *, by: str) -> Taken:
        """Make what is live here what was promoted, and the parties of the files those of the files.

        by  the node that starts. Each contract that this changes is an audit entry.
        """
        at = rfc3339(self._clock.now())
        wanted = {(each.name, each.major): each for each in live}
        entries: dict[tuple[str, str], AuditEntry] = {}  # a unit that runs again has the same

        def entry(action: str, contract: LiveContract) -> AuditEntry:
            subject = f"{contract.name} {contract.version}"
            made = _entry(action, subject, by, "", digest=contract.digest, sunset=contract.sunset)
            return entries.setdefault((action, subject), made)

        def unit(connection: Connection) -> Taken:
            there = {(each.name, each.major): each for each in live_rows(connection)}
            _take_parties(connection, parties, at, by)
            changes: list[AuditEntry] = []
            told: dict[str, list[str]] = {"added": [], "changed": [], "retired": [], "kept": []}
            for key, before in there.items():
                after = wanted.get(key)
                if after is None and consumers(connection, *key):
                    told["kept"].append(f"{before.name} {before.version}")
                elif after is None:
                    take_down(connection, _changed(before, at, by, ""), State.RETIRED)
                    changes.append(entry("contract.retired", before))
                    told["retired"].append(changes[-1].subject)
                elif after.version != before.version:
                    take_down(connection, _changed(before, at, by, ""), State.PUBLISHED)
            made = [
                _changed(each, at, by, "") for key, each in wanted.items() if not _same(each, there.get(key))
            ]
            put_live(connection, made)
            for each in made:
                is_new = (each.name, each.major) not in there
                changes.append(entry("contract.made_live" if is_new else "contract.changed", each))
                told["added" if is_new else "changed"].append(changes[-1].subject)
            self._audit.append(connection, changes)
            return Taken(**told)

        return await self._store.write(unit)

    async def contracts(self) -> Sequence[LiveContract]:
        return await self._store.read(live_rows)

    async def contract(self, name: str, major: int | None = None) -> LiveContract:
        return await self._store.read(lambda connection: _live(connection, name, major))

    async def parties(self, name: str = "") -> Sequence[Registration]:
        return await self._store.read(lambda connection: party_rows(connection, name))

    async def register_party(self, party: Party, *, by: str) -> None:
        row = party_row(party, origin="api", at=rfc3339(self._clock.now()), by=by)
        entry = _party_entry("contract.party_registered", party, by, "", fields=list(party.fields))

        def unit(connection: Connection) -> None:
            _live(connection, party.contract, party.major)
            _must_not_be_in_file(connection, party)
            put_parties(connection, [row])
            self._audit.append(connection, [entry])

        await self._store.write(unit)

    async def withdraw_party(self, party: Party, *, by: str, reason: str) -> None:
        must_have_reason(reason)
        entry = _party_entry("contract.party_withdrawn", party, by, reason)

        def unit(connection: Connection) -> None:
            if _must_not_be_in_file(connection, party):
                delete_parties(connection, [party])
                self._audit.append(connection, [entry])

        await self._store.write(unit)

    async def deprecate(self, name: str, major: int, *, sunset: date, by: str, reason: str) -> None:
        must_have_reason(reason)
        at, until = rfc3339(self._clock.now()), sunset.isoformat()
        entry = _entry("contract.deprecated", f"{name} v{major}", by, reason, sunset=until)

        def unit(connection: Connection) -> None:
            before = _live(connection, name, major)
            after = msgspec.structs.replace(before, state=State.DEPRECATED, sunset=until)
            put_live(connection, [_changed(after, at, by, reason)])
            self._audit.append(connection, [entry])

        await self._store.write(unit)

    async def retire(self, name: str, major: int, *, by: str, reason: str) -> None:
        must_have_reason(reason)
        at = rfc3339(self._clock.now())
        entry = _entry("contract.retired", f"{name} v{major}", by, reason)

        def unit(connection: Connection) -> None:
            before = _live(connection, name, major)
            if left := consumers(connection, name, major):
                raise PermanentFault(
                    f"{name} v{major} cannot be retired: {', '.join(left)} consume it",
                    code="still_consumed",
                    hint="deprecate it, and retire it when they have moved",
                )
            take_down(connection, _changed(before, at, by, reason), State.RETIRED)
            self._audit.append(connection, [entry])

        await self._store.write(unit)


def _live(connection: Connection, name: str, major: int | None) -> LiveContract:
    """major: None: the newest.

    raises  PermanentFault, code unknown_contract
    """
    found = live_rows(connection, name, major)
    if not found:
        raise PermanentFault(
            f"{name}{f' v{major}' if major else ''} is not live here",
            code="unknown_contract",
            hint="`lineshaft contracts drift` compares with what was promoted",
        )
    return found[-1]


def _take_parties(connection: Connection, parties: Collection[Party], at: str, by: str) -> None:
    """Rows that did not change keep the time since which they are there."""
    wanted = {_key(each): each for each in parties}
    known = {_key(each): each for each in party_rows(connection)}
    gone = [each for key, each in known.items() if each.origin == "file" and key not in wanted]
    delete_parties(connection, gone)
    new = [each for key, each in wanted.items() if not _same_party(each, known.get(key))]
    put_parties(connection, [party_row(each, origin="file", at=at, by=by) for each in new])


def _must_not_be_in_file(connection: Connection, party: Party) -> bool:
    """Whether it is registered.

    raises  PermanentFault, code declared_in_file
    """
    known = {_key(each): each for each in party_rows(connection, party.contract)}.get(_key(party))
    if known is not None and known.origin == "file":
        raise PermanentFault(
            f"{party.party} is registered for {party.contract} v{party.major} in consumers.yaml",
            code="declared_in_file",
            hint="change it there",
        )
    return known is not None


def _key(party: Party) -> tuple[str, str, int, Role]:
    return party.party, party.contract, party.major, party.role


def _same_party(party: Party, known: Registration | None) -> bool:
    return (
        known is not None
        and known.origin == "file"
        and (list(known.fields), known.contact) == (list(party.fields), party.contact)
    )


def _same(wanted: LiveContract, there: LiveContract | None) -> bool:
    return there is not None and wanted == _changed(there, wanted.at, wanted.by, wanted.reason)


def _changed(contract: LiveContract, at: str, by: str, reason: str) -> LiveContract:
    return msgspec.structs.replace(contract, at=at, by=by, reason=reason)


def _entry(action: str, subject: str, by: str, reason: str, **detail: Any) -> AuditEntry:
    told = {name: value for name, value in detail.items() if value}
    return AuditEntry(actor=by, action=action, subject=subject, detail=told, reason=reason)


def _party_entry(action: str, party: Party, by: str, reason: str, **detail: Any) -> AuditEntry:
    subject = f"{party.contract} v{party.major}"
    return _entry(action, subject, by, reason, party=party.party, role=str(party.role), **detail)
