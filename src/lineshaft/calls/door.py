"""The one door: every request to any system passes here.

authorise → validate → claim → limit → send → classify → read back what is unknown → note and tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import structlog

from lineshaft.calls.attempt import NOT_NOW, Request
from lineshaft.calls.backoff import backoff
from lineshaft.calls.effects import Effects
from lineshaft.calls.system import System
from lineshaft.calls.turns import Turns
from lineshaft.contracts.authority import Authority
from lineshaft.contracts.capability import Operation
from lineshaft.core.access import permits
from lineshaft.core.clock import Clock
from lineshaft.core.errors import ConfigError, OutcomeUnknown, PermanentFault, TransientFault
from lineshaft.core.tracing import span
from lineshaft.core.values import Command, Outcome, Value
from lineshaft.ledger import Claims

__all__ = ["Door"]

_LOG = structlog.get_logger(__name__)


class Door:
    """Calls under one idempotency key go one after the other.

    So do those of operations that declare an order, where their entity and their `order` fields are the
    same: in the order of asking, each until it is posted or left. One that is being tried again in here holds
    up those after it; one that is left, to be asked for again later or for a person, does not. That is the
    order within this process; between workers it is kept by the partition key of the events that the calls
    come from.

    permissions   for each process, as actor, the operations that it may ask for; callers bring their own
    authority     who may change what another system masters; None: whoever may call
    source        CloudEvents source of the events that tell outcomes
    """

    def __init__(
        self,
        claims: Claims,
        systems: Sequence[System],
        permissions: Mapping[str, frozenset[str]],
        *,
        plant: str,
        source: str,
        clock: Clock,
        authority: Authority | None = None,
    ) -> None:
        self._effects = Effects(claims, source, clock)
        self._systems: dict[str, System] = {}
        self._permissions = permissions
        self._authority = authority
        self._plant = plant
        self._turns = Turns()
        for system in systems:
            for name in system.operations:
                if name in self._systems:
                    raise ConfigError(
                        f"{name} is served by both {self._systems[name].name} and {system.name}",
                        hint="give each capability to one system",
                    )
                self._systems[name] = system

    async def call(self, command: Command) -> Outcome:
        """See core.ports.CallPort."""
        system, operation = self._authorised(command)
        system.maintenance.check()
        named = f"call {operation.name}"
        with span(named, command.origin.traceparent, system=system.name) as traceparent, system.inside:
            request = operation.request_schema.decode(msgspec.json.encode(command.request))
            if self._authority is not None and command.caller is not None:
                self._authority.check_command(command.caller, operation, request, system.name)
            if not operation.is_command:
                return await self._ask(system, operation, request)
            origin = msgspec.structs.replace(command.origin, traceparent=traceparent)
            command = msgspec.structs.replace(command, request=request, origin=origin)
            return await self._in_turn(system, operation, command)

    async def _in_turn(self, system: System, operation: Operation, command: Command) -> Outcome:
        key = operation.idempotency_key(command.request, system.name)
        order = operation.order_key(command.request, system.name)
        # always in this order, so that no two wait for each other
        turns = [key] if order is None else [order, key]
        taken = 0
        try:
            for turn in turns:
                await self._turns.take(turn)
                taken += 1
            return await self._effects.bring_about(system, operation, command, key)
        finally:
            for turn in reversed(turns[:taken]):
                self._turns.give_on(turn)

    def _authorised(self, command: Command) -> tuple[System, Operation]:
        origin, name = command.origin, command.operation
        if origin.plant != self._plant:
            raise PermanentFault(
                f"{name}: {origin.actor} asks for plant {origin.plant!r}, this node acts for {self._plant!r}",
                code="wrong_plant",
            )
        if not self._allowed(command):
            hint = "declare the capability in the `uses` of the process"
            raise PermanentFault(
                f"{origin.actor} may not call {name}",
                code="not_authorised",
                hint=f"give it a role with call:{name}" if command.caller else hint,
            )
        if name not in self._systems:
            raise PermanentFault(
                f"no connected system serves {name}", code="no_system", hint="add one under `systems`"
            )
        system = self._systems[name]
        return system, system.operations[name]

    def _allowed(self, command: Command) -> bool:
        caller, name = command.caller, command.operation
        if caller is not None:
            return caller.name == command.origin.actor and permits(caller, f"call:{name}")
        return name in self._permissions.get(command.origin.actor, frozenset())

    async def _ask(self, system: System, operation: Operation, value: Value) -> Outcome:
        request = Request(system=system, operation=operation, value=value)
        attempt = 0
        while True:
            attempt += 1
            try:
                return Outcome(call_id="", reply=await request.send())
            except OutcomeUnknown as unknown:  # a question changes nothing: it can be asked again
                fault = TransientFault(unknown.message, code=unknown.code)
            except TransientFault as transient:
                fault = transient
            if attempt == system.policy.attempts or fault.code in NOT_NOW:
                raise fault
            system.tally.retries += 1
            _LOG.info("call.retry", operation=operation.name, attempt=attempt, reason=fault.message)
            await backoff(system.policy, attempt, fault.retry_after_s)
