"""Signatures of webhooks: made and checked as Standard Webhooks says, and checked as GitHub and others do.

source  Standard Webhooks 1.0: HMAC-SHA256 over `<id>.<timestamp>.<body>`, headers webhook-id,
        webhook-timestamp (seconds since 1970) and webhook-signature (`v1,<base64>`, several by blanks)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

from lineshaft.core.errors import ConfigError, PermanentFault

__all__ = [
    "TOLERANCE_S",
    "body_signature_fits",
    "check_standard",
    "new_secret",
    "secret_bytes",
    "signed_headers",
]

TOLERANCE_S = 300.0
_PREFIX = "whsec_"
_VERSION = "v1,"
_SHORTEST, _LONGEST = 24, 64


def new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def secret_bytes(secret: str) -> bytes:
    """secret: `whsec_` and base64 of 24 to 64 bytes, or the base64 alone. raises  ConfigError"""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigError("the secret of a webhook is no base64", hint="whsec_ and base64") from error
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ConfigError(
            f"the secret of a webhook has {len(key)} bytes", hint=f"{_SHORTEST} to {_LONGEST}, in base64"
        )
    return key


def signed_headers(secret: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """message_id: the same at each attempt; at: of this one. raises  ConfigError for a secret that is none"""
    stamp = str(int(at.timestamp()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": _VERSION + _standard(secret_bytes(secret), message_id, stamp, body),
    }


def check_standard(
    headers: Mapping[str, str],
    body: bytes,
    known: Sequence[str],
    now: datetime,
    *,
    tolerance_s: float = TOLERANCE_S,
) -> None:
    """headers: names in lower case; known: secrets, any of which may have signed it.

    raises  PermanentFault, code `wrong_signature`: not signed by one of them, or more than tolerance_s ago or
            ahead
    """
    message_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    given = [part[len(_VERSION) :] for part in headers.get("webhook-signature", "").split(" ")]
    missing = [
        name for name in ("webhook-id", "webhook-timestamp", "webhook-signature") if not headers.get(name)
    ]
    if missing:
        raise _wrong(f"{', '.join(missing)} missing")
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        raise _wrong(f"webhook-timestamp {stamp!r} is no number of seconds since 1970")
    apart_s = abs(now.timestamp() - int(stamp))
    if apart_s > tolerance_s:
        raise _wrong(f"webhook-timestamp is {apart_s:.0f} s away from our clock, more than {tolerance_s:g} s")
    fits = False
    for secret in known:  # each is compared with each, whichever fits first
        expected = _standard(secret_bytes(secret), message_id, stamp, body).encode()
        for signature in given:
            fits |= hmac.compare_digest(expected, signature.encode(errors="replace"))
    if not fits:
        raise _wrong("webhook-signature is not the signature of this body")


def body_signature_fits(given: str, prefix: str, body: bytes, known: Sequence[str]) -> bool:
    """Whether it is prefix + hex HMAC-SHA256 of the body under one of these secrets."""
    fits = False
    for secret in known:
        expected = prefix + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        fits |= hmac.compare_digest(expected.encode(), given.encode(errors="replace"))
    return fits


def _wrong(what: str) -> PermanentFault:
    return PermanentFault(
        f"this webhook is not proved: {what}",
        code="wrong_signature",
        hint="check that both sides have the same secret and the right time",
    )


def _standard(key: bytes, message_id: str, stamp: str, body: bytes) -> str:
    content = f"{message_id}.{stamp}.".encode() + body
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()
