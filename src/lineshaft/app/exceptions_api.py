"""The exceptions workbench over HTTP: the same verbs as `lineshaft exceptions`, the same outcomes."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from lineshaft.app.json_api import Decision, actor_of, answering, read_json
from lineshaft.core.errors import ContractViolation
from lineshaft.ledger import GROUPS, Chosen, ExceptionState, Workbench

__all__ = ["exception_routes"]

_MOST_LISTED = 1000


class _Fix(Decision, frozen=True, kw_only=True):
    """payload: a whole one, any JSON; else `set`, each `path=value`."""

    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    set: list[str] = msgspec.field(default_factory=list)
    dry_run: bool = False


class _Some(Decision, frozen=True, kw_only=True):
    """ids, or with all the open ones that the filters choose."""

    ids: list[str] = msgspec.field(default_factory=list)
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
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 30.0


def exception_routes(workbench: Workbench) -> list[Route]:
    """Under `/api/exceptions`; errors are problem details.

    GET  ?state=&owner=&plant=&kind=&source=&by=&limit=   list, or counts by cause, owner, plant or kind
    GET  /{id}                                            show
    POST /{id}/fix      {"payload" or "set", "by", "reason", "dry_run"}
    POST /redrive       {"ids" or "all" and filters, "by", "reason", "dry_run", "wait_s"}
    POST /discard       {"ids" or "all" and filters, "by", "reason"}

    403 a POST where this is not served on loopback · 404 no such exception · 409 not open · 415 the body is
    not announced as JSON, so that no web page of another site can send it · 421 see WebAccess · 422 what is
    wrong with the body or the payload · 503 the store is away
    """
    api = _Api(workbench)
    return [
        Route("/api/exceptions", answering(api.listing), methods=["GET"]),
        Route("/api/exceptions/redrive", answering(api.redrive), methods=["POST"]),
        Route("/api/exceptions/discard", answering(api.discard), methods=["POST"]),
        Route("/api/exceptions/{id}", answering(api.show), methods=["GET"]),
        Route("/api/exceptions/{id}/fix", answering(api.fix), methods=["POST"]),
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
        body = await read_json(request, _Fix)
        payload = None if body.payload is msgspec.UNSET else bytes(body.payload)
        if (payload is None) == (not body.set):
            raise ContractViolation("nothing to fix with", findings=["payload or set: exactly one"])
        fixed = await self._workbench.fix(
            request.path_params["id"],
            payload=payload,
            values=body.set,
            by=actor_of(body),
            reason=body.reason,
            dry_run=body.dry_run,
        )
        if fixed.findings and not body.dry_run:
            raise ContractViolation("the payload breaks its contract", findings=fixed.findings)
        return fixed

    async def redrive(self, request: Request) -> Any:
        body = await read_json(request, _Redrive)
        return await self._workbench.redrive(
            body.chosen(), by=actor_of(body), reason=body.reason, dry_run=body.dry_run, wait_s=body.wait_s
        )

    async def discard(self, request: Request) -> Any:
        body = await read_json(request, _Some)
        ids = await self._workbench.discard(body.chosen(), by=actor_of(body), reason=body.reason)
        return {"discarded": ids}
