"""One attempt at one request: limit, breaker, deadline, connector, and the check of what it answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from lineshaft.calls.system import System
from lineshaft.contracts.capability import Operation
from lineshaft.core.errors import (
    BusinessFault,
    ContractViolation,
    OutcomeUnknown,
    PermanentFault,
    TechnicalFault,
    TransientFault,
)
from lineshaft.core.ports import CallContext
from lineshaft.core.tracing import trace_headers
from lineshaft.core.values import Value

__all__ = ["find", "send"]

_LOG = structlog.get_logger(__name__)


async def send(system: System, operation: Operation, request: Value, call_id: str, key: str) -> Value:
    """The connector's answer.

    raises  BusinessFault, TransientFault (no effect), PermanentFault, OutcomeUnknown (commands only)
    """
    method = getattr(system.connector, operation.method)
    reply = await _attempt(system, operation, method, request, call_id, key)
    if reply is None:
        raise _malformed(system, operation, "nothing")
    return reply


async def find(system: System, operation: Operation, request: Value, call_id: str, key: str) -> Value | None:
    """What the target has under this key; None when it has nothing.

    raises  TransientFault when it could not be looked up; PermanentFault
    """
    method = getattr(system.connector, f"find_{operation.method}")
    try:
        return await _attempt(system, operation, method, request, call_id, key)
    except (OutcomeUnknown, BusinessFault) as fault:  # a look-up changes nothing
        raise TransientFault(f"{system.name}: {operation.name} cannot be looked up: {fault}") from fault


async def _attempt(
    system: System,
    operation: Operation,
    method: Callable[[CallContext, Value], Awaitable[Any]],
    request: Value,
    call_id: str,
    key: str,
) -> Value | None:
    context = CallContext(
        call_id=call_id,
        operation=operation.name,
        idempotency_key=key,
        deadline_s=system.policy.deadline_s,
        headers=trace_headers(),
    )
    async with system.limits.slot():
        system.breaker.admit()
        try:
            async with asyncio.timeout(system.policy.deadline_s + 1.0):  # the connector keeps the deadline
                reply = await method(context, request)
        except TimeoutError as error:
            system.breaker.failed()
            raise _timed_out(system, operation) from error
        except asyncio.CancelledError:
            system.breaker.abandoned()
            raise
        except TechnicalFault:
            system.breaker.failed()
            raise
        except BusinessFault:
            system.breaker.succeeded()  # it answered: the system is well
            raise
        except ContractViolation as violation:
            system.breaker.succeeded()
            raise _malformed(system, operation, str(violation)) from violation
        except Exception as error:
            # A connector must map its exceptions; one that does not leaves the outcome open.
            system.breaker.failed()
            _LOG.exception("call.connector_bug", system=system.name, operation=operation.name)
            message = f"{system.name}: {operation.name} failed in its connector: {error!r}"
            if operation.is_command:
                raise OutcomeUnknown(message, code="connector_bug") from error
            raise PermanentFault(message, code="connector_bug") from error
    system.breaker.succeeded()
    if reply is None:
        return None
    if not isinstance(reply, operation.reply):
        raise _malformed(system, operation, type(reply).__name__)
    try:  # as the ledger and the journal will give it back
        return operation.reply_schema.decode(msgspec.json.encode(reply))
    except ContractViolation as violation:
        raise _malformed(system, operation, str(violation)) from violation


def _malformed(system: System, operation: Operation, answer: str) -> TechnicalFault:
    message = f"{system.name} answered {operation.name} with {answer}, not {operation.reply.__name__}"
    kind = OutcomeUnknown if operation.is_command else PermanentFault
    return kind(message, code="malformed_answer")


def _timed_out(system: System, operation: Operation) -> TechnicalFault:
    message = f"{system.name} did not answer {operation.name} within {system.policy.deadline_s:g} s"
    return OutcomeUnknown(message) if operation.is_command else TransientFault(message)
