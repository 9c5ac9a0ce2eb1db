"""What is live in a running environment, and the port by which others ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

import msgspec

from lineshaft.contracts.registry.contract import Document, Kind, State, Version
from lineshaft.contracts.registry.party import Party

__all__ = ["ContractRegistry", "LiveContract", "Registration"]


class LiveContract(msgspec.Struct, frozen=True, kw_only=True):
    """sunset: a date, of a deprecated major; at, by, reason: of its last change in this environment."""

    name: str
    version: str
    kind: Kind
    owner: str
    state: State
    digest: str
    document: Document
    sunset: str = ""
    at: str = ""
    by: str = ""
    reason: str = ""

    @property
    def major(self) -> int:
        return Version.parse(self.version).major


class Registration(Party, frozen=True, kw_only=True):
    """origin: `file` or `api`"""

    origin: str
    at: str
    by: str


class ContractRegistry(Protocol):
    """The contracts of this environment.

    Those that change something note it in the audit under the name of `by`, and raise PermanentFault: code
    unknown_contract, reason_missing, still_consumed, retired, or declared_in_file.
    """

    async def contracts(self) -> Sequence[LiveContract]:
        """What is live, by name and major."""
        ...

    async def contract(self, name: str, major: int | None = None) -> LiveContract:
        """major: without it, the newest that is live"""
        ...

    async def parties(self, name: str = "") -> Sequence[Registration]:
        """Of one contract, or of all."""
        ...

    async def register_party(self, party: Party, *, by: str) -> None:
        """In place of an earlier registration of the same party, contract, major and role."""
        ...

    async def withdraw_party(self, party: Party, *, by: str, reason: str) -> None:
        """What it consumes or produces no more; nothing happens where it is not registered."""
        ...

    async def deprecate(self, name: str, major: int, *, sunset: date, by: str, reason: str) -> None: ...

    async def retire(self, name: str, major: int, *, by: str, reason: str) -> None:
        """Refused as long as a consumer is registered."""
        ...
