"""System APIs: a route for each declared operation of each connected system, through the one door.

`/api/system/<system>/v1/<capability>/<operation>`: a command is a POST, a query a GET with the fields of its
request as parameters, or where these are more than plain values a POST to `…:query`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

import msgspec

from lineshaft.contracts.capability import Operation
from lineshaft.contracts.examples import example
from lineshaft.core.access import SOME, permits
from lineshaft.core.errors import ContractViolation, OutcomeUnknown, PermanentFault
from lineshaft.core.ids import business_key
from lineshaft.core.ports import CallPort
from lineshaft.core.values import Command, Origin, Outcome, Value
from lineshaft.gateway.problems import Refusal, status_of
from lineshaft.gateway.route import Answer, ApiRoute, Asked, Parameter, Retiring
from lineshaft.gateway.schemas import plain_properties

__all__ = ["CallState", "CallStates", "ConnectedSystem", "system_routes"]

_OURS = frozenset({"wrong_plant", "reply_expired"})


class ConnectedSystem(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def operations(self) -> Mapping[str, Operation]: ...


class CallState(msgspec.Struct, frozen=True, kw_only=True):
    """state  sending, posted, rejected, failed or unknown"""

    call_id: str
    operation: str
    system: str
    plant: str
    state: str
    document: str
    attempts: int
    error_code: str
    error: str
    owner: str
    created_at: str
    finished_at: str


CallStates = Callable[[str], Awaitable[Mapping[str, Any] | None]]
"""By its id a call's row, with the members of CallState."""


def system_routes(
    systems: Iterable[ConnectedSystem],
    door: CallPort,
    states: CallStates,
    retiring: Mapping[str, Retiring] | None = None,
) -> list[ApiRoute]:
    """retiring: by operation, of those whose contract is deprecated

    200 with the reply and the target's document number · 422 the target refused on business grounds, with
    code and owner · 502 it cannot do this as it is set up · 503 it is away: nothing took effect, or the door
    looks for it at the next attempt · 504 the outcome is not known: the call is recorded and will be read
    back, and `GET /api/system/calls/{call_id}` tells what became of it
    """
    routes = [
        _command(system.name, operation, door)
        if operation.is_command
        else _query(system.name, operation, door)
        for system in systems
        for operation in system.operations.values()
    ]
    retiring = retiring or {}
    routes = [
        msgspec.structs.replace(route, retiring=retiring.get(route.name.partition(".")[2]))
        for route in routes
    ]
    return [*routes, _state_route(states)]


def _facets(system: str, operation: Operation) -> dict[str, Any]:
    return {
        "name": f"{system}.{operation.name}",
        "summary": operation.summary or operation.name,
        "permission": f"call:{operation.name}",
        "tag": f"system {system}",
        "problems": (404, 409, 422, 502, 503, 504),
        "version": "v1",
    }


def _request(operation: Operation) -> dict[str, Any]:
    return {**operation.request_schema.document, "examples": [example(operation)]}


def _path(system: str, operation: Operation) -> str:
    return f"/api/system/{system}/v1/{operation.name.replace('.', '/')}"


def _command(system: str, operation: Operation, door: CallPort) -> ApiRoute:
    async def handler(asked: Asked) -> Answer:
        request = operation.request_schema.decode(asked.body)
        call_id = business_key("call", operation.idempotency_key(request, system))
        outcome = await _called(door, operation, request, asked, call_id)
        told = {
            "call_id": outcome.call_id,
            "document": outcome.document,
            "replayed": outcome.replayed,
            "reply": outcome.reply,
        }
        return Answer(body=told, ref=outcome.call_id)

    reply = {
        "type": "object",
        "required": ["call_id", "document", "replayed", "reply"],
        "properties": {
            "call_id": {"type": "string"},
            "document": {"type": "string", "description": "Number of the document in the target, if any"},
            "replayed": {"type": "boolean", "description": "It had taken effect before"},
            "reply": operation.reply_schema.document,
        },
    }
    return ApiRoute(
        method="POST",
        path=_path(system, operation),
        handler=handler,
        request=_request(operation),
        answers={200: reply},
        idempotent=True,
        **_facets(system, operation),
    )


def _query(system: str, operation: Operation, door: CallPort) -> ApiRoute:
    fields = plain_properties(operation.request_schema.document)

    async def by_parameters(asked: Asked) -> Answer:
        given = {name: value for name, value in asked.query.items() if name in (fields or {})}
        try:
            request = msgspec.convert(given, operation.request, strict=False)
        except msgspec.ValidationError as error:
            raise ContractViolation("this cannot be asked", findings=[str(error)]) from error
        return Answer(body=(await _called(door, operation, request, asked)).reply)

    async def by_body(asked: Asked) -> Answer:
        request = operation.request_schema.decode(asked.body)
        return Answer(body=(await _called(door, operation, request, asked)).reply)

    answers = {200: operation.reply_schema.document}
    path = _path(system, operation)
    if fields is None:
        return ApiRoute(
            method="POST",
            path=f"{path}:query",
            handler=by_body,
            request=_request(operation),
            answers=answers,
            **_facets(system, operation),
        )
    required = operation.request_schema.document["$defs"][operation.request.__name__].get("required", ())
    parameters = [
        Parameter(name=name, where="query", schema=schema, required=name in required)
        for name, schema in fields.items()
    ]
    return ApiRoute(
        method="GET",
        path=path,
        handler=by_parameters,
        parameters=parameters,
        answers=answers,
        **_facets(system, operation),
    )


async def _called(
    door: CallPort, operation: Operation, request: Value, asked: Asked, call_id: str = ""
) -> Outcome:
    """raises  what the door raises; Refusal where the caller is to be told more than that"""
    origin = Origin(
        plant=asked.plant,
        actor=asked.caller.name,
        correlation_id=asked.correlation_id,
        causation_id=asked.request_id,
        traceparent=asked.traceparent,
    )
    command = Command(operation=operation.name, request=request, origin=origin, caller=asked.caller)
    try:
        return await door.call(command)
    except OutcomeUnknown as unknown:
        state = f"/api/system/calls/{call_id}"
        raise Refusal(
            HTTPStatus.GATEWAY_TIMEOUT,
            unknown.message,
            code=unknown.code,
            hint=f"it may have taken effect: GET {state} tells; asking again under the same key looks first",
            headers={"Location": state},
            ref=call_id,
        ) from unknown
    except PermanentFault as fault:
        if status_of(fault) is not HTTPStatus.CONFLICT or fault.code in _OURS:
            raise
        raise Refusal(
            HTTPStatus.BAD_GATEWAY, fault.message, code=fault.code, hint=fault.hint, ref=call_id
        ) from fault


def _state_route(states: CallStates) -> ApiRoute:
    async def handler(asked: Asked) -> Answer:
        found = await states(asked.path["call_id"])
        caller = asked.caller
        if (
            found is None
            or not permits(caller, f"call:{found['operation']}")
            or not caller.sees(found["plant"])
        ):
            raise PermanentFault(f"there is no call {asked.path['call_id']!r}", code="no_such_call")
        return Answer(body=found)

    return ApiRoute(
        method="GET",
        path="/api/system/calls/{call_id}",
        name="call_state",
        summary="What became of a call to a system",
        permission=f"call:{SOME}",
        handler=handler,
        tag="calls",
        answers={200: msgspec.json.schema(CallState)},
        payloads=True,
        problems=(404,),
    )
