"""The exceptions workbench over HTTP: the same verbs as `lineshaft exceptions`, the same outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from msgspec.structs import replace

from lineshaft.app.assignees import People, must_be_known
from lineshaft.app.json_api import Decision, Seen, actor_of, body_of, limit_of, limit_parameter
from lineshaft.core.asked_times import asked_span
from lineshaft.core.errors import ContractViolation
from lineshaft.core.exceptions import Chosen, ExceptionState
from lineshaft.gateway.problems import Refusal
from lineshaft.gateway.route import Answer, ApiRoute, Asked, Parameter
from lineshaft.ledger import GROUPS, Workbench

__all__ = ["exception_routes"]

_FILTERS = ("owner", "plant", "kind", "source", "assignee", "pattern", "cause", "since", "until")
_MEANT = {
    "since": "Last seen then or after: RFC 3339, or a day of the plant",
    "until": "Last seen before then, or on this day at the latest",
}
_HIDDEN = "its payload breaks its contract, or it cannot be sent: fields of it may be hidden from you"
_LONGEST_WAIT_S = 3600
_MOST_FOLLOWED = 500
_MOST_NAMED = 1000


class _Fix(Decision, frozen=True, kw_only=True):
    """payload: a whole one, any JSON; else `set`, each `path=value`."""

    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    set: list[str] = msgspec.field(default_factory=list)
    dry_run: bool = False
    seen: Seen = None


class _Some(Decision, frozen=True, kw_only=True):
    """ids, or with all the open ones that the filters choose, which Chosen explains.

    expect: how many these have to be; with more or fewer nothing is done.
    """

    ids: Annotated[list[str], msgspec.Meta(max_length=_MOST_NAMED)] = msgspec.field(default_factory=list)
    all: bool = False
    owner: str = ""
    plant: str = ""
    kind: str = ""
    source: str = ""
    assignee: str = ""
    pattern: str = ""
    cause: str = ""
    since: str = ""
    until: str = ""
    expect: int | None = None

    def chosen(self, asked: Asked, zone: tzinfo) -> Chosen:
        filters = _in_utc({name: getattr(self, name) for name in _FILTERS}, zone)
        if bool(self.ids) == self.all:
            raise ContractViolation("name the exceptions", findings=["ids: some, or all: true with filters"])
        if self.ids and any(filters.values()):
            raise ContractViolation(
                "ids are chosen already", findings=["ids: beside filters; leave one of both away"]
            )
        return Chosen(ids=self.ids, plants=asked.plants, expect=self.expect, **filters)


class _Assign(_Some, frozen=True, kw_only=True):
    """to: a person's account where the node knows its people; empty: nobody."""

    to: str


class _Redrive(_Some, frozen=True, kw_only=True):
    dry_run: bool = False
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=_LONGEST_WAIT_S)] = 30.0


def exception_routes(workbench: Workbench, people: People | None = None, *, zone: tzinfo) -> list[ApiRoute]:
    """Under `/api/exceptions`. people: None on a node without an access file; zone: of days

    GET  ?state=&owner=&…&after=&limit=   list; where there may be more, the header Link has the next page as
                                          `rel="next"`
    GET  ?state=&owner=&…&by=          counts by one of GROUPS
    GET  /outcomes?ids=a,b             how far they have come, and what their redrives led to
    GET  /{id}                         show
    POST /{id}/fix      {"payload" or "set", "reason", "dry_run", "seen"}
    POST /redrive       {"ids" or "all" and filters, "expect", "reason", "dry_run", "wait_s"}
    POST /discard       {"ids" or "all" and filters, "expect", "reason"}
    POST /assign        {"ids" or "all" and filters, "expect", "to", "reason"}

    404 no such exception, or of a plant that the caller does not see · 409 not open, not as many as expected,
    or changed since what was seen · 422 what is wrong with the body or the payload. On a node that does not
    know its callers each body has `by`: who decides; a dry run decides nothing.
    """
    api = _Api(workbench, people, zone)
    parameters = [
        Parameter(name="state", where="query", schema={"type": "string", "enum": ["all", *ExceptionState]}),
        Parameter(name="by", where="query", schema={"type": "string", "enum": ["", *GROUPS]}),
        *(Parameter(name=name, where="query", summary=_MEANT.get(name, "")) for name in _FILTERS),
        Parameter(name="after", where="query", summary="Those that follow on a page, as `Link` has it"),
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
            any_plant=True,
            same=("console-exceptions",),
            **reads,
        ),
        ApiRoute(
            method="GET",
            path="/api/exceptions/outcomes",
            name="exception_outcomes",
            summary="How far exceptions have come, and what their redrives led to",
            handler=api.outcomes,
            parameters=[Parameter(name="ids", where="query", required=True, summary="Separated by commas")],
            answers={200: {"type": "array", "items": one}},
            problems=(404,),
            any_plant=True,
            **reads,
        ),
        ApiRoute(
            method="POST",
            path="/api/exceptions/redrive",
            name="redrive_exceptions",
            summary="Send exceptions on their way again, and wait for what comes of it",
            handler=api.redrive,
            request=msgspec.json.schema(_Redrive),
            payloads=True,
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
            method="POST",
            path="/api/exceptions/assign",
            name="assign_exceptions",
            summary="Say who looks after exceptions",
            handler=api.assign,
            request=msgspec.json.schema(_Assign),
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
            any_plant=True,
            same=("console-exception",),
            payloads=True,
            **reads,
        ),
        ApiRoute(
            method="POST",
            path="/api/exceptions/{id}/fix",
            name="fix_exception",
            summary="Keep a corrected payload beside the original one",
            handler=api.fix,
            request=msgspec.json.schema(_Fix),
            same=("show_exception", "console-exception"),
            payloads=True,
            answers={200: one},
            problems=(404, 409, 503),
            **decides,
        ),
    ]


class _Api:
    def __init__(self, workbench: Workbench, people: People | None, zone: tzinfo) -> None:
        self._workbench = workbench
        self._people = people
        self._zone = zone

    async def listing(self, asked: Asked) -> Answer:
        state, by = asked.query.get("state", str(ExceptionState.OPEN)), asked.query.get("by", "")
        filters = _in_utc({name: asked.query.get(name, "") for name in _FILTERS}, self._zone)
        chosen = Chosen(state="" if state == "all" else state, plants=asked.plants, **filters)
        if by:
            return Answer(body=await self._workbench.group(chosen, by))
        page = await self._workbench.page(chosen, asked.query.get("after", ""), limit_of(asked, 100))
        if not page.next:
            return Answer(body=page.rows)
        following = urlencode({**asked.query, "after": page.next})
        return Answer(body=page.rows, headers={"Link": f'</api/exceptions?{following}>; rel="next"'})

    async def show(self, asked: Asked) -> Answer:
        found = await self._workbench.show(asked.path["id"], plants=asked.plants)
        if _is_partly_hidden(found, asked):
            found |= {"findings": []}  # they name values
        return Answer(body=found)

    async def outcomes(self, asked: Asked) -> Answer:
        ids = [each for each in asked.query["ids"].split(",") if each]
        if not 1 <= len(ids) <= _MOST_FOLLOWED:
            raise ContractViolation(
                f"{len(ids)} exceptions are asked for", findings=[f"ids: 1 to {_MOST_FOLLOWED}"]
            )
        chosen = Chosen(ids=ids, plants=asked.plants)
        return Answer(body=await self._workbench.outcomes(chosen))

    async def fix(self, asked: Asked) -> Answer:
        body = body_of(asked, _Fix)
        payload = None if body.payload is msgspec.UNSET else bytes(body.payload)
        if (payload is None) == (not body.set):
            raise ContractViolation("nothing to fix with", findings=["payload or set: exactly one"])
        if asked.shown.hides:
            found = await self._workbench.show(asked.path["id"], plants=asked.plants)
            if _is_partly_hidden(found, asked):
                raise Refusal(
                    HTTPStatus.FORBIDDEN,
                    f"parts of the payload of exception {found['exception_id']} are hidden from you",
                    code="fields_hidden",
                    hint="let somebody correct it who sees all of it",
                )
        fixed = await self._workbench.fix(
            asked.path["id"],
            payload=payload,
            values=body.set,
            by="" if body.dry_run else actor_of(asked, body),
            reason=body.reason,
            dry_run=body.dry_run,
            seen=body.seen,
            plants=asked.plants,
        )
        if fixed.findings and not body.dry_run:
            raise ContractViolation("the payload breaks its contract", findings=fixed.findings)
        return Answer(body=fixed, ref=asked.path["id"])

    async def redrive(self, asked: Asked) -> Answer:
        body = body_of(asked, _Redrive)
        redriven = await self._workbench.redrive(
            body.chosen(asked, self._zone),
            by="" if body.dry_run else actor_of(asked, body),
            reason=body.reason,
            dry_run=body.dry_run,
            wait_s=body.wait_s,
        )
        if asked.shown.hides:
            redriven = [replace(each, findings=[_HIDDEN] if each.findings else []) for each in redriven]
        return Answer(body=redriven)

    async def discard(self, asked: Asked) -> Answer:
        body = body_of(asked, _Some)
        chosen, by = body.chosen(asked, self._zone), actor_of(asked, body)
        ids = await self._workbench.discard(chosen, by=by, reason=body.reason)
        return Answer(body={"discarded": ids})

    async def assign(self, asked: Asked) -> Answer:
        body = body_of(asked, _Assign)
        to = body.to.strip()
        must_be_known(to, self._people() if self._people else None, asked.caller.account)
        ids = await self._workbench.assign(
            body.chosen(asked, self._zone), to, by=actor_of(asked, body), reason=body.reason
        )
        return Answer(body={"assigned": ids, "to": to})


def _is_partly_hidden(found: Mapping[str, Any], asked: Asked) -> bool:
    payloads = {name: found[name] for name in ("payload", "corrected")}
    return bool(asked.shown(payloads) != payloads)


def _in_utc(filters: Mapping[str, str], zone: tzinfo) -> dict[str, Any]:
    return {**filters, **asked_span(filters["since"], filters["until"], zone)}
