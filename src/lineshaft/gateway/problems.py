"""The one error shape of our HTTP APIs: problem details, RFC 9457."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from lineshaft.core.errors import (
    BusinessFault,
    ChangedMeanwhile,
    ConfigError,
    ContractViolation,
    LineshaftError,
    OutcomeUnknown,
    PermanentFault,
    TransientFault,
)

__all__ = ["Refusal", "problem", "problem_of", "status_of", "try_later"]

RETRY_AFTER_S = 5.0

_STATUS = {
    "body_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "impossible_pause": HTTPStatus.UNPROCESSABLE_ENTITY,
    "no_cloudevent": HTTPStatus.BAD_REQUEST,
    "no_system": HTTPStatus.NOT_FOUND,
    "not_authorised": HTTPStatus.FORBIDDEN,
    "not_the_master": HTTPStatus.FORBIDDEN,
    "reason_missing": HTTPStatus.UNPROCESSABLE_ENTITY,
    "unknown_encoding": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "unknown_hook": HTTPStatus.NOT_FOUND,
    "unknown_system": HTTPStatus.NOT_FOUND,
    "unreadable_time": HTTPStatus.BAD_REQUEST,
    "unsound_body": HTTPStatus.BAD_REQUEST,
    "wrong_signature": HTTPStatus.UNAUTHORIZED,
}

_STATUS_OF_KIND: dict[type[LineshaftError], HTTPStatus] = {
    BusinessFault: HTTPStatus.UNPROCESSABLE_ENTITY,
    ContractViolation: HTTPStatus.UNPROCESSABLE_ENTITY,
    TransientFault: HTTPStatus.SERVICE_UNAVAILABLE,
    OutcomeUnknown: HTTPStatus.GATEWAY_TIMEOUT,
    PermanentFault: HTTPStatus.CONFLICT,
    ConfigError: HTTPStatus.CONFLICT,
    LineshaftError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


class Refusal(LineshaftError):
    """A fault whose status does not follow from its kind. headers: sent with the problem."""

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        *,
        code: str,
        hint: str = "",
        findings: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        ref: str = "",
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.status, self.findings, self.headers, self.ref = status, list(findings), headers or {}, ref


def problem(
    status: HTTPStatus,
    *,
    code: str,
    detail: str,
    errors: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, object] | None = None,
) -> Response:
    """code: stable snake_case, also the last part of `type`; errors: every finding, one line each;
    more: further members."""
    body: dict[str, object] = {
        "type": f"urn:lineshaft:problem:{code}",
        "title": status.phrase,
        "status": status.value,
        "code": code,
        "detail": detail,
    }
    if errors:
        body["errors"] = list(errors)
    body.update(more or {})
    return Response(
        msgspec.json.encode(body), status.value, headers=headers, media_type="application/problem+json"
    )


def status_of(fault: LineshaftError) -> HTTPStatus:
    """By the kind of fault, as that says how to react; a few by their code."""
    if isinstance(fault, Refusal):
        return fault.status
    if not isinstance(fault, BusinessFault) and fault.code in _STATUS:
        return _STATUS[fault.code]
    if isinstance(fault, PermanentFault | ConfigError) and fault.code.startswith("no_such_"):
        return HTTPStatus.NOT_FOUND
    kinds = (kind for kind in _STATUS_OF_KIND if isinstance(fault, kind))
    return _STATUS_OF_KIND[next(kinds, LineshaftError)]


def problem_of(fault: LineshaftError, more: Mapping[str, object] | None = None) -> Response:
    """What is answered where a fault comes out of a handler."""
    if isinstance(fault, TransientFault):
        return try_later(fault, more)
    members = dict(more or {})
    if isinstance(fault, BusinessFault) and fault.owner:
        members["owner"] = fault.owner
    if isinstance(fault, ChangedMeanwhile):
        members |= {"changed_by": fault.by, "changed_at": fault.at}
    findings = fault.findings if isinstance(fault, ContractViolation | ConfigError | Refusal) else ()
    detail = f"{fault.message} ({fault.hint})" if fault.hint else fault.message
    headers = fault.headers if isinstance(fault, Refusal) else None
    return problem(
        status_of(fault), code=fault.code, detail=detail, errors=findings, headers=headers, more=members
    )


def try_later(fault: LineshaftError, more: Mapping[str, object] | None = None) -> Response:
    """503 with Retry-After in whole seconds: the peer's own, else five."""
    wait_s = fault.retry_after_s if isinstance(fault, TransientFault) else None
    seconds = max(1, math.ceil(RETRY_AFTER_S if wait_s is None else wait_s))
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        code=fault.code,
        detail=str(fault),
        headers={"Retry-After": str(seconds)},
        more=more,
    )
