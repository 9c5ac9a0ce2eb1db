"""Keys, client secrets and passwords: made, found, revoked, each time with a line in the audit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.credentials import Credential, CredentialKind
from lineshaft.ledger.accounts.changes import changed, changes
from lineshaft.ledger.audit import Audit, AuditEntry
from lineshaft.store import Store
from lineshaft.store.schema import credentials
from lineshaft.store.statements import change, insert_all, put

__all__ = ["StoredCredentials"]

_REVOKE = (
    update(credentials)
    .where(credentials.c.credential_id == bindparam("id"), credentials.c.revoked_at == "")
    .values(revoked_at=bindparam("at"))
)
_PAST = {
    CredentialKind.KEY: "key.created",
    CredentialKind.CLIENT: "client.created",
    CredentialKind.PASSWORD: "password.set",
}


class StoredCredentials:
    """Implements core.credentials.Credentials, and what people do to them."""

    def __init__(self, store: Store, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    async def changes(self) -> int:
        return await self._store.read(changes)

    async def find(self, credential_id: str) -> Credential | None:
        wanted = select(credentials).where(credentials.c.credential_id == credential_id)
        row = await self._store.read(lambda connection: connection.execute(wanted).first())
        return _credential(row) if row else None

    async def of(self, account: str, kind: CredentialKind) -> list[Credential]:
        now = self._clock.now()
        return [each for each in await self.listed(account=account, kind=kind) if each.holds(now)]

    async def listed(
        self, *, account: str = "", kind: CredentialKind | None = None, prefix: str = ""
    ) -> list[Credential]:
        """The newest first, revoked and expired ones, too. prefix: of the credential's id"""
        wanted = select(credentials).order_by(credentials.c.created_at.desc(), credentials.c.credential_id)
        if account:
            wanted = wanted.where(credentials.c.account == account)
        if kind:
            wanted = wanted.where(credentials.c.kind == kind.value)
        if prefix:
            wanted = wanted.where(credentials.c.credential_id.startswith(prefix, autoescape=True))
        rows = await self._store.read(lambda connection: connection.execute(wanted).all())
        return [_credential(row) for row in rows]

    async def add(self, credential: Credential, *, by: str) -> None:
        """A password takes the place of the account's earlier one."""
        row = _row(credential)
        detail = {"account": credential.account, "title": credential.title, "expires_at": row["expires_at"]}
        entry = AuditEntry(
            actor=by, action=_PAST[credential.kind], subject=credential.credential_id, detail=detail
        )
        save = put if credential.kind is CredentialKind.PASSWORD else insert_all

        def unit(connection: Connection) -> None:
            if self._audit.knows(connection, entry):
                return
            save(connection, credentials, [row])
            changed(connection)
            self._audit.append(connection, [entry])

        await self._store.write(unit)

    async def revoke(self, credential_ids: Sequence[str], *, by: str, reason: str = "") -> list[str]:
        """Those that were not revoked before."""
        at = rfc3339(self._clock.now())
        entries = {
            each: AuditEntry(actor=by, action="credential.revoked", subject=each, reason=reason)
            for each in credential_ids
        }

        def unit(connection: Connection) -> list[str]:
            revoked = [
                each
                for each, entry in entries.items()
                if connection.execute(_REVOKE, {"id": each, "at": at}).rowcount
                or self._audit.knows(connection, entry)
            ]
            if revoked:
                changed(connection)
                self._audit.append(connection, [entries[each] for each in revoked])
            return revoked

        return await self._store.write(unit)

    async def used(self, at: dict[str, datetime]) -> None:
        rows = [{"credential_id": each, "last_used_at": rfc3339(when)} for each, when in at.items()]

        def unit(connection: Connection) -> None:
            change(connection, credentials, rows, only='"last_used_at" < "new_last_used_at"')

        await self._store.write(unit)


def _row(credential: Credential) -> dict[str, Any]:
    return {
        "credential_id": credential.credential_id,
        "kind": credential.kind.value,
        "account": credential.account,
        "hash": credential.hash,
        "title": credential.title,
        "created_at": rfc3339(credential.created_at),
        "created_by": credential.created_by,
        "expires_at": rfc3339(credential.expires_at) if credential.expires_at else "",
        "revoked_at": "",
    }


def _credential(row: Row[Any]) -> Credential:
    return Credential(
        credential_id=row.credential_id,
        kind=CredentialKind(row.kind),
        account=row.account,
        hash=row.hash,
        title=row.title,
        created_at=datetime.fromisoformat(row.created_at),
        created_by=row.created_by,
        expires_at=_moment(row.expires_at),
        revoked_at=_moment(row.revoked_at),
        last_used_at=_moment(row.last_used_at),
    )


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
