"""Process APIs, `/api/process/<name>/v1`: start one, see its instances, decide what one asks.

A process starts on its event and on nothing else, so a start tells that event: with the identity of the
caller's Idempotency-Key, under its contract and the data authority, into the outbox.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from http import HTTPStatus
from typing import Any, Literal, Protocol

import msgspec

from lineshaft.contracts.event import EventContract
from lineshaft.contracts.examples import example
from lineshaft.core.access import LOCAL, Caller
from lineshaft.core.clock import Clock
from lineshaft.core.errors import PermanentFault
from lineshaft.core.values import Event, Value
from lineshaft.gateway.idempotency import idempotency_key
from lineshaft.gateway.problems import Refusal
from lineshaft.gateway.route import Answer, ApiRoute, Asked, Parameter

__all__ = ["Instances", "StartableProcess", "check_role", "process_api_routes"]

Told = dict[str, Any]
_STATES = ["open", "finished", "all"]


class StartableProcess(Protocol):
    """The newest version of a process."""

    @property
    def name(self) -> str: ...

    @property
    def starts_on(self) -> EventContract[Any] | None: ...

    @property
    def key(self) -> Callable[[Any], str]: ...

    def instance_id(self, key: str) -> str: ...


class Instances(Protocol):
    """As app.steering has them; ref is an id or a business key, or how one of both begins."""

    def of_plants(self, plants: Collection[str] | None) -> Instances:
        """The same for who sees these plants: those of others do not exist; None: all do."""
        ...

    async def of_process(self, name: str, state: str, limit: int) -> list[Told]: ...

    async def show(self, ref: str) -> Told: ...

    async def decide(
        self, ref: str, *, approved: bool, by: str, role: str, reason: str, step: str = ""
    ) -> Told: ...


class Decide(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """role: in which of the caller's roles; step: which question, where there are several"""

    decision: Literal["approve", "refuse"]
    role: str
    reason: str
    step: str = ""


def check_role(caller: Caller, role: str) -> None:
    """raises  Refusal, 403, for a role that is not the caller's"""
    if caller != LOCAL and role not in caller.roles:
        raise Refusal(
            HTTPStatus.FORBIDDEN,
            f"{caller.name} is no {role}",
            code="not_your_role",
            hint=f"roles: {', '.join(sorted(caller.roles)) or 'none'}",
        )


def process_api_routes(
    processes: Iterable[StartableProcess],
    instances: Instances,
    publish: Callable[[Event], Awaitable[None]],
    clock: Clock,
    *,
    enterprise: str,
    authority: Callable[[Caller, EventContract[Any], Value], Sequence[str]] = lambda *_: (),
) -> list[ApiRoute]:
    """publish: returns when the event is durable. authority: why a caller may not tell this; none: it may"""
    routes = []
    for process in processes:
        api = _ProcessApi(process, instances, publish, clock, enterprise, authority)
        routes += api.routes()
    return routes


class _ProcessApi:
    def __init__(
        self,
        process: StartableProcess,
        instances: Instances,
        publish: Callable[[Event], Awaitable[None]],
        clock: Clock,
        enterprise: str,
        authority: Callable[[Caller, EventContract[Any], Value], Sequence[str]],
    ) -> None:
        self._process = process
        self._instances = instances
        self._publish = publish
        self._clock = clock
        self._enterprise = enterprise
        self._authority = authority
        self._root = f"/api/process/{process.name}/v1"

    def routes(self) -> list[ApiRoute]:
        name, one = self._process.name, f"{self._root}/instances/{{ref:path}}"
        facets: dict[str, Any] = {"tag": f"process {name}", "version": "v1"}
        instance = {"type": "object", "required": ["process_id", "type", "business_key", "state"]}
        state = Parameter(name="state", where="query", schema={"enum": _STATES}, summary="Default: open")
        limit = {"type": "integer", "minimum": 1, "maximum": 1000}
        routes = [
            ApiRoute(
                method="GET",
                path=f"{self._root}/instances",
                name=f"{name}.instances",
                summary=f"Instances of {name}",
                permission="read:processes",
                handler=self._listed,
                parameters=[state, Parameter(name="limit", where="query", schema=limit)],
                answers={200: {"type": "array", "items": instance}},
                **facets,
            ),
            ApiRoute(
                method="POST",
                path=f"{one}/decisions",
                name=f"{name}.decide",
                summary=f"Decide what an instance of {name} asks",
                permission="decide:processes",
                handler=self._decided,
                request=msgspec.json.schema(Decide),
                answers={200: instance},
                problems=(404, 409, 422),
                **facets,
            ),
            ApiRoute(
                method="GET",
                path=one,
                name=f"{name}.instance",
                summary=f"An instance of {name}, step by step",
                permission="read:processes",
                handler=self._shown,
                answers={200: instance},
                problems=(404, 409),
                **facets,
            ),
        ]
        if self._process.starts_on is not None:
            routes.append(self._start_route(self._process.starts_on, facets))
        return routes

    def _start_route(self, contract: EventContract[Any], facets: dict[str, Any]) -> ApiRoute:
        async def start(asked: Asked) -> Answer:
            return await self._started(asked, contract)

        texts = {"type": "string"}
        started = {"process_id": texts, "business_key": texts, "event_id": texts}
        return ApiRoute(
            method="POST",
            path=self._root,
            name=f"{self._process.name}.start",
            summary=f"Start {self._process.name} by telling {contract.type}",
            permission=f"start:{self._process.name}",
            handler=start,
            request={**contract.schema.document, "examples": [example(contract)]},
            answers={202: {"type": "object", "required": list(started), "properties": started}},
            problems=(409, 422, 503),
            idempotent=True,
            **facets,
        )

    async def _started(self, asked: Asked, contract: EventContract[Any]) -> Answer:
        value = contract.schema.decode(asked.body)
        if refused := self._authority(asked.caller, contract, value):
            raise Refusal(
                HTTPStatus.FORBIDDEN,
                f"{asked.caller.name} may not tell this",
                code="not_the_master",
                findings=refused,
            )
        caller = asked.caller
        event = contract.make(
            value,
            plant=asked.plant,
            source=f"/{self._enterprise}/{asked.plant}/{caller.system or caller.account or caller.name}",
            identity=("start", self._process.name, idempotency_key(asked.headers)),
            time=self._clock.now(),
            correlation_id=asked.correlation_id,
            causation_id=asked.request_id,
            traceparent=asked.traceparent,
        )
        await self._publish(event)
        key = self._process.key(value)
        process_id = self._process.instance_id(key)
        return Answer(
            body={"process_id": process_id, "business_key": key, "event_id": event.id},
            status=HTTPStatus.ACCEPTED,
            headers={"Location": f"{self._root}/instances/{process_id}"},
            ref=process_id,
        )

    async def _listed(self, asked: Asked) -> Answer:
        state, limit = asked.query.get("state", "open"), int(asked.query.get("limit", "50"))
        theirs = self._instances.of_plants(asked.plants)
        return Answer(body=await theirs.of_process(self._process.name, state, limit))

    async def _shown(self, asked: Asked) -> Answer:
        return Answer(body=await self._ours(asked))

    async def _decided(self, asked: Asked) -> Answer:
        body = msgspec.json.decode(asked.body, type=Decide)
        check_role(asked.caller, body.role)
        found = await self._ours(asked)
        told = await self._instances.decide(
            found["process_id"],
            approved=body.decision == "approve",
            by=asked.caller.name,
            role=body.role,
            reason=body.reason,
            step=body.step,
        )
        return Answer(body=told, ref=told["process_id"])

    async def _ours(self, asked: Asked) -> Told:
        """raises  PermanentFault for one of another process, as if there were none; what `show` raises"""
        ref = asked.path["ref"]
        found = await self._instances.of_plants(asked.plants).show(ref)
        if found["type"] != self._process.name:
            raise PermanentFault(f"there is no {self._process.name} {ref!r}", code="no_such_process")
        return found
