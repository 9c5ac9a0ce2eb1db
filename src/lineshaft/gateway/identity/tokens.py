"""Access tokens: of this node, and of the issuers that the access file names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lineshaft.core.access import Caller
from lineshaft.core.clock import Clock
from lineshaft.core.credentials import CredentialKind, Credentials
from lineshaft.gateway.identity.access_file import OidcIssuer
from lineshaft.gateway.identity.directory import Directory
from lineshaft.gateway.identity.jwt_check import SKEW_S, NotValid, peek, texts_at
from lineshaft.gateway.identity.own_issuer import OwnIssuer
from lineshaft.gateway.identity.remote_issuer import RemoteIssuer

__all__ = ["ACCESS_TOKEN", "Issuers", "TokenCheck", "said_by"]

ACCESS_TOKEN = "at+jwt"  # noqa: S105 - a type (RFC 9068), no token


class Issuers:
    """The issuers of the access file, with what each said of itself; one that stays keeps it."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._remote: dict[str, RemoteIssuer] = {}

    def by_url(self, url: object) -> OidcIssuer | None:
        return next((each for each in self._directory.access.oidc if each.issuer == url), None)

    def remote(self, issuer: OidcIssuer) -> RemoteIssuer:
        if issuer.issuer not in self._remote:
            self._remote[issuer.issuer] = RemoteIssuer(issuer.issuer, self._clock)
        return self._remote[issuer.issuer]


class TokenCheck:
    """Implements authenticator.Tokens."""

    def __init__(
        self,
        directory: Directory,
        credentials: Credentials,
        own: OwnIssuer,
        issuers: Issuers,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._credentials = credentials
        self._own = own
        self._issuers = issuers
        self._clock = clock

    async def caller(self, token: str) -> tuple[Caller, float]:
        header, claims = peek(token)
        if claims.get("iss") == self._own.url:
            audience = self._directory.access.issuer.audience
            claims = self._own.check(token, header, typ=ACCESS_TOKEN, audience=audience)
            return await self._client(claims)
        issuer = self._issuers.by_url(claims.get("iss"))
        if issuer is None:
            raise NotValid(f"issuer {str(claims.get('iss'))[:200]!r}")
        claims = await self._issuers.remote(issuer).check(token, header, issuer.audience)
        name, said, plants = said_by(issuer, claims)
        return self._directory.known_elsewhere(issuer, name, said, plants), claims["exp"] + SKEW_S

    async def _client(self, claims: Mapping[str, Any]) -> tuple[Caller, float]:
        """A token holds no longer than the client secret that it was given for."""
        secret = await self._credentials.find(str(claims.get("credential", "")))
        holds = (
            secret is not None
            and secret.kind is CredentialKind.CLIENT
            and secret.account == claims["sub"]
            and secret.holds(self._clock.now())
        )
        caller = (
            self._directory.caller("client", secret.account, secret.credential_id)
            if secret and holds
            else None
        )
        if caller is None:
            raise NotValid("its client is not known any more")
        until: float = claims["exp"]
        return caller, min(until, secret.expires_at.timestamp()) if secret and secret.expires_at else until


def said_by(issuer: OidcIssuer, claims: Mapping[str, Any]) -> tuple[str, list[str], list[str]]:
    """(caller's name, roles as the issuer says them, plants) of a checked token."""
    plants = texts_at(claims, issuer.plants_claim) if issuer.plants_claim else []
    return f"oidc:{issuer.name}#{claims['sub']}", texts_at(claims, issuer.roles_claim), plants
