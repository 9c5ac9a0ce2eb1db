"""An OIDC issuer somewhere else: what it says of itself, and the keys by which its tokens are checked."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

import aiohttp
import jwt
import msgspec
import structlog

from lineshaft.core.clock import Clock
from lineshaft.core.errors import TransientFault
from lineshaft.gateway.identity.access_file import is_safe_url
from lineshaft.gateway.identity.jwt_check import NotValid, claims_of

__all__ = ["RemoteIssuer"]

_LOG = structlog.get_logger(__name__)
_TIMEOUT_S = 5.0
_LONGEST_ANSWER = 256 * 1024
_KEYS_FRESH_S = 3_600.0
_KEYS_MOST_S = 86_400.0
_ASK_AGAIN_S = 30.0


class RemoteIssuer:
    """Asked when it is needed, never at start: an issuer that is away keeps nobody else out.

    Keys are read again each hour, and for a key that is not known at most every thirty seconds; while the
    issuer is away, those it had hold for a day.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        self.url = url
        self._clock = clock
        self._metadata: Mapping[str, str] = {}
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = self._asked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def metadata(self) -> Mapping[str, str]:
        """Its discovery document (OpenID Connect Discovery 1.0, RFC 8414): the members that are texts.

        raises  TransientFault
        """
        if not self._metadata:
            place = f"{self.url.rstrip('/')}/.well-known/openid-configuration"
            found = await self._ask("GET", place)
            if found.get("issuer") != self.url:
                raise TransientFault(
                    f"{place} is the document of {found.get('issuer')!r}, not of {self.url!r}",
                    hint="correct `oidc.issuer` in the access file",
                )
            self._metadata = {name: text for name, text in found.items() if isinstance(text, str)}
        return self._metadata

    async def endpoint(self, name: str) -> str:
        """raises  TransientFault when it says none, or one that is not safe"""
        address = (await self.metadata()).get(name, "")
        if not is_safe_url(address.partition("?")[0]):
            raise TransientFault(f"{self.url} has no usable {name}: {address!r}")
        return address

    async def check(self, token: str, header: Mapping[str, Any], audience: str) -> Mapping[str, Any]:
        """The claims of a token for this audience. raises  NotValid; TransientFault: no keys to be had"""
        key = await self._key(header.get("kid"))
        return claims_of(token, key, issuer=self.url, audience=audience, now=self._clock.now())

    async def exchange(
        self, form: Mapping[str, str], client_id: str, client_secret: str
    ) -> Mapping[str, Any]:
        """The token endpoint's answer. raises  NotValid when it refuses, TransientFault"""
        endpoint = await self.endpoint("token_endpoint")
        if not client_secret:
            return await self._ask("POST", endpoint, form={**form, "client_id": client_id})
        proof = f"{quote_plus(client_id)}:{quote_plus(client_secret)}".encode()  # RFC 6749 §2.3.1
        return await self._ask(
            "POST", endpoint, form=form, authorization=f"Basic {b64encode(proof).decode()}"
        )

    async def _key(self, kid: object) -> jwt.PyJWK:
        """A token may name none where there is only one (OpenID Connect Core §10.1)."""
        async with self._lock:
            now = self._clock.monotonic()
            due = self._named(kid) is None or now - self._read_at > _KEYS_FRESH_S
            if due and now - self._asked_at > _ASK_AGAIN_S:
                self._asked_at = now
                try:
                    self._keys = await self._read_keys()
                    self._read_at = now
                except TransientFault as fault:
                    _LOG.warning("issuer away", issuer=self.url, reason=str(fault))
            if now - self._read_at > _KEYS_MOST_S:
                raise TransientFault(f"the keys of {self.url} cannot be had", retry_after_s=_ASK_AGAIN_S)
        key = self._named(kid)
        if key is None:
            raise NotValid(f"{self.url} has no key {str(kid)[:100]!r}")
        return key

    def _named(self, kid: object) -> jwt.PyJWK | None:
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid) if isinstance(kid, str) else None

    async def _read_keys(self) -> dict[str, jwt.PyJWK]:
        """Those for signatures; one that is of no known kind is left out."""
        found = await self._ask("GET", await self.endpoint("jwks_uri"))
        listed = found.get("keys")
        keys = {}
        for each in listed if isinstance(listed, list) else []:
            if not isinstance(each, dict) or each.get("use", "sig") != "sig" or each.get("kty") == "oct":
                continue
            try:
                key = jwt.PyJWK.from_dict(each)
            except (jwt.PyJWTError, ValueError, KeyError, TypeError):
                continue
            keys[str(key.key_id or "")] = key
        return keys

    async def _ask(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        authorization: str = "",
    ) -> Mapping[str, Any]:
        """raises  NotValid for 4xx to a form, TransientFault for everything else that is no JSON object"""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        headers = {"Accept": "application/json"} | ({"Authorization": authorization} if authorization else {})
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(method, url, data=form, allow_redirects=False, headers=headers) as answer,
            ):
                body = await answer.content.read(_LONGEST_ANSWER + 1)
                while len(body) <= _LONGEST_ANSWER and (more := await answer.content.read(_LONGEST_ANSWER)):
                    body += more
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransientFault(f"{url} does not answer: {error or type(error).__name__}") from error
        if form is not None and 400 <= status < 500:
            raise NotValid(f"{url} answered {status}: {body[:200]!r}")
        try:
            if status != 200 or len(body) > _LONGEST_ANSWER:
                raise ValueError(f"status {status}")
            found = msgspec.json.decode(body, type=dict[str, Any])
        except (ValueError, msgspec.MsgspecError) as error:
            raise TransientFault(f"{url} answered nothing usable: {error}") from error
        return found
