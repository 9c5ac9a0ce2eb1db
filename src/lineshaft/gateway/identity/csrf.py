"""A changing request that a browser sends with its cookie carries what only a page of ours could know."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qs

from lineshaft.gateway.problems import Refusal

__all__ = ["FIELD", "HEADER", "check_csrf", "csrf_token"]

HEADER = "x-csrf-token"
FIELD = "csrf_token"
_FORM = "application/x-www-form-urlencoded"


def csrf_token(cookie: str) -> str:
    """Of a session: derived from what the browser alone has, so that it needs no keeping."""
    return hashlib.sha256(b"csrf\0" + cookie.encode()).hexdigest()


def check_csrf(headers: Mapping[str, str], body: bytes, token: str) -> None:
    """token: Caller.csrf. raises  Refusal, 403"""
    sent = headers.get(HEADER, "")
    if not sent and headers.get("content-type", "").startswith(_FORM):
        sent = parse_qs(body.decode("latin-1")).get(FIELD, [""])[0]
    if not hmac.compare_digest(sent.encode(), token.encode()):
        raise Refusal(
            HTTPStatus.FORBIDDEN,
            f"the request comes by the console's cookie, without the token of its session in {HEADER}",
            code="csrf_token_missing",
            hint="open the page again and send its form, or ask with a key of your own",
        )
