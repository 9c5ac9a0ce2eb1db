"""One request to one system: limit, breaker, deadline, connector, and the check of what it answered."""

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
from lineshaft.core.tracing import SpanKind, span, trace_headers
from lineshaft.core.values import Value

__all__ = ["NOT_NOW", "Request"]

_LOG = structlog.get_logger(__name__)

NOT_NOW = frozenset({"breaker_open", "lease_lost", "maintenance"})
"""Codes of faults that say that nothing was sent, and that another attempt at once is none."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a system, as often as it takes.

    call_id, key   empty for a query
    may_send       asked at the last moment before a command is handed to the connector
    """

    system: System
    operation: Operation
    value: Value
    call_id: str = ""
    key: str = ""
    may_send: Callable[[], bool] = lambda: True

    async def send(self) -> Value:
        """The connector's answer.

        raises  BusinessFault, TransientFault (no effect), PermanentFault, OutcomeUnknown (commands only)
        """
        reply = await self._attempt(getattr(self.system.connector, self.operation.method), self.may_send)
        if reply is None:
            raise self._malformed("nothing")
        return reply

    async def find(self) -> Value | None:
        """What the target has under this key; None when it has nothing.

        raises  TransientFault when it could not be looked up; PermanentFault
        """
        try:
            return await self._attempt(getattr(self.system.connector, f"find_{self.operation.method}"))
        except (OutcomeUnknown, BusinessFault) as fault:  # a look-up changes nothing
            name = f"{self.system.name}: {self.operation.name}"
            raise TransientFault(f"{name} cannot be looked up: {fault}") from fault

    async def _attempt(
        self,
        method: Callable[[CallContext, Value], Awaitable[Any]],
        may_send: Callable[[], bool] = lambda: True,
    ) -> Value | None:
        system, operation, deadline_s = self.system, self.operation, self.system.policy.deadline_s
        async with system.limits:
            system.maintenance.check()
            if not may_send():
                raise TransientFault(
                    f"{operation.name} was not sent to {system.name}: this worker was silent for so long that"
                    " another may do its work",
                    code="lease_lost",
                )
            system.breaker.admit()
            system.tally.requests += 1
            try:
                with span(f"{system.name} {operation.method}", kind=SpanKind.CLIENT, call=self.call_id):
                    context = CallContext(
                        call_id=self.call_id,
                        operation=operation.name,
                        idempotency_key=self.key,
                        deadline_s=deadline_s,
                        headers=trace_headers(),
                    )
                    async with asyncio.timeout(deadline_s + 1.0):  # the connector keeps the deadline
                        reply = await method(context, self.value)
            except TimeoutError as error:
                system.breaker.failed()
                raise self._timed_out() from error
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
                raise self._malformed(str(violation)) from violation
            except Exception as error:
                # A connector must map its exceptions; one that does not leaves the outcome open.
                system.breaker.failed()
                _LOG.exception("call.connector_bug", system=system.name, operation=operation.name)
                message = f"{system.name}: {operation.name} failed in its connector: {error!r}"
                kind = OutcomeUnknown if operation.is_command else PermanentFault
                raise kind(message, code="connector_bug") from error
        system.breaker.succeeded()
        if reply is None:
            return None
        if not isinstance(reply, operation.reply):
            raise self._malformed(type(reply).__name__)
        try:  # as the ledger and the journal will give it back
            return operation.reply_schema.decode(msgspec.json.encode(reply))
        except ContractViolation as violation:
            raise self._malformed(str(violation)) from violation

    def _malformed(self, answer: str) -> TechnicalFault:
        message = (
            f"{self.system.name} answered {self.operation.name} with {answer},"
            f" not {self.operation.reply.__name__}"
        )
        kind = OutcomeUnknown if self.operation.is_command else PermanentFault
        return kind(message, code="malformed_answer")

    def _timed_out(self) -> TechnicalFault:
        message = (
            f"{self.system.name} did not answer {self.operation.name} within"
            f" {self.system.policy.deadline_s:g} s"
        )
        return OutcomeUnknown(message) if self.operation.is_command else TransientFault(message)
