"""Rows of contract versions and of parties, read and written inside units of work."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, select, update

from lineshaft.contracts.registry import Kind, LiveContract, Party, Registration, Role, State
from lineshaft.store.schema import contract_parties, contract_versions
from lineshaft.store.statements import put

__all__ = [
    "consumers",
    "delete_parties",
    "live_rows",
    "live_versions",
    "party_row",
    "party_rows",
    "put_live",
    "put_parties",
    "take_down",
]

_FIELDS = msgspec.json.Decoder(list[str])
_LIVE = select(contract_versions).where(contract_versions.c.live == 1)


def live_rows(connection: Connection, name: str = "", major: int | None = None) -> list[LiveContract]:
    """By name and major."""
    asked = _LIVE.order_by(contract_versions.c.name, contract_versions.c.major)
    if name:
        asked = asked.where(contract_versions.c.name == name)
    if major is not None:
        asked = asked.where(contract_versions.c.major == major)
    return [_contract(row) for row in connection.execute(asked)]


def live_versions(connection: Connection) -> dict[str, str]:
    """By id of the contract, as contracts.entries has it; without their documents."""
    row = contract_versions.c
    asked = select(row.name, row.major, row.kind, row.version).where(row.live == 1)
    return {
        f"{found.name}.v{found.major}" if found.kind == Kind.EVENT else found.name: found.version
        for found in connection.execute(asked)
    }


def put_live(connection: Connection, contracts: Collection[LiveContract]) -> None:
    rows = [
        {
            "name": each.name,
            "version": each.version,
            "major": each.major,
            "kind": str(each.kind),
            "owner": each.owner,
            "state": str(each.state),
            "sunset": each.sunset,
            "digest": each.digest,
            "document": msgspec.json.encode(each.document).decode(),
            "live": 1,
            "at": each.at,
            "actor": each.by,
            "reason": each.reason,
        }
        for each in contracts
    ]
    put(connection, contract_versions, rows)


def take_down(connection: Connection, contract: LiveContract, state: State) -> None:
    """Live no more. state: published where another version follows it, else retired"""
    connection.execute(
        update(contract_versions)
        .where(contract_versions.c.name == contract.name, contract_versions.c.version == contract.version)
        .values(live=0, state=str(state), at=contract.at, actor=contract.by, reason=contract.reason)
    )


def party_rows(connection: Connection, name: str = "") -> list[Registration]:
    asked = select(contract_parties).order_by(*contract_parties.primary_key)
    if name:
        asked = asked.where(contract_parties.c.name == name)
    return [_party(row) for row in connection.execute(asked)]


def consumers(connection: Connection, name: str, major: int) -> list[str]:
    asked = select(contract_parties.c.party).where(
        contract_parties.c.name == name,
        contract_parties.c.major == major,
        contract_parties.c.role == Role.CONSUMER.value,
    )
    return list(connection.execute(asked.order_by(contract_parties.c.party)).scalars())


def party_row(party: Party, *, origin: str, at: str, by: str) -> dict[str, Any]:
    return {
        "party": party.party,
        "name": party.contract,
        "major": party.major,
        "role": str(party.role),
        "fields": msgspec.json.encode(party.fields).decode(),
        "contact": party.contact,
        "origin": origin,
        "at": at,
        "actor": by,
    }


def put_parties(connection: Connection, rows: list[dict[str, Any]]) -> None:
    put(connection, contract_parties, rows)


def delete_parties(connection: Connection, parties: Collection[Party]) -> None:
    for party in parties:
        connection.execute(
            delete(contract_parties).where(
                contract_parties.c.party == party.party,
                contract_parties.c.name == party.contract,
                contract_parties.c.major == party.major,
                contract_parties.c.role == str(party.role),
            )
        )


def _contract(row: Row[Any]) -> LiveContract:
    return LiveContract(
        name=row.name,
        version=row.version,
        kind=Kind(row.kind),
        owner=row.owner,
        state=State(row.state),
        sunset=row.sunset,
        digest=row.digest,
        document=msgspec.json.decode(row.document),
        at=row.at,
        by=row.actor,
        reason=row.reason,
    )


def _party(row: Row[Any]) -> Registration:
    return Registration(
        party=row.party,
        contract=row.name,
        major=row.major,
        role=Role(row.role),
        fields=_FIELDS.decode(row.fields),
        contact=row.contact,
        origin=row.origin,
        at=row.at,
        by=row.actor,
    )
