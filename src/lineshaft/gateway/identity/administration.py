"""Accounts, credentials and sessions over HTTP: seen, revoked and ended.

Keys and secrets are made at the command line only: an answer with one would have to be kept for repeats.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol

import msgspec

from lineshaft.core.credentials import Credential, CredentialKind, Session
from lineshaft.gateway.identity.directory import Directory
from lineshaft.gateway.identity.freshness import Freshness
from lineshaft.gateway.identity.told import account_told, credential_told, session_told
from lineshaft.gateway.problems import Refusal
from lineshaft.gateway.route import Answer, ApiRoute, Asked, Parameter

__all__ = ["Administration", "ManagedCredentials", "ManagedSessions"]

Schema = Mapping[str, Any]
_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_ACCOUNT = {
    **dict.fromkeys(("account", "title", "kind", "system"), _TEXT),
    **dict.fromkeys(("roles", "groups", "plants"), _TEXTS),
}
_CREDENTIAL = {
    **dict.fromkeys(("id", "kind", "account", "title", "created_by"), _TEXT),
    **dict.fromkeys(("created_at", "expires_at", "revoked_at", "last_used_at"), _TIME),
}
_SESSION = {
    **dict.fromkeys(("id", "name", "address"), _TEXT),
    **dict.fromkeys(("created_at", "seen_at", "ends_at"), _TIME),
}


class ManagedCredentials(Protocol):
    async def listed(
        self, *, account: str = "", kind: CredentialKind | None = None, prefix: str = ""
    ) -> list[Credential]: ...

    async def revoke(self, credential_ids: Sequence[str], *, by: str, reason: str = "") -> list[str]: ...


class ManagedSessions(Protocol):
    async def open(self) -> list[Session]: ...

    async def end(self, session_id: str, *, by: str, reason: str = "") -> bool: ...


class Administration:
    def __init__(
        self,
        directory: Directory,
        credentials: ManagedCredentials,
        sessions: ManagedSessions,
        freshness: Freshness,
    ) -> None:
        self._directory = directory
        self._credentials = credentials
        self._sessions = sessions
        self._freshness = freshness

    def routes(self) -> list[ApiRoute]:
        at = "/api/access"
        return [
            _lists(f"{at}/accounts", "list_accounts", "Accounts of the access file", self.accounts, _ACCOUNT),
            _lists(
                f"{at}/credentials",
                "list_credentials",
                "Keys, secrets, passwords",
                self.credentials,
                _CREDENTIAL,
            ),
            _lists(
                f"{at}/sessions", "list_sessions", "Who is logged in to the console", self.sessions, _SESSION
            ),
            _ends(
                f"{at}/credentials/{{id}}/revoke", "revoke_credential", "Revoke a key or secret", self.revoke
            ),
            _ends(f"{at}/sessions/{{id}}/end", "end_session", "End a session of the console", self.end),
        ]

    async def accounts(self, _: Asked) -> Answer:
        access = self._directory.access
        return Answer(body=[account_told(access, name) for name in access.accounts])

    async def credentials(self, _: Asked) -> Answer:
        return Answer(body=[credential_told(each) for each in await self._credentials.listed()])

    async def sessions(self, _: Asked) -> Answer:
        return Answer(body=[session_told(each) for each in await self._sessions.open()])

    async def revoke(self, asked: Asked) -> Answer:
        """raises  Refusal, 404; TransientFault"""
        wanted = asked.path["id"]
        revoked = await self._credentials.revoke([wanted], by=asked.caller.name, reason=_reason(asked))
        if not revoked:
            raise _no_such("credential", wanted)
        await self._freshness.look_now()
        return Answer(body={"id": wanted}, ref=wanted)

    async def end(self, asked: Asked) -> Answer:
        """raises  Refusal, 404; TransientFault"""
        wanted = asked.path["id"]
        if not await self._sessions.end(wanted, by=asked.caller.name, reason=_reason(asked)):
            raise _no_such("session", wanted)
        await self._freshness.look_now()
        return Answer(body={"id": wanted}, ref=wanted)


def _lists(
    path: str,
    name: str,
    summary: str,
    handler: Callable[[Asked], Awaitable[Answer]],
    members: Mapping[str, Schema],
) -> ApiRoute:
    row = {"type": "object", "properties": members, "required": [*members]}
    return ApiRoute(
        method="GET",
        path=path,
        name=name,
        summary=summary,
        permission="administer:access",
        handler=handler,
        tag="access",
        answers={200: {"type": "array", "items": row}},
        problems=[503],
    )


def _ends(path: str, name: str, summary: str, handler: Callable[[Asked], Awaitable[Answer]]) -> ApiRoute:
    reason = {"type": "string", "minLength": 1, "maxLength": 500}
    return ApiRoute(
        method="POST",
        path=path,
        name=name,
        summary=f"{summary}, at once",
        permission="administer:access",
        handler=handler,
        tag="access",
        parameters=[Parameter(name="id", where="path", required=True)],
        request={
            "type": "object",
            "properties": {"reason": reason},
            "required": ["reason"],
            "additionalProperties": False,
        },
        answers={200: {"type": "object", "properties": {"id": _TEXT}, "required": ["id"]}},
        problems=[404, 503],
    )


def _reason(asked: Asked) -> str:
    reason: str = msgspec.json.decode(asked.body)["reason"]
    return reason


def _no_such(kind: str, wanted: str) -> Refusal:
    return Refusal(
        HTTPStatus.NOT_FOUND,
        f"there is no {kind} {wanted[:100]!r}, or not any more",
        code=f"no_such_{kind}",
        hint=f"GET /api/access/{kind}s lists them",
    )
