"""Processes over HTTP: the same verbs as `lineshaft processes`, the same outcomes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from lineshaft.app.json_api import Decision, Seen, actor_of, body_of, limit_of, limit_parameter
from lineshaft.app.steering import Steering
from lineshaft.core.errors import ContractViolation
from lineshaft.gateway.process_api import check_role
from lineshaft.gateway.route import Answer, ApiRoute, Parameter
from lineshaft.gateway.route import Asked as Request
from lineshaft.processes.listing import Asked, cursor_of
from lineshaft.processes.records import ProcessState

__all__ = ["process_routes"]

B = TypeVar("B", bound=Decision)
_FILTERS = ("state", "type", "owner", "key", "waiting_for", "since", "until", "after")
_MEANT = {
    "since": "Started then or after: RFC 3339, or a day of the plant",
    "until": "Started before then, or on this day at the latest",
}
_STATES = ["", "all", "open", "finished", *(str(state) for state in ProcessState)]
_ONE = "/api/processes/{ref:path}"


class _Value(Decision, frozen=True, kw_only=True):
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET

    @property
    def json(self) -> bytes:
        return b"null" if self.value is msgspec.UNSET else bytes(self.value)


class _Correct(_Value, frozen=True, kw_only=True):
    dry_run: bool = False
    seen: Seen = None


class _Skip(_Value, frozen=True, kw_only=True):
    step: str = ""


class _Cancel(Decision, frozen=True, kw_only=True):
    now: bool = False


class _Fork(Decision, frozen=True, kw_only=True):
    step: int


class _Decide(Decision, frozen=True, kw_only=True):
    role: str
    step: str = ""


class _Migrate(Decision, frozen=True, kw_only=True):
    type: str
    before: int = msgspec.field(name="from")
    after: int = msgspec.field(name="to")
    dry_run: bool = False


def process_routes(steering: Steering) -> list[ApiRoute]:
    """Under `/api/processes`; {ref} is an id or a business key, or how one of both begins.

    GET  ?state=&type=&owner=&key=&waiting_for=            list; where there are more, the header Link has
          &since=&until=&after=&limit=                     the next page as `rel="next"`
    GET  /{ref}                                            show
    POST /{ref}/retry | abort                              {"reason"}
    POST /{ref}/correct                                    {"value", "dry_run", "seen", "reason"}
    POST /{ref}/skip                                       {"value", "step", "reason"}
    POST /{ref}/cancel                                     {"now", "reason"}
    POST /{ref}/fork                                       {"step", "reason"}
    POST /{ref}/approve | refuse                           {"role", "step", "reason"}
    POST /migrate                                          {"type", "from", "to", "dry_run", "reason"}

    404 no such process · 409 not possible now, or the ref is ambiguous · 422 what is wrong with the body or
    the value. On a node that does not know its callers each body has `by`: who decides.
    """
    api = _Api(steering)
    verbs: list[tuple[str, type[Decision], Callable[[Request], Awaitable[Answer]], str]] = [
        ("retry", Decision, api.retry, "Try the step again at which a process parked"),
        ("correct", _Correct, api.correct, "Go on with another value of the step at which it parked"),
        ("skip", _Skip, api.skip, "Go on as if a step had given this value"),
        ("abort", Decision, api.abort, "End a process, and undo what can be undone"),
        ("cancel", _Cancel, api.cancel, "End a process, and leave what it has done"),
        ("fork", _Fork, api.fork, "Do a step and the rest anew, as another process"),
        ("approve", _Decide, api.approve, "Approve what a process asks"),
        ("refuse", _Decide, api.refuse, "Refuse what a process asks"),
    ]
    state = Parameter(name="state", where="query", schema={"type": "string", "enum": _STATES})
    filters = [Parameter(name=name, where="query", summary=_MEANT.get(name, "")) for name in _FILTERS[1:]]
    one = {"type": "object"}
    return [
        ApiRoute(
            method="GET",
            path="/api/processes",
            name="list_processes",
            summary="Processes, the newest first",
            permission="read:processes",
            handler=api.listing,
            tag="processes",
            parameters=[state, *filters, limit_parameter(50)],
            answers={200: {"type": "array", "items": one}},
            any_plant=True,
            same=("console-processes",),
        ),
        _decision(
            "/api/processes/migrate", "migrate", "Move instances to another version", _Migrate, api.migrate
        ),
        *(_decision(f"{_ONE}/{verb}", verb, summary, kind, work) for verb, kind, work, summary in verbs),
        ApiRoute(
            method="GET",
            path=_ONE,
            name="show_process",
            summary="A process, step by step",
            permission="read:processes",
            handler=api.show,
            tag="processes",
            answers={200: one},
            problems=(404, 409),
            same=("console-process",),
            payloads=True,
            any_plant=True,
        ),
    ]


def _decision(
    path: str, verb: str, summary: str, kind: type[Decision], work: Callable[[Request], Awaitable[Answer]]
) -> ApiRoute:
    return ApiRoute(
        method="POST",
        path=path,
        name=f"{verb}_process",
        summary=summary,
        permission="decide:processes",
        handler=work,
        tag="processes",
        request=msgspec.json.schema(kind),
        answers={200: {"type": "object"}},
        problems=(404, 409, 422, 503),
    )


class _Api:
    def __init__(self, steering: Steering) -> None:
        self._steering = steering

    async def listing(self, asked: Request) -> Answer:
        filters: dict[str, Any] = {name: asked.query[name] for name in _FILTERS if name in asked.query}
        if filters.get("state") == "all":
            del filters["state"]
        plants = None if asked.plants is None else frozenset(asked.plants)
        limit = limit_of(asked, 50)
        wanted = Asked(limit=limit, plants=plants, **filters)
        found = await self._steering.listed(wanted)
        if len(found) < limit:
            return Answer(body=found)
        following = urlencode({**asked.query, "after": cursor_of(found[-1])})
        return Answer(body=found, headers={"Link": f'</api/processes?{following}>; rel="next"'})

    async def show(self, asked: Request) -> Answer:
        return Answer(body=await self._of(asked).show(asked.path["ref"]))

    async def retry(self, asked: Request) -> Answer:
        ref, body, by = _read(asked, Decision)
        return _told(await self._of(asked).retry(ref, by=by, reason=body.reason))

    async def correct(self, asked: Request) -> Answer:
        ref, body, by = _read(asked, _Correct)
        told = await self._of(asked).correct(
            ref, body.json, by=by, reason=body.reason, dry_run=body.dry_run, seen=body.seen
        )
        if told["findings"] and not body.dry_run:
            raise ContractViolation("the value cannot be taken", findings=told["findings"])
        return _told(told)

    async def skip(self, asked: Request) -> Answer:
        ref, body, by = _read(asked, _Skip)
        return _told(await self._of(asked).skip(ref, body.json, by=by, reason=body.reason, step=body.step))

    async def abort(self, asked: Request) -> Answer:
        ref, body, by = _read(asked, Decision)
        return _told(await self._of(asked).abort(ref, by=by, reason=body.reason))

    async def cancel(self, asked: Request) -> Answer:
        ref, body, by = _read(asked, _Cancel)
        return _told(await self._of(asked).cancel(ref, by=by, reason=body.reason, now=body.now))

    async def fork(self, asked: Request) -> Answer:
        ref, body, by = _read(asked, _Fork)
        return _told(await self._of(asked).fork(ref, body.step, by=by, reason=body.reason))

    async def approve(self, asked: Request) -> Answer:
        return await self._decide(asked, approved=True)

    async def refuse(self, asked: Request) -> Answer:
        return await self._decide(asked, approved=False)

    async def _decide(self, asked: Request, *, approved: bool) -> Answer:
        ref, body, by = _read(asked, _Decide)
        check_role(asked.caller, body.role)
        return _told(
            await self._of(asked).decide(
                ref, approved=approved, by=by, role=body.role, reason=body.reason, step=body.step
            )
        )

    def _of(self, asked: Request) -> Steering:
        return self._steering.of_plants(asked.plants)

    async def migrate(self, asked: Request) -> Answer:
        body = body_of(asked, _Migrate)
        report = await self._of(asked).migrate(
            body.type,
            body.before,
            body.after,
            by=actor_of(asked, body),
            reason=body.reason,
            dry_run=body.dry_run,
        )
        return Answer(body=report)


def _read(asked: Request, kind: type[B]) -> tuple[str, B, str]:
    """Which process, the body, and who decides."""
    body = body_of(asked, kind)
    return asked.path["ref"], body, actor_of(asked, body)


def _told(told: dict[str, Any]) -> Answer:
    return Answer(body=told, ref=told["process_id"])
