"""Keys by which a client makes a repeat recognisable (draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus

import msgspec

from lineshaft.gateway.problems import Refusal

__all__ = ["idempotency_key", "request_fingerprint"]

_LONGEST = 200
_NUMBERS = msgspec.json.Decoder(float_hook=lambda text: f"\x01{text}")


def idempotency_key(headers: Mapping[str, str]) -> str:
    """In quotes, as the draft has it, or bare, as most clients send it.

    raises  Refusal, 400, for none, and one that is longer than 200 characters or not printable ASCII
    """
    sent = headers.get("idempotency-key", "").strip()
    key = sent[1:-1] if len(sent) > 1 and sent[0] == sent[-1] == '"' else sent
    if not key:
        raise _refusal(
            "this request changes something and has no Idempotency-Key",
            "idempotency_key_missing",
            "send a value that is the same at each repeat of this request and at no other, a UUID say",
        )
    if len(key) > _LONGEST or not (key.isascii() and key.isprintable()):
        raise _refusal(
            f"the Idempotency-Key {key[:40]!r} has {len(key)} characters",
            "idempotency_key_unusable",
            f"up to {_LONGEST} printable ASCII characters are taken",
        )
    return key


def _refusal(message: str, code: str, hint: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, message, code=code, hint=hint)


def request_fingerprint(path: str, query: Mapping[str, str], body: bytes) -> str:
    """The same for the same request, however its members are ordered and spaced. Numbers count as written."""
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        body = msgspec.json.encode(_NUMBERS.decode(body), order="deterministic") if body else b""
    asked = msgspec.json.encode([path, dict(query)], order="deterministic")
    return hashlib.sha256(asked + b"\n" + body).hexdigest()
