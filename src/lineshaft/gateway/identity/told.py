"""Accounts, credentials and sessions as people and programs are told of them: never a hash."""

from __future__ import annotations

from datetime import datetime

from lineshaft.core.clock import rfc3339
from lineshaft.core.credentials import Credential, Session
from lineshaft.gateway.identity.access_file import AccessFile

__all__ = ["account_told", "credential_told", "session_told"]

Told = dict[str, str | list[str] | None]


def account_told(access: AccessFile, name: str) -> Told:
    entry = access.accounts[name]
    return {
        "account": name,
        "title": entry.title,
        "kind": entry.kind,
        "roles": [*entry.roles],
        "groups": [*entry.groups],
        "plants": ["*"] if entry.plants == "*" else [*entry.plants],
        "system": entry.system,
    }


def credential_told(credential: Credential) -> Told:
    return {
        "id": credential.credential_id,
        "kind": credential.kind.value,
        "account": credential.account,
        "title": credential.title,
        "created_at": rfc3339(credential.created_at),
        "created_by": credential.created_by,
        "expires_at": _at(credential.expires_at),
        "revoked_at": _at(credential.revoked_at),
        "last_used_at": _at(credential.last_used_at),
    }


def session_told(session: Session) -> Told:
    return {
        "id": session.session_id,
        "name": session.name,
        "address": session.address,
        "created_at": rfc3339(session.created_at),
        "seen_at": rfc3339(session.seen_at),
        "ends_at": rfc3339(session.ends_at),
    }


def _at(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None
