"""What is answered when a request cannot be, or could not be, done."""

from __future__ import annotations

from http import HTTPStatus
from typing import Protocol

import msgspec
import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from lineshaft.core.access import Refused
from lineshaft.core.errors import LineshaftError, OutcomeUnknown
from lineshaft.gateway.exchange import Exchange, Sent, Served
from lineshaft.gateway.identity.login import to_login
from lineshaft.gateway.problems import Refusal, problem, problem_of

__all__ = ["RefusalPage", "refusal", "refusal_page", "too_slow"]

_LOG = structlog.get_logger("lineshaft.gateway")


class RefusalPage(Protocol):
    """What a person sees whose browser asked for a page that is not shown."""

    def refused(self, *, path: str, status: int, detail: str, request_id: str) -> Response: ...


def refusal_page(exchange: Exchange, sent: Sent, page: RefusalPage) -> Sent:
    """The same as a page, where a browser asked for one, or for what there is not."""
    served = exchange.served
    is_page = served is None or (served.route.answer_media == "text/html" and not served.changes)
    takes_it = "text/html" in exchange.headers.get("accept", "")
    if not is_page or not takes_it or sent.status < HTTPStatus.BAD_REQUEST:
        return sent
    told = msgspec.json.decode(sent.body)
    answer = page.refused(
        path=exchange.scope["path"],
        status=sent.status,
        detail=told.get("detail", ""),
        request_id=exchange.request_id,
    )
    mine = {b"content-length", b"content-type"}
    headers = [pair for pair in answer.raw_headers if pair[0] != b"content-length"]
    headers += [pair for pair in sent.headers if pair[0] not in mine]
    return Sent(sent.status, headers, bytes(answer.body), sent.code, sent.ref, has_rules=True)


def refusal(exchange: Exchange, error: Exception) -> Sent:
    """Problem details for whatever went wrong; what nobody foresaw is logged with its stack, not told."""
    more = {"request_id": exchange.request_id}
    code, ref = "internal_error", ""
    if isinstance(error, Refused):
        code = error.code
        answer = _who_are_you(exchange, error, more)
    elif isinstance(error, LineshaftError):
        code = error.code
        answer = problem_of(error, more)
        ref = error.ref if isinstance(error, Refusal) else ""
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _LOG.warning("request.failed", request=exchange.request_id, code=code, error=str(error))
    elif isinstance(error, ClientDisconnect):
        code = "client_left"
        answer = problem(HTTPStatus.BAD_REQUEST, code=code, detail="the body did not come to its end")
    else:
        _LOG.error("request.failed", request=exchange.request_id, exc_info=error)
        answer = problem(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            code=code,
            detail=f"something went wrong here; the log names request {exchange.request_id}",
            more=more,
        )
    headers = [pair for pair in answer.raw_headers if pair[0] != b"content-length"]
    return Sent(answer.status_code, headers, bytes(answer.body), code, ref)


def _who_are_you(exchange: Exchange, error: Refused, more: dict[str, str]) -> Response:
    """A browser that asks for a page is sent to the log-in; everybody else is told how to prove it."""
    served, scope = exchange.served, exchange.scope
    if served is not None and served.route.answer_media == "text/html" and not served.changes:
        query = scope["query_string"].decode("latin-1")
        return to_login(scope["path"] + (f"?{query}" if query else ""))
    return problem(
        HTTPStatus.UNAUTHORIZED,
        code=error.code,
        detail=error.detail,
        headers={"WWW-Authenticate": error.challenge},
        more=more,
    )


def too_slow(served: Served, timeout_s: float) -> LineshaftError:
    """Of a handler. A change that was begun may still take effect."""
    name = served.route.name
    if not served.changes:
        return Refusal(
            HTTPStatus.GATEWAY_TIMEOUT, f"{name} was not done within {timeout_s:g} s", code="timeout"
        )
    again = "ask again under the same key" if served.route.idempotent else "look before asking again"
    return OutcomeUnknown(f"{name} was not done within {timeout_s:g} s; it may take effect", hint=again)
