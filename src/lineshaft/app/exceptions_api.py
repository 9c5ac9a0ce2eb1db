"""The exceptions workbench over HTTP: the same verbs as `lineshaft exceptions`, the same outcomes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from lineshaft.core.errors import (
    ConfigError,
    ContractViolation,
    LineshaftError,
    PermanentFault,
    TransientFault,
)
from lineshaft.gateway import problem, read_body, try_later
from lineshaft.ledger import GROUPS, Chosen, ExceptionState, Workbench

__all__ = ["exception_routes"]

T = TypeVar("T")
_STATUS = {
    "no_such_exception": HTTPStatus.NOT_FOUND,
    "not_open": HTTPStatus.CONFLICT,
    "reason_missing": HTTPStatus.UNPROCESSABLE_ENTITY,
}
_MOST_LISTED = 1000


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """by: who decides this; reason: why. Both are kept in the audit."""

    by: msgspec.UnsetType | str = msgspec.UNSET
    reason: str = ""


class _Fix(_Body, frozen=True, kw_only=True):
    """payload: a whole one, any JSON; else `set`, each `path=value`."""

    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    set: list[str] = []
    dry_run: bool = False


class _Some(_Body, frozen=True, kw_only=True):
    """ids, or with all the open ones that the filters choose."""

    ids: list[str] = []
    all: bool = False
    owner: str = ""
    plant: str = ""
    kind: str = ""
    source: str = ""

    def chosen(self) -> Chosen:
        if bool(self.ids) == self.all:
            raise ContractViolation("name the exceptions", findings=["ids: some, or all: true with filters"])
        return Chosen(ids=self.ids, owner=self.owner, plant=self.plant, kind=self.kind, source=self.source)


class _Redrive(_Some, frozen=True, kw_only=True):
    dry_run: bool = False
    wait_s: float = 30.0


def exception_routes(workbench: Workbench) -> list[Route]:
    """Under `/api/exceptions`; errors are problem details.

    GET  ?state=&owner=&plant=&kind=&source=&by=&limit=   list, or counts by cause, owner, plant or kind
    GET  /{id}                                            show
    POST /{id}/fix      {"payload" or "set", "by", "reason", "dry_run"}
    POST /redrive       {"ids" or "all" and filters, "by", "reason", "dry_run", "wait_s"}
    POST /discard       {"ids" or "all" and filters, "by", "reason"}

    404 no such exception · 409 not open · 415 the body is not announced as JSON, so that no web page of
    another site can send it · 422 what is wrong with the body or the payload · 503 the store is away
    """
    api = _Api(workbench)
    return [
        Route("/api/exceptions", _told(api.listing), methods=["GET"]),
        Route("/api/exceptions/redrive", _told(api.redrive), methods=["POST"]),
        Route("/api/exceptions/discard", _told(api.discard), methods=["POST"]),
        Route("/api/exceptions/{id}", _told(api.show), methods=["GET"]),
        Route("/api/exceptions/{id}/fix", _told(api.fix), methods=["POST"]),
    ]


class _Api:
    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    async def listing(self, request: Request) -> Any:
        asked = dict(request.query_params)
        state = asked.pop("state", str(ExceptionState.OPEN))
        by, limit = asked.pop("by", ""), asked.pop("limit", "100")
        unknown = asked.keys() - {"owner", "plant", "kind", "source"}
        findings = [f"{name}: is unknown" for name in sorted(unknown)]
        if by and by not in GROUPS:
            findings.append(f"by: one of {', '.join(GROUPS)} ({by!r})")
        if not limit.isdigit() or not 0 < int(limit) <= _MOST_LISTED:
            findings.append(f"limit: a number up to {_MOST_LISTED} ({limit!r})")
        if findings:
            raise ContractViolation("this cannot be asked", findings=findings)
        chosen = Chosen(state="" if state == "all" else state, **asked)
        if by:
            return await self._workbench.group(chosen, by)
        return await self._workbench.listing(chosen, int(limit))

    async def show(self, request: Request) -> Any:
        return await self._workbench.show(request.path_params["id"])

    async def fix(self, request: Request) -> Any:
        body = await _body(request, _Fix)
        payload = None if body.payload is msgspec.UNSET else bytes(body.payload)
        if (payload is None) == (not body.set):
            raise ContractViolation("nothing to fix with", findings=["payload or set: exactly one"])
        fixed = await self._workbench.fix(
            request.path_params["id"],
            payload=payload,
            values=body.set,
            by=_actor(body),
            reason=body.reason,
            dry_run=body.dry_run,
        )
        if fixed.findings and not body.dry_run:
            raise ContractViolation("the payload breaks its contract", findings=fixed.findings)
        return fixed

    async def redrive(self, request: Request) -> Any:
        body = await _body(request, _Redrive)
        return await self._workbench.redrive(
            body.chosen(), by=_actor(body), reason=body.reason, dry_run=body.dry_run, wait_s=body.wait_s
        )

    async def discard(self, request: Request) -> Any:
        body = await _body(request, _Some)
        ids = await self._workbench.discard(body.chosen(), by=_actor(body), reason=body.reason)
        return {"discarded": ids}


def _actor(body: _Body) -> str:
    if body.by is msgspec.UNSET or not body.by.strip():
        raise ContractViolation("nobody says who decides this", findings=["by: required (missing)"])
    return body.by


class _Answered(Exception):
    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


async def _body(request: Request, kind: type[T]) -> T:
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


def _told(verb: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
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
            return problem(status, code=fault.code, detail=str(fault))
        except LineshaftError as fault:
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, code=fault.code, detail=fault.message)
        return Response(msgspec.json.encode(answer), media_type="application/json")

    return endpoint
