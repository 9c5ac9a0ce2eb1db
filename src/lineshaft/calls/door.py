"""The one door: every request to any system passes here.

authorise → validate → claim → limit → send → classify → read back what is unknown → note and tell.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec
import structlog

from lineshaft.calls.attempt import find, send
from lineshaft.calls.system import System
from lineshaft.contracts.capability import Operation
from lineshaft.core.clock import Clock
from lineshaft.core.errors import (
    BusinessFault,
    ConfigError,
    ContractViolation,
    OutcomeUnknown,
    PermanentFault,
    TransientFault,
)
from lineshaft.core.tracing import span
from lineshaft.core.values import Command, Event, Outcome, OutcomeState, Value
from lineshaft.ledger import Claim, Claims

__all__ = ["Door"]

_LOG = structlog.get_logger(__name__)


class Door:
    """permissions: for each actor the operations that it may ask for; source: CloudEvents source."""

    def __init__(
        self,
        claims: Claims,
        systems: Sequence[System],
        permissions: Mapping[str, frozenset[str]],
        *,
        plant: str,
        source: str,
        clock: Clock,
    ) -> None:
        self._claims = claims
        self._systems: dict[str, System] = {}
        self._permissions = permissions
        self._plant = plant
        self._source = source
        self._clock = clock
        self._under_way: dict[str, tuple[asyncio.Lock, int]] = {}
        for system in systems:
            for name in system.operations:
                if name in self._systems:
                    raise ConfigError(
                        f"{name} is served by both {self._systems[name].name} and {system.name}",
                        hint="give each capability to one system",
                    )
                self._systems[name] = system

    def serves(self, operation: str) -> bool:
        return operation in self._systems

    async def call(self, command: Command) -> Outcome:
        """See core.ports.CallPort."""
        system, operation = self._authorised(command)
        with span(f"call {operation.name}", command.origin.traceparent) as traceparent:
            origin = msgspec.structs.replace(command.origin, traceparent=traceparent)
            request = operation.request_schema.decode(msgspec.json.encode(command.request))
            command = msgspec.structs.replace(command, request=request, origin=origin)
            if not operation.is_command:
                return await self._ask(system, operation, command)
            async with self._one_at_a_time(operation.idempotency_key(request, system.name)):
                return await self._effect(system, operation, command)

    def _authorised(self, command: Command) -> tuple[System, Operation]:
        origin, name = command.origin, command.operation
        if origin.plant != self._plant:
            raise PermanentFault(
                f"{name}: {origin.actor} asks for plant {origin.plant!r}, this node acts for {self._plant!r}",
                code="wrong_plant",
            )
        if name not in self._permissions.get(origin.actor, frozenset()):
            raise PermanentFault(
                f"{origin.actor} may not call {name}",
                code="not_authorised",
                hint="declare the capability in the `uses` of the process",
            )
        if name not in self._systems:
            raise PermanentFault(
                f"no connected system serves {name}", code="no_system", hint="add one under `systems`"
            )
        system = self._systems[name]
        return system, system.operations[name]

    @asynccontextmanager
    async def _one_at_a_time(self, key: str) -> AsyncIterator[None]:
        """Calls under one key follow each other; the second finds the first one's outcome."""
        lock, users = self._under_way.get(key, (asyncio.Lock(), 0))
        self._under_way[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._under_way.pop(key)
            if users > 1:
                self._under_way[key] = (lock, users - 1)

    async def _ask(self, system: System, operation: Operation, command: Command) -> Outcome:
        for attempt in range(1, system.policy.attempts + 1):
            try:
                return Outcome(call_id="", reply=await send(system, operation, command.request, "", ""))
            except OutcomeUnknown as fault:  # a question changes nothing: it can be asked again
                again = TransientFault(fault.message, code=fault.code)
                await self._before_next(system, operation, attempt, again)
            except TransientFault as fault:
                await self._before_next(system, operation, attempt, fault)
        raise AssertionError("unreachable")

    async def _effect(self, system: System, operation: Operation, command: Command) -> Outcome:
        claim = await self._claims.claim(command, operation, system.name)
        if claim.fingerprint != operation.fingerprint(command.request):
            raise ContractViolation(
                f"{operation.name}: key {claim.idempotency_key} was used with another payload",
                hint="a changed fact needs a new revision of its business key",
            )
        if claim.earlier is OutcomeState.POSTED:
            reply = operation.reply_schema.decode(claim.reply.encode())
            return Outcome(call_id=claim.call_id, reply=reply, document=claim.document, replayed=True)
        if claim.earlier is OutcomeState.REJECTED:
            raise BusinessFault(claim.error, code=claim.error_code, owner=claim.owner)
        doubtful = claim.earlier in (OutcomeState.SENDING, OutcomeState.UNKNOWN)
        attempt = 0
        while True:
            attempt += 1
            try:
                reply = await self._settle(system, operation, command, claim, doubtful)
                break
            except BusinessFault as fault:
                await self._not_posted(claim, OutcomeState.REJECTED, attempt, fault)
                raise
            except PermanentFault as fault:
                await self._not_posted(claim, OutcomeState.FAILED, attempt, fault)
                raise
            except OutcomeUnknown as fault:
                doubtful = True
                hopeless = not system.reads_back(operation)
                if hopeless or attempt == system.policy.attempts:
                    await self._not_posted(claim, OutcomeState.UNKNOWN, attempt, fault)
                    if hopeless:
                        raise
                    raise TransientFault(fault.message, code=fault.code) from fault  # looked up next time
                await self._pause(system, attempt, None)
            except TransientFault as fault:
                doubtful = False
                if attempt == system.policy.attempts or fault.code == "breaker_open":
                    await self._not_posted(claim, OutcomeState.FAILED, attempt, fault)
                await self._before_next(system, operation, attempt, fault)
        return await self._posted(operation, command, claim, reply, attempt)

    async def _settle(
        self, system: System, operation: Operation, command: Command, claim: Claim, doubtful: bool
    ) -> Value:
        """The reply: found, where an earlier request may have taken effect, else of a new request.

        raises  OutcomeUnknown also when the look-up itself fails: the outcome is as unknown as before
        """
        arguments = (system, operation, command.request, claim.call_id, claim.idempotency_key)
        if doubtful:
            if not system.reads_back(operation):
                raise OutcomeUnknown(
                    f"{operation.name} was sent to {system.name} and its outcome is not known",
                    hint=f"look for {claim.idempotency_key} in {system.name} and decide",
                )
            try:
                found = await find(*arguments)
                if found is None:  # the target may still be at work on it: look twice
                    await asyncio.sleep(system.policy.settle_s)
                    found = await find(*arguments)
            except (TransientFault, PermanentFault) as fault:
                raise OutcomeUnknown(fault.message, code="lookup_failed") from fault
            _LOG.info("call.read_back", operation=operation.name, call=claim.call_id, found=found is not None)
            if found is not None:
                return found
        return await send(*arguments)

    async def _posted(
        self, operation: Operation, command: Command, claim: Claim, reply: Value, attempts: int
    ) -> Outcome:
        event = self._outcome_event(operation, command, claim, reply)
        await self._claims.posted(claim, operation, reply, attempts, event)
        document = operation.document_number(reply)
        return Outcome(call_id=claim.call_id, reply=reply, document=document)

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

    async def _not_posted(
        self,
        claim: Claim,
        state: OutcomeState,
        attempts: int,
        fault: BusinessFault | PermanentFault | OutcomeUnknown | TransientFault,
    ) -> None:
        owner = fault.owner if isinstance(fault, BusinessFault) else ""
        await self._claims.not_posted(claim, state, attempts, fault.code, fault.message, owner)

    async def _before_next(
        self, system: System, operation: Operation, attempt: int, fault: TransientFault
    ) -> None:
        """Wait with full jitter; the last attempt's fault goes to the caller."""
        if attempt == system.policy.attempts or fault.code == "breaker_open":
            raise fault
        _LOG.info("call.retry", operation=operation.name, attempt=attempt, reason=fault.message)
        await self._pause(system, attempt, fault.retry_after_s)

    @staticmethod
    async def _pause(system: System, attempt: int, retry_after_s: float | None) -> None:
        policy = system.policy
        wait_s = random.uniform(0, min(policy.backoff_s * 2 ** (attempt - 1), policy.backoff_max_s))  # noqa: S311
        if retry_after_s is not None:
            wait_s = max(wait_s, min(retry_after_s, policy.backoff_max_s))
        await asyncio.sleep(wait_s)
