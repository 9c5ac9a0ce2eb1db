"""Webhooks of connected systems: checked, translated, and taken only when the backbone has the events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lineshaft.core.errors import (
    ContractViolation,
    LineshaftError,
    OutcomeUnknown,
    PermanentFault,
    TransientFault,
)
from lineshaft.core.ports import EventPublisher, ExceptionDesk, Webhook
from lineshaft.core.values import Event, ExceptionKind, ExceptionRecord
from lineshaft.gateway.body import read_body
from lineshaft.gateway.problems import problem, try_later

__all__ = ["Webhook", "gateway_routes"]

REFUSALS = {"unknown_hook": HTTPStatus.NOT_FOUND, "wrong_signature": HTTPStatus.UNAUTHORIZED}


def gateway_routes(
    webhooks: Mapping[str, Webhook],
    publisher: EventPublisher,
    exceptions: ExceptionDesk,
    plant: str,
) -> list[Route]:
    """`POST /webhooks/{system}/{hook}` for the systems named by the mapping's keys, and `GET /health`.

    202  {"events": [<id>, …]}: the backbone has them; none when the system's message is of no concern
    400  the body breaks its contract: every finding, which the exceptions' desk has been told, too
    401  wrong signature
    404  unknown system or hook
    413  longer than 1 MiB
    503  the backbone or the desk is away: Retry-After says when to send again
    """
    hooks = _Hooks(webhooks, publisher, exceptions, plant)
    return [
        Route("/webhooks/{system}/{hook}", hooks.take, methods=["POST"]),
        Route("/health", hooks.health, methods=["GET"]),
    ]


class _Hooks:
    def __init__(
        self,
        webhooks: Mapping[str, Webhook],
        publisher: EventPublisher,
        exceptions: ExceptionDesk,
        plant: str,
    ) -> None:
        self._webhooks = webhooks
        self._publisher = publisher
        self._exceptions = exceptions
        self._plant = plant
        self._log = structlog.get_logger("lineshaft.gateway")

    async def health(self, _: Request) -> Response:
        return JSONResponse({"state": "active", "plant": self._plant})

    async def take(self, request: Request) -> Response:
        name, hook = request.path_params["system"], request.path_params["hook"]
        system = self._webhooks.get(name)
        if system is None:
            detail = f"no system {name!r} sends webhooks here; known: {', '.join(self._webhooks) or 'none'}"
            return problem(HTTPStatus.NOT_FOUND, code="unknown_system", detail=detail)
        try:
            body = await read_body(request)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        if isinstance(body, Response):
            return body
        try:
            return await self._taken(system, name, hook, request.headers, body)
        except (TransientFault, OutcomeUnknown) as fault:
            self._log.warning("webhook not taken", system=name, hook=hook, code=fault.code, error=str(fault))
            return try_later(fault)
        except LineshaftError as fault:
            self._log.error("webhook failed", system=name, hook=hook, code=fault.code, error=str(fault))
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, code=fault.code, detail=fault.message)

    async def _taken(
        self, system: Webhook, name: str, hook: str, headers: Mapping[str, str], body: bytes
    ) -> Response:
        try:
            events: Sequence[Event] = system.translate(hook, headers, body)
        except ContractViolation as violation:
            return await self._violation(system, name, hook, body, violation)
        except PermanentFault as fault:
            if fault.code not in REFUSALS:
                raise
            self._log.warning("webhook refused", system=name, hook=hook, code=fault.code, error=fault.message)
            return problem(REFUSALS[fault.code], code=fault.code, detail=fault.message)
        if events:
            await self._publisher.publish(events)
        return JSONResponse({"events": [event.id for event in events]}, HTTPStatus.ACCEPTED)

    async def _violation(
        self, system: Webhook, name: str, hook: str, body: bytes, violation: ContractViolation
    ) -> Response:
        record = ExceptionRecord(
            kind=ExceptionKind.CONTRACT_VIOLATION,
            plant=self._plant,
            source=f"/webhooks/{name}/{hook}",
            owner=system.owner(hook),
            cause=str(violation),
            payload=body,
        )
        await self._exceptions.report([record])
        return problem(
            HTTPStatus.BAD_REQUEST,
            code=violation.code,
            detail=violation.message,
            errors=violation.findings,
        )
