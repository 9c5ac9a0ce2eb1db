"""The exceptions workbench over HTTP: the same verbs as `lineshaft exceptions`, the same outcomes."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from lineshaft.app.json_api import Decision, actor_of, body_of, limit_of, limit_parameter
from lineshaft.core.errors import ContractViolation
from lineshaft.gateway.route import Answer, ApiRoute, Asked, Parameter
from lineshaft.ledger import GROUPS, Chosen, ExceptionState, Workbench

__all__ = ["exception_routes"]

_FILTERS = ("owner", "plant", "kind", "source")
_LONGEST_WAIT_S = 3600


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
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=_LONGEST_WAIT_S)] = 30.0


def exception_routes(workbench: Workbench) -> list[ApiRoute]:
    """Under `/api/exceptions`.

    GET  ?state=&owner=&plant=&kind=&source=&by=&limit=   list, or counts by cause, owner, plant or kind
    GET  /{id}                                            show
    POST /{id}/fix      {"payload" or "set", "reason", "dry_run"}
    POST /redrive       {"ids" or "all" and filters, "reason", "dry_run", "wait_s"}
    POST /discard       {"ids" or "all" and filters, "reason"}

    404 no such exception · 409 not open · 422 what is wrong with the body or the payload. On a node that does
    not know its callers each body has `by`: who decides.
    """
    api = _Api(workbench)
    parameters = [
        Parameter(name="state", where="query", schema={"type": "string", "enum": ["all", *ExceptionState]}),
        Parameter(name="by", where="query", schema={"type": "string", "enum": ["", *GROUPS]}),
        *(Parameter(name=name, where="query") for name in _FILTERS),
        limit_parameter(100),
    ]
    facets: dict[str, Any] = {"tag": "exceptions"}
    reads, decides = {"permission": "read:exceptions"} | facets, {"permission": "decide:exceptions"} | facets
    one = {"type": "object"}
    return [
        ApiRoute(
            method="GET",
            path="/api/exceptions",
            name="list_exceptions",
            summary="What people have to look at, or how much of it there is",
            handler=api.listing,
            parameters=parameters,
            answers={200: {"type": "array", "items": one}},
            **reads,
        ),
        ApiRoute(
            method="POST",
            path="/api/exceptions/redrive",
            name="redrive_exceptions",
            summary="Send exceptions on their way again, and wait for what comes of it",
            handler=api.redrive,
            request=msgspec.json.schema(_Redrive),
            answers={200: one},
            problems=(404, 409, 503),
            timeout_s=_LONGEST_WAIT_S + 60,
            **decides,
        ),
        ApiRoute(
            method="POST",
            path="/api/exceptions/discard",
            name="discard_exceptions",
            summary="Close exceptions of which nothing is to come",
            handler=api.discard,
            request=msgspec.json.schema(_Some),
            answers={200: one},
            problems=(404, 409, 503),
            **decides,
        ),
        ApiRoute(
            method="GET",
            path="/api/exceptions/{id}",
            name="show_exception",
            summary="An exception with its payload and story",
            handler=api.show,
            answers={200: one},
            problems=(404, 409),
            **reads,
        ),
        ApiRoute(
            method="POST",
            path="/api/exceptions/{id}/fix",
            name="fix_exception",
            summary="Keep a corrected payload beside the original one",
            handler=api.fix,
            request=msgspec.json.schema(_Fix),
            answers={200: one},
            problems=(404, 409, 503),
            **decides,
        ),
    ]


class _Api:
    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    async def listing(self, asked: Asked) -> Answer:
        state, by = asked.query.get("state", str(ExceptionState.OPEN)), asked.query.get("by", "")
        filters = {name: asked.query[name] for name in _FILTERS if name in asked.query}
        chosen = Chosen(state="" if state == "all" else state, **filters)
        if by:
            return Answer(body=await self._workbench.group(chosen, by))
        return Answer(body=await self._workbench.listing(chosen, limit_of(asked, 100)))

    async def show(self, asked: Asked) -> Answer:
        return Answer(body=await self._workbench.show(asked.path["id"]))

    async def fix(self, asked: Asked) -> Answer:
        body = body_of(asked, _Fix)
        payload = None if body.payload is msgspec.UNSET else bytes(body.payload)
        if (payload is None) == (not body.set):
            raise ContractViolation("nothing to fix with", findings=["payload or set: exactly one"])
        fixed = await self._workbench.fix(
            asked.path["id"],
            payload=payload,
            values=body.set,
            by=actor_of(asked, body),
            reason=body.reason,
            dry_run=body.dry_run,
        )
        if fixed.findings and not body.dry_run:
            raise ContractViolation("the payload breaks its contract", findings=fixed.findings)
        return Answer(body=fixed, ref=asked.path["id"])

    async def redrive(self, asked: Asked) -> Answer:
        body = body_of(asked, _Redrive)
        redriven = await self._workbench.redrive(
            body.chosen(),
            by=actor_of(asked, body),
            reason=body.reason,
            dry_run=body.dry_run,
            wait_s=body.wait_s,
        )
        return Answer(body=redriven)

    async def discard(self, asked: Asked) -> Answer:
        body = body_of(asked, _Some)
        ids = await self._workbench.discard(body.chosen(), by=actor_of(asked, body), reason=body.reason)
        return Answer(body={"discarded": ids})
