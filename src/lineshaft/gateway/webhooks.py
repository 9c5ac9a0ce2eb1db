"""Webhooks of connected systems: checked, translated, and taken only when the backbone has the events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import structlog
from starlette.responses import JSONResponse, Response

from lineshaft.core.errors import (
    ContractViolation,
    LineshaftError,
    OutcomeUnknown,
    PermanentFault,
    TransientFault,
)
from lineshaft.core.ports import EventPublisher, ExceptionDesk, Webhook
from lineshaft.core.values import Event, ExceptionKind, ExceptionRecord
from lineshaft.gateway.problems import problem, try_later
from lineshaft.gateway.route import PUBLIC, ApiRoute, Asked, Parameter

__all__ = ["Webhook", "webhook_routes"]

REFUSALS = {"unknown_hook": HTTPStatus.NOT_FOUND, "wrong_signature": HTTPStatus.UNAUTHORIZED}


def webhook_routes(
    webhooks: Mapping[str, Webhook],
    publisher: EventPublisher,
    exceptions: ExceptionDesk,
    plant: str,
) -> list[ApiRoute]:
    """`POST /webhooks/{system}/{hook}` for the systems named by the mapping's keys; a signature is the proof.

    202  {"events": [<id>, …]}: the backbone has them; none when the system's message is of no concern
    400  the body breaks its contract: every finding, which the exceptions' desk has been told, too
    401  wrong signature
    404  unknown system or hook
    503  the backbone or the desk is away: Retry-After says when to send again
    """
    hooks = _Hooks(webhooks, publisher, exceptions, plant)
    ids = {"type": "array", "items": {"type": "string"}}
    return [
        ApiRoute(
            method="POST",
            path="/webhooks/{system}/{hook}",
            name="receive_webhook",
            summary="A message of a connected system, signed by it",
            permission=PUBLIC,
            handler=hooks.receive,
            tag="events",
            parameters=(
                Parameter(name="system", where="path", required=True),
                Parameter(name="hook", where="path", required=True),
            ),
            media=(),
            own_checks=True,
            answers={202: {"type": "object", "required": ["events"], "properties": {"events": ids}}},
            problems=(400, 401, 404, 500, 503),
        )
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

    async def receive(self, asked: Asked) -> Response:
        name, hook = asked.path["system"], asked.path["hook"]
        system = self._webhooks.get(name)
        if system is None:
            detail = f"no system {name!r} sends webhooks here; known: {', '.join(self._webhooks) or 'none'}"
            return problem(HTTPStatus.NOT_FOUND, code="unknown_system", detail=detail)
        return await self._answer(system, name, hook, asked.headers, asked.body)

    async def _answer(
        self, system: Webhook, name: str, hook: str, headers: Mapping[str, str], body: bytes
    ) -> Response:
        try:
            return await self._taken(system, name, hook, headers, body)
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
