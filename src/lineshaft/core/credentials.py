"""What callers prove themselves with, as it is kept: hashes of secrets, and sessions of the console."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec

__all__ = ["Credential", "CredentialKind", "Credentials", "Session", "Sessions"]


class CredentialKind(StrEnum):
    KEY = "key"
    CLIENT = "client"
    PASSWORD = "password"  # noqa: S105 - a kind


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """credential_id   the public part of a key or client secret; of a password `password:<account>`
    hash            of a key or client secret: SHA-256, hex, for it is random and cannot be guessed;
                    of a password: argon2id, in PHC format
    last_used_at    to about five minutes; None: never
    """

    credential_id: str
    kind: CredentialKind
    account: str
    hash: str
    title: str = ""
    created_at: datetime
    created_by: str = ""
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def holds(self, at: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """session_id  SHA-256, hex, of what the browser has in its cookie
    name        of the caller, see core.access.Caller
    account     the account that logged in with a password; empty: somebody whom an OIDC issuer knows
    issuer      name of that issuer in the access file; claims: what it said of roles and plants
    seen_at     to about a minute
    ends_at     however active it is; ended_at: logged out, or ended by somebody
    """

    session_id: str
    name: str
    account: str = ""
    issuer: str = ""
    roles: tuple[str, ...] = ()
    plants: tuple[str, ...] = ()
    address: str = ""
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None


class Credentials(Protocol):
    """All raise TransientFault when the store does not answer."""

    async def changes(self) -> int:
        """A number that grows whenever a credential or session is made, revoked or ended, by any process."""
        ...

    async def find(self, credential_id: str) -> Credential | None: ...

    async def of(self, account: str, kind: CredentialKind) -> list[Credential]:
        """The newest first, without those that are revoked or expired."""
        ...

    async def used(self, at: dict[str, datetime]) -> None:
        """When each credential was used last, by id."""
        ...


class Sessions(Protocol):
    """All raise TransientFault when the store does not answer."""

    async def begin(self, session: Session) -> None: ...

    async def session(self, session_id: str) -> Session | None: ...

    async def seen(self, at: dict[str, datetime]) -> None:
        """When each session was used last, by id."""
        ...

    async def end(self, session_id: str, *, by: str, reason: str = "") -> bool:
        """Whether it was still open."""
        ...

    async def note(self, action: str, actor: str, detail: dict[str, str]) -> None:
        """An attempt to log in that came to nothing, for the audit."""
        ...
