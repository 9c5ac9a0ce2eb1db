"""Tokens that this node signs for clients of its own (RFC 9068)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt

from lineshaft.core.clock import Clock
from lineshaft.core.ids import new_id
from lineshaft.gateway.identity.jwt_check import NotValid, claims_of
from lineshaft.gateway.identity.signing_keys import ALGORITHM, SigningKeys

__all__ = ["OwnIssuer"]


class OwnIssuer:
    """url: `iss` of the tokens."""

    def __init__(self, url: str, keys: SigningKeys, clock: Clock) -> None:
        self.url = url
        self.keys = keys
        self._clock = clock

    def sign(self, claims: Mapping[str, Any], *, typ: str, audience: str, ttl_s: int) -> str:
        """typ: `at+jwt` of an access token; what is signed for other ends has another."""
        kid, key = self.keys.current()
        now = int(self._clock.now().timestamp())
        whole = {**claims, "iss": self.url, "aud": audience, "iat": now, "exp": now + ttl_s, "jti": new_id()}
        return jwt.encode(whole, key, ALGORITHM, {"kid": kid, "typ": typ})

    def check(self, token: str, header: Mapping[str, Any], *, typ: str, audience: str) -> Mapping[str, Any]:
        """raises  NotValid"""
        kid = header.get("kid")
        key = self.keys.public(kid) if isinstance(kid, str) else None
        if key is None or header.get("typ") != typ:
            raise NotValid("no key or no token of ours")
        return claims_of(
            token, key, issuer=self.url, audience=audience, now=self._clock.now(), algorithms=(ALGORITHM,)
        )
