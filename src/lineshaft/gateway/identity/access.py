"""Everything about who asks, put together for one node."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import structlog

from lineshaft.core.access import Caller, Refused, permits
from lineshaft.core.clock import Clock
from lineshaft.core.credentials import Credentials, Sessions
from lineshaft.core.errors import ConfigError, TransientFault
from lineshaft.gateway.identity.access_file import AccessFile
from lineshaft.gateway.identity.administration import Administration, ManagedCredentials, ManagedSessions
from lineshaft.gateway.identity.authenticator import IdentityAuthenticator
from lineshaft.gateway.identity.directory import Directory
from lineshaft.gateway.identity.freshness import Freshness
from lineshaft.gateway.identity.login import LoginPages, PasswordLogin
from lineshaft.gateway.identity.oidc_login import OidcLogin
from lineshaft.gateway.identity.own_issuer import OwnIssuer
from lineshaft.gateway.identity.passwords import Passwords
from lineshaft.gateway.identity.sessions import ConsoleSessions
from lineshaft.gateway.identity.signing_keys import SigningKeys
from lineshaft.gateway.identity.token_endpoint import TokenEndpoint
from lineshaft.gateway.identity.tokens import Issuers, TokenCheck
from lineshaft.gateway.route import ApiRoute

__all__ = ["Access", "KeptCredentials", "KeptSessions", "make_access"]

_LOG = structlog.get_logger(__name__)
_NOTE_USE_S = 60.0


class KeptCredentials(Credentials, ManagedCredentials, Protocol): ...


class KeptSessions(Sessions, ManagedSessions, Protocol): ...


class Access:
    """directory: implements gateway.policies.Policies; authenticator: core.access.Authenticator"""

    def __init__(
        self,
        directory: Directory,
        authenticator: IdentityAuthenticator,
        sessions: ConsoleSessions,
        freshness: Freshness,
        keys: SigningKeys,
        passwords: Passwords,
        routes: Sequence[ApiRoute],
    ) -> None:
        self.directory = directory
        self.authenticator = authenticator
        self.routes = list(routes)
        self._sessions = sessions
        self._freshness = freshness
        self._keys = keys
        self._passwords = passwords

    def replace(self, access: AccessFile) -> None:
        """The access file has changed: from now on it holds, for sessions and keys that are in use, too."""
        self.directory.replace(access)
        self._freshness.changed()

    async def proof(self, headers: Mapping[str, str], permission: str = "", plant: str = "") -> Caller:
        """Who asked for a stream, as it is now. headers: of its request, names in lower case

        permission, plant  that it has to have; empty: any
        raises             Refused when it is to end; TransientFault
        """
        key = headers.get("x-api-key", "")
        authorization = headers.get("authorization") or (f"Bearer {key}" if key else "")
        caller = await self.authenticator.caller(authorization, headers.get("cookie", ""), in_use=False)
        if (permission and not permits(caller, permission)) or (plant and not caller.sees(plant)):
            raise Refused("your permissions have changed", code="not_permitted")
        return caller

    async def run(self) -> None:
        """Notes uses and rotates old signing keys, until cancelled."""
        try:
            while True:
                await self._upkeep()
                await asyncio.sleep(_NOTE_USE_S)
        finally:
            self._passwords.close()

    async def _upkeep(self) -> None:
        try:
            await self.authenticator.note_use()
            await self._sessions.note_use()
            if self._keys.rotate(only_if_old=True):
                _LOG.info("access.signing_key_rotated")
        except (TransientFault, ConfigError) as fault:
            _LOG.warning("access.waiting", reason=str(fault))


def make_access(
    access: AccessFile,
    *,
    credentials: KeptCredentials,
    sessions: KeptSessions,
    pages: LoginPages,
    keys_file: Path,
    url: str,
    tls: bool,
    clock: Clock,
) -> Access:
    """url: where this node listens, for access files that do not say how it is reached; tls: whether by TLS

    raises  ConfigError when the signing keys cannot be kept in keys_file
    """
    url = (access.url or url).rstrip("/")
    secure = tls or urlsplit(url).scheme == "https"
    directory = Directory(access)
    own = OwnIssuer(url, SigningKeys(keys_file, clock), clock)
    issuers = Issuers(directory, clock)

    def forget() -> None:
        authenticator.forget()
        console.forget()

    freshness = Freshness(credentials.changes, forget, clock)
    console = ConsoleSessions(sessions, directory, freshness, clock, secure=secure)
    tokens = TokenCheck(directory, credentials, own, issuers, clock)
    authenticator = IdentityAuthenticator(directory, credentials, tokens, console, freshness, clock)
    passwords = Passwords()
    scheme = "https" if secure else "http"
    login = PasswordLogin(directory, credentials, console, sessions, pages, passwords, clock, scheme=scheme)
    routes = [
        *TokenEndpoint(directory, credentials, own, clock).routes(),
        *login.routes(),
        *OidcLogin(directory, issuers, own, console, sessions).routes(),
        *Administration(directory, credentials, sessions, freshness).routes(),
    ]
    return Access(directory, authenticator, console, freshness, own.keys, passwords, routes)
