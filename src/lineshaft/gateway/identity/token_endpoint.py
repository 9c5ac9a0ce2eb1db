"""OAuth2 client credentials (RFC 6749 §4.4) for clients of our own, and how others check their tokens."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import msgspec
from starlette.responses import Response

from lineshaft.core.clock import Clock
from lineshaft.core.credentials import CredentialKind, Credentials
from lineshaft.gateway.identity.directory import Directory
from lineshaft.gateway.identity.own_issuer import OwnIssuer
from lineshaft.gateway.identity.secrets import fits, id_of
from lineshaft.gateway.identity.signing_keys import ALGORITHM
from lineshaft.gateway.identity.tokens import ACCESS_TOKEN
from lineshaft.gateway.route import PUBLIC, Answer, ApiRoute, Asked

__all__ = ["TokenEndpoint"]

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_METHODS = ["client_secret_basic", "client_secret_post"]
_TEXT: Mapping[str, Any] = {"type": "string"}
_TOKEN: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "access_token": _TEXT,
        "token_type": {"const": "Bearer"},
        "expires_in": {"type": "integer", "description": "seconds"},
    },
    "required": ["access_token", "token_type", "expires_in"],
}
_ERROR: Mapping[str, Any] = {
    "type": "object",
    "properties": {"error": _TEXT, "error_description": _TEXT},
    "required": ["error"],
}
_METADATA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"issuer": _TEXT, "token_endpoint": _TEXT, "jwks_uri": _TEXT},
    "required": ["issuer", "token_endpoint", "jwks_uri"],
}
_JWKS: Mapping[str, Any] = {
    "type": "object",
    "properties": {"keys": {"type": "array", "items": {"type": "object"}}},
    "required": ["keys"],
}


class _Error(Exception):
    """error: of RFC 6749 §5.2"""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error, self.description = error, description


class TokenEndpoint:
    def __init__(self, directory: Directory, credentials: Credentials, own: OwnIssuer, clock: Clock) -> None:
        self._directory = directory
        self._credentials = credentials
        self._own = own
        self._clock = clock

    def routes(self) -> list[ApiRoute]:
        documents = [
            ("/.well-known/oauth-authorization-server", "authorization_server", self.metadata, _METADATA),
            ("/.well-known/openid-configuration", "openid_configuration", self.metadata, _METADATA),
            ("/oauth2/jwks", "signing_keys", self.jwks, _JWKS),
        ]
        return [
            ApiRoute(
                method="POST",
                path="/oauth2/token",
                name="issue_token",
                summary="An access token for a client: grant_type=client_credentials, with its id and secret",
                permission=PUBLIC,
                handler=self.token,
                tag="access",
                media=("application/x-www-form-urlencoded",),
                answers={200: _TOKEN, 400: _ERROR, 401: _ERROR},
                problems=[503],
            ),
            *(
                ApiRoute(
                    method="GET",
                    path=path,
                    name=name,
                    summary="How and by which keys the access tokens of this node are made",
                    permission=PUBLIC,
                    handler=handler,
                    tag="access",
                    answers={200: schema},
                )
                for path, name, handler, schema in documents
            ),
        ]

    async def metadata(self, _: Asked) -> Answer:
        """RFC 8414"""
        url = self._own.url
        return Answer(
            body={
                "issuer": url,
                "token_endpoint": f"{url}/oauth2/token",
                "jwks_uri": f"{url}/oauth2/jwks",
                "grant_types_supported": ["client_credentials"],
                "response_types_supported": [],
                "token_endpoint_auth_methods_supported": _METHODS,
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [ALGORITHM],
            }
        )

    async def jwks(self, _: Asked) -> Answer:
        return Answer(body=self._own.keys.jwks(), headers={"Cache-Control": "public, max-age=300"})

    async def token(self, asked: Asked) -> Answer | Response:
        """raises  TransientFault when the store does not answer"""
        basic = asked.headers.get("authorization", "")
        try:
            form = _form(asked.body)
            account, secret = _client(form, basic)
            if form.get("grant_type") != "client_credentials":
                given = "grant_type" in form
                raise _Error(
                    "unsupported_grant_type" if given else "invalid_request", "grant_type: client_credentials"
                )
            if form.get("scope"):
                raise _Error(
                    "invalid_scope", "a client has what the roles of its account allow; ask for no scope"
                )
            credential_id = await self._proved(account, secret)
        except _Error as error:
            return _refused(error, challenge=error.error == "invalid_client" and bool(basic))
        rules = self._directory.access.issuer
        token = self._own.sign(
            {"sub": account, "client_id": account, "credential": credential_id},
            typ=ACCESS_TOKEN,
            audience=rules.audience,
            ttl_s=rules.token_ttl_s,
        )
        body = {"access_token": token, "token_type": "Bearer", "expires_in": rules.token_ttl_s}
        return Answer(body=body, headers=_NO_STORE)

    async def _proved(self, account: str, secret: str) -> str:
        credential_id = id_of(secret, CredentialKind.CLIENT)
        found = await self._credentials.find(credential_id) if credential_id else None
        if (
            found is None
            or not fits(secret, found.hash)
            or found.account != account
            or not found.holds(self._clock.now())
            or self._directory.account(account) is None
        ):
            raise _Error("invalid_client", "no such client, or not with this secret")
        return credential_id


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError as error:
        raise _Error("invalid_request", "the body is no form") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise _Error("invalid_request", "a parameter is given twice")
    return form


def _client(form: Mapping[str, str], basic: str) -> tuple[str, str]:
    """(account, secret), said in one way only."""
    if not basic:
        return form.get("client_id", ""), form.get("client_secret", "")
    if "client_secret" in form:
        raise _Error("invalid_request", "the client's secret is said twice")
    scheme, _, encoded = basic.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        account, _, secret = base64.b64decode(encoded, validate=True).decode("ascii").partition(":")
    except (ValueError, binascii.Error) as error:
        raise _Error("invalid_client", "Authorization is not Basic") from error
    if form.get("client_id", unquote_plus(account)) != unquote_plus(account):
        raise _Error("invalid_request", "client_id and Authorization name different clients")
    return unquote_plus(account), unquote_plus(secret)


def _refused(error: _Error, *, challenge: bool) -> Response:
    status = HTTPStatus.UNAUTHORIZED if error.error == "invalid_client" else HTTPStatus.BAD_REQUEST
    headers = {**_NO_STORE, **({"WWW-Authenticate": 'Basic realm="lineshaft"'} if challenge else {})}
    body = msgspec.json.encode({"error": error.error, "error_description": error.description})
    return Response(body, status, headers=headers, media_type="application/json")
