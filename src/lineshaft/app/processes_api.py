"""Processes over HTTP: the same verbs as `lineshaft processes`, the same outcomes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from lineshaft.app.json_api import Decision, actor_of, answering, read_json
from lineshaft.app.steering import Steering
from lineshaft.core.errors import ContractViolation
from lineshaft.processes.records import ProcessState
from lineshaft.processes.views import Asked

__all__ = ["process_routes"]

B = TypeVar("B", bound=Decision)
_FILTERS = ("state", "type", "owner", "key", "waiting_for")
_STATES = ("", "all", "open", "finished", *ProcessState)
_MOST_LISTED = 1000


class _Value(Decision, frozen=True, kw_only=True):
    value: msgspec.Raw = msgspec.Raw(b"null")


class _Correct(_Value, frozen=True, kw_only=True):
    dry_run: bool = False


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


def process_routes(steering: Steering) -> list[Route]:
    """Under `/api/processes`; {ref} is an id or a business key, or how one of both begins.

    GET  ?state=&type=&owner=&key=&waiting_for=&limit=     list
    GET  /{ref}                                            show
    POST /{ref}/retry | abort                              {"by", "reason"}
    POST /{ref}/correct                                    {"value", "dry_run", "by", "reason"}
    POST /{ref}/skip                                       {"value", "step", "by", "reason"}
    POST /{ref}/cancel                                     {"now", "by", "reason"}
    POST /{ref}/fork                                       {"step", "by", "reason"}
    POST /{ref}/approve | refuse                           {"role", "step", "by", "reason"}
    POST /migrate                                          {"type", "from", "to", "dry_run", "by", "reason"}

    403 a POST where this is not served on loopback · 404 no such process · 409 not possible now, or the ref
    is ambiguous · 415 the body is not announced as JSON · 421 see WebAccess · 422 what is wrong with the body
    or the value · 503 the store is away
    """
    api = _Api(steering)
    one = "/api/processes/{ref:path}"
    verbs: dict[str, Callable[[Request], Awaitable[Any]]] = {
        "retry": api.retry,
        "correct": api.correct,
        "skip": api.skip,
        "abort": api.abort,
        "cancel": api.cancel,
        "fork": api.fork,
        "approve": api.approve,
        "refuse": api.refuse,
    }
    return [
        Route("/api/processes", answering(api.listing), methods=["GET"]),
        Route("/api/processes/migrate", answering(api.migrate), methods=["POST"]),
        *(Route(f"{one}/{verb}", answering(work), methods=["POST"]) for verb, work in verbs.items()),
        Route(one, answering(api.show), methods=["GET"]),
    ]


class _Api:
    def __init__(self, steering: Steering) -> None:
        self._steering = steering

    async def listing(self, request: Request) -> Any:
        asked = dict(request.query_params)
        limit = asked.pop("limit", "50")
        findings = [f"{name}: is unknown" for name in sorted(asked.keys() - set(_FILTERS))]
        if asked.get("state", "") not in _STATES:
            findings.append(f"state: one of {', '.join(_STATES[1:])} ({asked['state']!r})")
        if not limit.isdigit() or not 0 < int(limit) <= _MOST_LISTED:
            findings.append(f"limit: a number up to {_MOST_LISTED} ({limit!r})")
        if findings:
            raise ContractViolation("this cannot be asked", findings=findings)
        if asked.get("state") == "all":
            del asked["state"]
        return await self._steering.listed(Asked(limit=int(limit), **asked))

    async def show(self, request: Request) -> Any:
        return await self._steering.show(request.path_params["ref"])

    async def retry(self, request: Request) -> Any:
        ref, body, by = await _asked(request, Decision)
        return await self._steering.retry(ref, by=by, reason=body.reason)

    async def correct(self, request: Request) -> Any:
        ref, body, by = await _asked(request, _Correct)
        told = await self._steering.correct(
            ref, bytes(body.value), by=by, reason=body.reason, dry_run=body.dry_run
        )
        if told["findings"] and not body.dry_run:
            raise ContractViolation("the value cannot be taken", findings=told["findings"])
        return told

    async def skip(self, request: Request) -> Any:
        ref, body, by = await _asked(request, _Skip)
        return await self._steering.skip(ref, bytes(body.value), by=by, reason=body.reason, step=body.step)

    async def abort(self, request: Request) -> Any:
        ref, body, by = await _asked(request, Decision)
        return await self._steering.abort(ref, by=by, reason=body.reason)

    async def cancel(self, request: Request) -> Any:
        ref, body, by = await _asked(request, _Cancel)
        return await self._steering.cancel(ref, by=by, reason=body.reason, now=body.now)

    async def fork(self, request: Request) -> Any:
        ref, body, by = await _asked(request, _Fork)
        return await self._steering.fork(ref, body.step, by=by, reason=body.reason)

    async def approve(self, request: Request) -> Any:
        return await self._decide(request, approved=True)

    async def refuse(self, request: Request) -> Any:
        return await self._decide(request, approved=False)

    async def _decide(self, request: Request, *, approved: bool) -> Any:
        ref, body, by = await _asked(request, _Decide)
        return await self._steering.decide(
            ref, approved=approved, by=by, role=body.role, reason=body.reason, step=body.step
        )

    async def migrate(self, request: Request) -> Any:
        body = await read_json(request, _Migrate)
        return await self._steering.migrate(
            body.type, body.before, body.after, by=actor_of(body), reason=body.reason, dry_run=body.dry_run
        )


async def _asked(request: Request, kind: type[B]) -> tuple[str, B, str]:
    """Which process, the body, and who decides."""
    body = await read_json(request, kind)
    return request.path_params["ref"], body, actor_of(body)
