"""Every way in which a request to Tryton can fail, as one of the error tree.

`lineshaft.posting` marks its refusals `lineshaft:<code>: <text>`: no translated text has to be matched.
Tryton itself answers REST with 400 (UserError, UserWarning, as JSON), 401, 403 (bare), 404, 409, 423
(concurrent update), 429, 503 (database locked) and 500.
Source: trytond 8.2 protocols/wrappers.py, jsonrpc.py, wsgi.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from lineshaft.core.errors import (
    BusinessFault,
    LineshaftError,
    OutcomeUnknown,
    PermanentFault,
    TransientFault,
)

__all__ = ["fault_of_answer", "fault_of_exception", "malformed_answer"]

REFUSAL = re.compile(r"lineshaft:(?P<code>[a-z_]+): (?P<text>.*)", re.DOTALL)
OWNERS = {
    "insufficient_stock": "warehouse",
    "closed_period": "finance",
    "account_determination": "finance",
}
PERMANENT_CODES = {"access_denied", "not_accepted"}
TRANSIENT_STATUS = {408: "timeout", 423: "concurrent_update", 425: "unavailable", 429: "rate_limited"}
# Something between us and Tryton gave up waiting: Tryton may still have done it.
GATEWAY_STATUS = {502, 504}


def fault_of_answer(  # noqa: PLR0911 - one return per kind of answer
    what: str, status: int, headers: Mapping[str, str], body: bytes, *, writes: bool
) -> LineshaftError:
    """The fault that an answer with status 300 and above stands for; `what` names the request in messages."""
    said = f"{what}: Tryton answered {status}"
    if status == 400 and (refusal := _refusal(body)):
        return _business(what, refusal)
    if status == 409:
        return BusinessFault(f"{said}: {_excerpt(body)}", code="warning_unaccepted")
    if status in TRANSIENT_STATUS:
        return TransientFault(said, code=TRANSIENT_STATUS[status], retry_after_s=_retry_after_s(headers))
    if writes and status in GATEWAY_STATUS:
        return OutcomeUnknown(f"{said}, a gateway that got no answer")
    if status >= 500:
        return TransientFault(f"{said}: {_excerpt(body)}", retry_after_s=_retry_after_s(headers))
    if status in (401, 403):
        return PermanentFault(said, code="access_denied", hint="check the REST key and its user's groups")
    if status == 404:
        hint = "check url and database, and that the module lineshaft_posting is activated"
        return PermanentFault(said, code="not_found", hint=hint)
    return PermanentFault(f"{said}: {_excerpt(body)}", code="unexpected_answer")


def fault_of_exception(what: str, error: Exception, *, writes: bool) -> LineshaftError:
    """The fault for an exception of aiohttp, asyncio or the operating system during a request.

    A write whose request may have left is OutcomeUnknown; only a failure to connect has surely done nothing.
    """
    reason = f"{what}: {type(error).__name__} {error}".rstrip()
    if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError):
        return TransientFault(reason, code="connect")
    if isinstance(error, aiohttp.ServerFingerprintMismatch):
        return TransientFault(reason, code="connect")
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return PermanentFault(
            reason, code="bad_url", hint="url has to be http://host:port or https://host:port"
        )
    if writes:
        return OutcomeUnknown(reason)
    return TransientFault(reason, code="timeout" if isinstance(error, TimeoutError) else "unavailable")


def malformed_answer(what: str, body: bytes, *, writes: bool, torn: bool) -> LineshaftError:
    """An answer that says success and cannot be read. torn: it is no JSON, so asking again can help."""
    reason = f"{what}: Tryton's answer is not what was agreed: {_excerpt(body)}"
    if writes:
        return OutcomeUnknown(reason)
    if torn:
        return TransientFault(reason, code="unreadable_answer")
    return PermanentFault(reason, code="malformed_answer")


def _refusal(body: bytes) -> str:
    """The message of a UserError or UserWarning; empty when the body is none."""
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(answer, dict) or not isinstance(answer.get("message"), str):
        return ""
    description = answer.get("description")
    message: str = answer["message"]
    return f"{message} {description}" if description else message


def _business(what: str, message: str) -> LineshaftError:
    matched = REFUSAL.match(message)
    code, text = (matched["code"], matched["text"]) if matched else ("rejected", message)
    if code in PERMANENT_CODES:
        return PermanentFault(f"{what}: {text}", code=code)
    return BusinessFault(f"{what}: {text}", code=code, owner=OWNERS.get(code, ""))


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` as seconds or as an HTTP date; None when it is neither."""
    text = headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _excerpt(body: bytes) -> str:
    return body[:300].decode(errors="replace").strip()
