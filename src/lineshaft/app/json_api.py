"""What the HTTP APIs for people's decisions share: JSON bodies that name who and why, and one error shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from lineshaft.core.errors import (
    ConfigError,
    ContractViolation,
    LineshaftError,
    PermanentFault,
    TransientFault,
)
from lineshaft.gateway import problem, read_body, try_later

__all__ = ["Decision", "actor_of", "answering", "read_json"]

T = TypeVar("T")
_STATUS = {
    "no_such_exception": HTTPStatus.NOT_FOUND,
    "no_such_process": HTTPStatus.NOT_FOUND,
    "reason_missing": HTTPStatus.UNPROCESSABLE_ENTITY,
}


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """by: who decides this; reason: why. Both are kept in the audit."""

    by: msgspec.UnsetType | str = msgspec.UNSET
    reason: str = ""


def actor_of(body: Decision) -> str:
    if body.by is msgspec.UNSET or not body.by.strip():
        raise ContractViolation("nobody says who decides this", findings=["by: required (missing)"])
    return body.by


async def read_json(request: Request, kind: type[T]) -> T:
    """raises  ContractViolation; what `answering` answers with"""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise _Answered(
            problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                code="not_json",
                detail="send the body as Content-Type: application/json",
            )
        )
    try:
        body = await read_body(request)
    except ClientDisconnect:
        raise _Answered(Response(status_code=HTTPStatus.BAD_REQUEST)) from None
    if isinstance(body, Response):
        raise _Answered(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ContractViolation("the body cannot be read", findings=[str(error)]) from error


class _Answered(Exception):
    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def answering(verb: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that answers with the verb's value as JSON, or with problem details."""

    async def endpoint(request: Request) -> Response:
        try:
            answer = await verb(request)
        except _Answered as answered:
            return answered.response
        except ContractViolation as violation:
            return problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                code=violation.code,
                detail=violation.message,
                errors=violation.findings,
            )
        except TransientFault as fault:
            return try_later(fault)
        except (PermanentFault, ConfigError) as fault:
            status = _STATUS.get(fault.code, HTTPStatus.CONFLICT)
            findings = fault.findings if isinstance(fault, ConfigError) else ()
            detail = f"{fault.message} ({fault.hint})" if fault.hint else fault.message
            return problem(status, code=fault.code, detail=detail, errors=findings)
        except LineshaftError as fault:
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, code=fault.code, detail=fault.message)
        return Response(msgspec.json.encode(answer), media_type="application/json")

    return endpoint
