"""Log-in to the console at an OIDC issuer: authorisation code with PKCE (RFC 6749, 7636, 9207).

What has to be known when the browser comes back travels in a signed cookie of ten minutes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import structlog
from starlette.responses import RedirectResponse, Response

from lineshaft.core.credentials import Sessions as StoredSessions
from lineshaft.gateway.identity.access_file import ConsoleClient, OidcIssuer
from lineshaft.gateway.identity.directory import Directory
from lineshaft.gateway.identity.jwt_check import NotValid, peek
from lineshaft.gateway.identity.login import safe_next
from lineshaft.gateway.identity.own_issuer import OwnIssuer
from lineshaft.gateway.identity.sessions import ConsoleSessions, cookie_value
from lineshaft.gateway.identity.tokens import Issuers, said_by
from lineshaft.gateway.problems import problem
from lineshaft.gateway.route import PUBLIC, ApiRoute, Asked, Parameter

__all__ = ["OidcLogin"]

_LOG = structlog.get_logger(__name__)
_UNDER_WAY_S = 600
_TYPE = _AUDIENCE = "login+jwt"


class OidcLogin:
    def __init__(
        self,
        directory: Directory,
        issuers: Issuers,
        own: OwnIssuer,
        sessions: ConsoleSessions,
        audit: StoredSessions,
    ) -> None:
        self._directory = directory
        self._issuers = issuers
        self._own = own
        self._sessions = sessions
        self._audit = audit
        self._cookie = f"{sessions.cookie_name}-login"

    def routes(self) -> list[ApiRoute]:
        name = Parameter(name="issuer", where="path", required=True, summary="As in the access file.")
        query = [
            Parameter(name=each, where="query")
            for each in ("code", "state", "iss", "error", "error_description")
        ]
        return [
            ApiRoute(
                method="GET",
                path="/login/{issuer}",
                name="log_in_elsewhere",
                summary="Go to an OIDC issuer to log in to the console",
                permission=PUBLIC,
                handler=self.go,
                tag="console",
                parameters=[name, Parameter(name="next", where="query", summary="Path to go on to.")],
                answers={303: None},
                problems=[404, 503],
                answer_media="text/html",
            ),
            ApiRoute(
                method="GET",
                path="/login/{issuer}/callback",
                name="come_back_from_issuer",
                summary="Where the OIDC issuer sends the browser back to",
                permission=PUBLIC,
                handler=self.come_back,
                tag="console",
                parameters=[name, *query],
                answers={303: None},
                problems=[404, 503],
                answer_media="text/html",
            ),
        ]

    async def go(self, asked: Asked) -> Response:
        """raises  TransientFault when the issuer does not answer"""
        issuer, client = self._client(asked.path["issuer"])
        if issuer is None or client is None:
            return _unknown(asked.path["issuer"])
        endpoint = await self._issuers.remote(issuer).endpoint("authorization_endpoint")
        verifier, state, nonce = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
        query = {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": self._callback(issuer),
            "scope": client.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        under_way = {
            "sub": issuer.name,
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "next": safe_next(asked.query.get("next", "")),
        }
        cookie = self._own.sign(under_way, typ=_TYPE, audience=_AUDIENCE, ttl_s=_UNDER_WAY_S)
        separator = "&" if "?" in endpoint else "?"
        answer = RedirectResponse(f"{endpoint}{separator}{urlencode(query)}", HTTPStatus.SEE_OTHER)
        answer.headers["Set-Cookie"] = self._sessions.set_cookie(self._cookie, cookie, lives_s=_UNDER_WAY_S)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    async def come_back(self, asked: Asked) -> Response:
        """raises  TransientFault when the issuer or the store does not answer"""
        issuer, client = self._client(asked.path["issuer"])
        if issuer is None or client is None:
            return _unknown(asked.path["issuer"])
        try:
            under_way = self._under_way(asked, issuer)
            claims = await self._proved(asked, issuer, client, under_way)
        except NotValid as reason:
            _LOG.warning("log-in refused", issuer=issuer.name, reason=str(reason))
            return await self._refused(asked, issuer, f"oidc:{issuer.name}", "not_proved")
        name, said, plants = said_by(issuer, claims)
        if not self._directory.known_elsewhere(issuer, name, said, plants).roles:
            return await self._refused(asked, issuer, name, "no_role")
        cookie = await self._sessions.begin(
            name, issuer=issuer.name, roles=tuple(said), plants=tuple(plants), address=asked.address
        )
        answer = RedirectResponse(safe_next(under_way["next"]), HTTPStatus.SEE_OTHER)
        answer.headers.append("Set-Cookie", cookie)
        answer.headers.append("Set-Cookie", self._sessions.set_cookie(self._cookie, "", lives_s=0))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _under_way(self, asked: Asked, issuer: OidcIssuer) -> Mapping[str, Any]:
        """What this browser set out with; an answer to what another began is none. raises  NotValid"""
        cookie = cookie_value(asked.headers.get("cookie", ""), self._cookie)
        header, _ = peek(cookie)
        under_way = self._own.check(cookie, header, typ=_TYPE, audience=_AUDIENCE)
        same = hmac.compare_digest(asked.query.get("state", "").encode(), under_way["state"].encode())
        if not same or under_way["sub"] != issuer.name:
            raise NotValid("state of another log-in")
        if asked.query.get("iss", issuer.issuer) != issuer.issuer:
            raise NotValid("answer of another issuer")
        if not asked.query.get("code"):
            raise NotValid(f"no code: {asked.query.get('error', '')[:100]}")
        return under_way

    async def _proved(
        self, asked: Asked, issuer: OidcIssuer, client: ConsoleClient, under_way: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Claims of the ID token (OpenID Connect Core §3.1.3.7). raises  NotValid, TransientFault"""
        remote = self._issuers.remote(issuer)
        form = {
            "grant_type": "authorization_code",
            "code": asked.query["code"],
            "redirect_uri": self._callback(issuer),
            "code_verifier": under_way["verifier"],
        }
        token = (await remote.exchange(form, client.client_id, client.client_secret)).get("id_token")
        if not isinstance(token, str):
            raise NotValid("no ID token")
        header, _ = peek(token)
        claims = await remote.check(token, header, client.client_id)
        if (
            claims.get("nonce") != under_way["nonce"]
            or claims.get("azp", client.client_id) != client.client_id
        ):
            raise NotValid("ID token of another log-in")
        return claims

    async def _refused(self, asked: Asked, issuer: OidcIssuer, actor: str, said: str) -> Response:
        await self._audit.note("login.refused", actor, {"address": asked.address, "issuer": issuer.name})
        return RedirectResponse(f"/login?said={said}", HTTPStatus.SEE_OTHER)

    def _client(self, name: str) -> tuple[OidcIssuer | None, ConsoleClient | None]:
        issuer = self._directory.issuer(name)
        return issuer, issuer.console if issuer else None

    def _callback(self, issuer: OidcIssuer) -> str:
        return f"{self._own.url}/login/{issuer.name}/callback"


def _unknown(name: str) -> Response:
    return problem(
        HTTPStatus.NOT_FOUND,
        code="unknown_issuer",
        detail=f"nobody logs in at an issuer {name!r} here; the page /login shows those there are",
    )
