"""How a command comes to have its one effect: claim → send → classify → read back what is unknown → note."""

from __future__ import annotations

import asyncio

import structlog

from lineshaft.calls.attempt import NOT_NOW, Request
from lineshaft.calls.backoff import backoff
from lineshaft.calls.system import System
from lineshaft.contracts.capability import Operation
from lineshaft.core.clock import Clock
from lineshaft.core.errors import (
    BusinessFault,
    ContractViolation,
    OutcomeUnknown,
    PermanentFault,
    TechnicalFault,
    TransientFault,
)
from lineshaft.core.values import Command, Event, Outcome, OutcomeState, Value
from lineshaft.ledger import Claim, Claims

__all__ = ["Effects"]

_LOG = structlog.get_logger(__name__)
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.05, 1.0


class Effects:
    """source: CloudEvents source of the events that tell outcomes."""

    def __init__(self, claims: Claims, source: str, clock: Clock) -> None:
        self._claims = claims
        self._source = source
        self._clock = clock

    async def bring_about(self, system: System, operation: Operation, command: Command, key: str) -> Outcome:
        """See core.ports.CallPort. Only one at a time under one key, in this process."""
        claim = await self._claimed(system, operation, command, key)
        if not claim.same_payload:
            raise ContractViolation(
                f"{operation.name}: key {claim.idempotency_key} was used with another payload",
                hint="a changed fact needs a new revision of its business key",
            )
        if claim.earlier is OutcomeState.POSTED:
            if not claim.reply:
                raise PermanentFault(
                    f"{operation.name} was posted to {system.name} as {claim.document or claim.call_id}, so"
                    " long ago that its reply is no longer kept",
                    code="reply_expired",
                    hint="the effect is there: skip the step with what the target shows",
                )
            reply = operation.reply_schema.decode(claim.reply.encode())
            return Outcome(call_id=claim.call_id, reply=reply, document=claim.document, replayed=True)
        if claim.earlier is OutcomeState.REJECTED and not claim.reopened:
            raise BusinessFault(claim.error, code=claim.error_code, owner=claim.owner)
        request = Request(
            system=system,
            operation=operation,
            value=command.request,
            call_id=claim.call_id,
            key=key,
            may_send=lambda: self._claims.may_send,
        )
        reply, attempts = await self._until_known(request, claim)
        event = self._outcome_event(operation, command, claim, reply)
        await self._claims.posted(claim, operation, reply, attempts, event)
        return Outcome(call_id=claim.call_id, reply=reply, document=operation.document_number(reply))

    async def _claimed(self, system: System, operation: Operation, command: Command, key: str) -> Claim:
        """What another worker is at work on is waited for.

        raises  TransientFault when it takes longer than one attempt may
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + system.policy.deadline_s
        pause_s = _FIRST_LOOK_S
        while True:
            claim = await self._claims.claim(command, operation, system.name, key=key)
            if not claim.held_elsewhere:
                return claim
            if loop.time() + pause_s > give_up_at:
                raise TransientFault(
                    f"{operation.name}: another worker has been at work on {key} for longer than"
                    f" {system.policy.deadline_s:g} s",
                    code="in_flight",
                    retry_after_s=_LONGEST_LOOK_S,
                )
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_LOOK_S)

    async def _until_known(self, request: Request, claim: Claim) -> tuple[Value, int]:
        """The reply and the attempts that it took. What else comes of it is noted before it is raised."""
        system, operation = request.system, request.operation
        reads_back = system.reads_back(operation)
        doubtful = claim.earlier in (OutcomeState.SENDING, OutcomeState.UNKNOWN)
        if claim.reopened and not reads_back:
            doubtful = False  # a person has looked, and says that it did not happen
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._settled(request, doubtful), attempt
            except BusinessFault as refused:
                await self._not_posted(claim, OutcomeState.REJECTED, attempt, refused)
                raise
            except PermanentFault as hopeless:
                await self._not_posted(claim, OutcomeState.FAILED, attempt, hopeless)
                raise
            except OutcomeUnknown as unknown:
                if not reads_back:
                    await self._not_posted(claim, OutcomeState.UNKNOWN, attempt, unknown)
                    raise
                doubtful, state, fault = True, OutcomeState.UNKNOWN, _looked_up_later(unknown)
            except TransientFault as transient:
                doubtful, state, fault = False, OutcomeState.FAILED, transient
            if attempt == system.policy.attempts or fault.code in NOT_NOW:
                await self._not_posted(claim, state, attempt, fault)
                raise fault
            system.tally.retries += 1
            _LOG.info("call.retry", operation=operation.name, attempt=attempt, reason=fault.message)
            await backoff(system.policy, attempt, fault.retry_after_s)

    async def _settled(self, request: Request, doubtful: bool) -> Value:
        """The reply: found, where an earlier request may have taken effect, else of a new request.

        raises  OutcomeUnknown also when the look-up itself fails: the outcome is as unknown as before
        """
        if doubtful:
            system, operation = request.system, request.operation
            if not system.reads_back(operation):
                raise OutcomeUnknown(
                    f"{operation.name} was sent to {system.name} and its outcome is not known",
                    hint=f"look for {request.key} in {system.name} and decide",
                )
            try:
                found = await request.find()
                if found is None:  # the target may still be at work on it: look twice
                    await asyncio.sleep(system.policy.settle_s)
                    found = await request.find()
            except (TransientFault, PermanentFault) as fault:
                code = fault.code if fault.code in NOT_NOW else "lookup_failed"
                raise OutcomeUnknown(fault.message, code=code) from fault
            _LOG.info(
                "call.read_back", operation=operation.name, call=request.call_id, found=found is not None
            )
            if found is not None:
                return found
        return await request.send()

    async def _not_posted(
        self, claim: Claim, state: OutcomeState, attempts: int, fault: BusinessFault | TechnicalFault
    ) -> None:
        owner = fault.owner if isinstance(fault, BusinessFault) else ""
        await self._claims.not_posted(claim, state, attempts, fault.code, fault.message, owner)

    def _outcome_event(
        self, operation: Operation, command: Command, claim: Claim, reply: Value
    ) -> Event | None:
        if operation.emits is None:
            return None
        return operation.emits.make(
            reply,
            plant=command.origin.plant,
            source=self._source,
            identity=(claim.call_id,),
            time=self._clock.now(),
            correlation_id=command.origin.correlation_id,
            causation_id=claim.call_id,
            traceparent=command.origin.traceparent,
        )


def _looked_up_later(unknown: OutcomeUnknown) -> TransientFault:
    """Whoever comes back finds out first, so that coming back is safe."""
    cause = unknown.__cause__
    retry_after_s = cause.retry_after_s if isinstance(cause, TransientFault) else None
    later = TransientFault(unknown.message, code=unknown.code, retry_after_s=retry_after_s)
    later.__cause__ = unknown
    return later
