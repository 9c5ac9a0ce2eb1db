"""Checking a signed token: RFC 7519 with the advice of RFC 8725.

The algorithm has to be one of a few signatures by a private key, and one that fits the kind of the key: a
token without a signature, or with a MAC over a public key, is nothing. Of the header only `alg` and `kid` are
used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jwt

__all__ = ["ALGORITHMS", "SKEW_S", "NotValid", "claims_of", "peek", "texts_at"]

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
SKEW_S = 60
_LONGEST = 16_384


class NotValid(Exception):
    """For the log; who asks is not told what was wrong."""


def peek(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """(header, claims), of which nothing is proved yet. raises  NotValid"""
    if len(token) > _LONGEST or not token.isascii():
        raise NotValid("no token")
    try:
        found = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise NotValid(str(error)) from error
    header, claims = found["header"], found["payload"]
    if header.get("alg") not in ALGORITHMS or "crit" in header:
        raise NotValid(f"algorithm {header.get('alg')!r}")
    return header, claims


def claims_of(
    token: str,
    key: Any,
    *,
    issuer: str,
    audience: str,
    now: datetime,
    algorithms: tuple[str, ...] = ALGORITHMS,
) -> Mapping[str, Any]:
    """key: a public key, or a jwt.PyJWK. raises  NotValid"""
    if isinstance(key, jwt.PyJWK):
        if key.algorithm_name not in algorithms:
            raise NotValid(f"a key for {key.algorithm_name}")
        key = key.key
    options: Any = {
        "require": ["exp", "iss", "aud", "sub"],
        "verify_exp": False,
        "verify_nbf": False,
        "verify_iat": False,
    }
    try:
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=list(algorithms), issuer=issuer, audience=audience, options=options
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise NotValid(str(error)) from error
    at = now.timestamp()
    for name in ("exp", "nbf", "iat"):
        if not isinstance(claims.get(name, 0), int | float) or not math.isfinite(claims.get(name, 0)):
            raise NotValid(f"{name} is no time")
    if at >= claims["exp"] + SKEW_S:
        raise NotValid("expired")
    if at < max(claims.get("nbf", 0), claims.get("iat", 0)) - SKEW_S:
        raise NotValid("not valid yet")
    return claims


def texts_at(claims: Mapping[str, Any], place: str) -> list[str]:
    """Of a claim: a list, or the words of one text. place: with dots into objects, unless it is a name"""
    value: Any = claims.get(place)
    if value is None:
        value = claims
        for name in place.split("."):
            value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, str):
        return value.split()
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
