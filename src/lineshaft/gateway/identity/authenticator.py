"""Who asks: by an API key, a signed token, or a session of the console."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Protocol, TypeVar

import msgspec
import structlog

from lineshaft.core.access import Caller, Refused
from lineshaft.core.clock import Clock
from lineshaft.core.credentials import Credentials
from lineshaft.gateway.identity.directory import Directory
from lineshaft.gateway.identity.freshness import Freshness
from lineshaft.gateway.identity.jwt_check import NotValid
from lineshaft.gateway.identity.secrets import key_holds, key_id

__all__ = ["IdentityAuthenticator", "Sessions", "Tokens"]

T = TypeVar("T")
_LOG = structlog.get_logger(__name__)
_MOST = 10_000
_NOTHING = 'Bearer realm="lineshaft"'
_WRONG = 'Bearer realm="lineshaft", error="invalid_token"'
_REFUSED_S = 10.0


class Tokens(Protocol):
    async def caller(self, token: str) -> tuple[Caller, float]:
        """And when the token ends, in seconds since the epoch.

        raises  NotValid; TransientFault when an issuer does not answer
        """
        ...


class Sessions(Protocol):
    async def caller(self, cookie: str, *, in_use: bool = True) -> Caller | None: ...


class _Known(msgspec.Struct, frozen=True):
    """until: seconds since the epoch"""

    caller: Caller
    until: float


class IdentityAuthenticator:
    """Implements core.access.Authenticator. What was proved is remembered, by the SHA-256 of the proof.

    A revocation, an end of a session or a change of the access file is followed within five seconds by every
    process, and at once by the one that did it.
    """

    def __init__(
        self,
        directory: Directory,
        credentials: Credentials,
        tokens: Tokens,
        sessions: Sessions,
        freshness: Freshness,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._credentials = credentials
        self._tokens = tokens
        self._sessions = sessions
        self._freshness = freshness
        self._clock = clock
        self._known: dict[bytes, _Known] = {}
        self._refused: dict[bytes, float] = {}
        self._used: dict[str, datetime] = {}

    def forget(self) -> None:
        self._known.clear()
        self._refused.clear()

    async def caller(self, authorization: str, cookie: str, *, in_use: bool = True) -> Caller:
        """in_use: a request asks; a stream that looks whether it may go on is no sign that somebody is there

        raises  Refused, which never says which part was wrong; TransientFault
        """
        await self._freshness.hold()
        if not authorization:
            found = await self._sessions.caller(cookie, in_use=in_use) if cookie else None
            if found is None:
                raise Refused(
                    "log in, or send an API key or token: Authorization: Bearer …", challenge=_NOTHING
                )
            return found
        digest = hashlib.sha256(authorization.encode()).digest()
        known = self._known.get(digest)
        now = self._clock.now()
        if known is not None and now.timestamp() < known.until:
            self._used[known.caller.credential] = now
            return known.caller
        return await self._looked_up(authorization, digest, now)

    async def note_use(self) -> None:
        """Of keys and client secrets, since the last time."""
        used, self._used = self._used, {}
        used.pop("", None)  # who is known elsewhere has none of ours
        if used:
            await self._credentials.used(used)

    async def _looked_up(self, authorization: str, digest: bytes, now: datetime) -> Caller:
        if self._clock.monotonic() < self._refused.get(digest, 0.0):
            raise _refused()
        generation = self._freshness.generation
        scheme, _, token = authorization.partition(" ")
        known = None
        if scheme.lower() == "bearer":
            try:
                is_key = token.startswith("lsk_")
                known = (
                    await self._by_key(token, now) if is_key else _Known(*await self._tokens.caller(token))
                )
            except NotValid as reason:
                _LOG.info("token refused", reason=str(reason))
        if known is None:
            _remember(self._refused, digest, self._clock.monotonic() + _REFUSED_S)
            raise _refused()
        self._used[known.caller.credential] = now
        if generation == self._freshness.generation:
            _remember(self._known, digest, known)
        return known.caller

    async def _by_key(self, token: str, now: datetime) -> _Known | None:
        credential_id = key_id(token)
        key = await self._credentials.find(credential_id) if credential_id else None
        if key is None or not key_holds(key, token, now):
            return None
        caller = self._directory.caller("key", key.account, key.credential_id)
        until = key.expires_at.timestamp() if key.expires_at else float("inf")
        return _Known(caller, until) if caller else None


def _refused() -> Refused:
    return Refused("the key or token is not valid here, or not any more", challenge=_WRONG)


def _remember(where: dict[bytes, T], digest: bytes, what: T) -> None:
    """The oldest makes place: nobody can fill the memory."""
    if len(where) >= _MOST:
        del where[next(iter(where))]
    where[digest] = what
