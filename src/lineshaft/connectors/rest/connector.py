"""The generic REST connector: any REST system, described by a mapping file, behind our capabilities."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lineshaft.connectors.rest.answers import Judge
from lineshaft.connectors.rest.expression import Expression, Unmappable
from lineshaft.connectors.rest.http1 import Answer
from lineshaft.connectors.rest.mapping import Exchange, MappedOperation
from lineshaft.connectors.rest.mapping_reader import read_mapping
from lineshaft.connectors.rest.path_template import with_query
from lineshaft.connectors.rest.settings import RestSettings
from lineshaft.connectors.rest.transport import Question, Transport
from lineshaft.connectors.rest.webhook import WebhookTranslator
from lineshaft.contracts.capability import Capability, Operation
from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS
from lineshaft.contracts.event import EventContract
from lineshaft.core.clock import Clock, SystemClock
from lineshaft.core.errors import (
    BusinessFault,
    ConfigError,
    ContractViolation,
    LineshaftError,
    PermanentFault,
    TransientFault,
)
from lineshaft.core.ports import CallContext, Health, HealthState, Manifest, WireMessage
from lineshaft.core.values import Event, Value

__all__ = ["RestConnector"]

HEALTH_DEADLINE_S = 5.0
Method = Callable[[CallContext, Any], Awaitable[Any]]


class RestConnector:
    """Implements core.ports.Connector and core.ports.Webhook.

    For each operation of the mapping it has a method of the operation's name, and `find_<name>` for each
    command that the mapping can look up by key. The key is sent in the body as the mapping says, and as the
    header `Idempotency-Key`.
    """

    def __init__(
        self,
        settings: RestSettings,
        *,
        capabilities: Mapping[str, type[Capability]] = CAPABILITIES,
        events: Mapping[str, EventContract[Any]] = EVENTS,
        clock: Clock | None = None,
    ) -> None:
        """Reads and checks the mapping; opens nothing.

        raises  ConfigError with every finding of the mapping file or the settings
        """
        mapping = read_mapping(Path(settings.mapping), capabilities, events)
        settings.check(bool(mapping.webhooks))
        self._settings = settings
        self._mapping = mapping
        self._transport = Transport(settings)
        self._judge = Judge(settings.name, mapping, clock or SystemClock())
        self._webhooks = WebhookTranslator(settings, mapping, clock)
        for mapped in mapping.operations.values():
            self._add(mapped.operation.method, self._sender(mapped))
            if mapped.find is not None:
                self._add(f"find_{mapped.operation.method}", self._finder(mapped.operation, mapped.find))

    @property
    def manifest(self) -> Manifest:
        return Manifest(
            name=self._settings.name,
            title=self._mapping.title,
            capabilities=self._mapping.capabilities,
            reads_back=[name for name, mapped in self._mapping.operations.items() if mapped.find is not None],
        )

    async def start(self) -> None:
        await self._transport.start()

    async def close(self) -> None:
        await self._transport.close()

    async def health(self) -> Health:
        """Any answer below 500 to the mapping's health path (or the base address) means active."""
        question = Question(
            what="health",
            method="GET",
            path=self._mapping.health or "/",
            body=None,
            headers={},
            deadline_s=HEALTH_DEADLINE_S,
            is_command=False,
        )
        begun = time.perf_counter()
        try:
            answer = await self._transport.ask(question)
        except LineshaftError as error:
            state = HealthState.DEGRADED if isinstance(error, TransientFault) else HealthState.STOPPED
            return Health(state=state, detail=error.message)
        latency_ms = (time.perf_counter() - begun) * 1000
        if answer.status >= 500:
            return Health(
                state=HealthState.DEGRADED, detail=f"answers {answer.status}", latency_ms=latency_ms
            )
        return Health(state=HealthState.ACTIVE, latency_ms=latency_ms)

    def as_sent(self, operation: str, request: Value, key: str) -> WireMessage:
        """As core.ports.SaysAsSent says."""
        mapped = self._mapping.operations.get(operation)
        if mapped is None:
            raise PermanentFault(
                f"{self._settings.name} does not map {operation} any more",
                code="not_mapped",
                hint=f"its mapping is {self._mapping.file}",
            )
        call = CallContext(call_id="", operation=operation, idempotency_key=key, deadline_s=0.0, headers={})
        asked = self._question(mapped.operation, mapped.exchange, call, request, False)
        body = None if asked.body is None else msgspec.json.decode(asked.body)
        return WireMessage(method=asked.method, address=asked.path, body=body)

    def owner(self, hook: str) -> str:
        """The desk that owns what comes over a webhook. raises PermanentFault for an unknown one"""
        return self._webhooks.owner(hook)

    def translate(self, hook: str, headers: Mapping[str, str], body: bytes) -> Sequence[Event]:
        """As core.ports.Webhook says; the codes are `unknown_hook` and `wrong_signature`."""
        return self._webhooks.translate(hook, headers, body)

    def reread(self, hook: str, body: bytes) -> Sequence[Event]:
        """As core.ports.Webhook says."""
        return self._webhooks.reread(hook, body)

    def _add(self, name: str, method: Method) -> None:
        if hasattr(self, name):
            raise ConfigError(
                f"mapping {self._mapping.file}: operation method {name!r} is taken by the connector itself",
                hint="rename the operation in its capability",
            )
        setattr(self, name, method)

    def _sender(self, mapped: MappedOperation) -> Method:
        operation = mapped.operation

        async def send(call: CallContext, request: Any) -> Any:
            question = self._question(operation, mapped.exchange, call, request, operation.is_command)
            answer = await self._transport.ask(question)
            document = self._judge.document(question, answer, operation.owner)
            return self._reply(operation, mapped.exchange, question, answer, (call, request, document))

        return send

    def _finder(self, operation: Operation, find: Exchange) -> Method:
        async def look_up(call: CallContext, request: Any) -> Any:
            question = self._question(operation, find, call, request, False)
            answer = await self._transport.ask(question)
            if find.absent_on_404 and answer.status == 404:
                return None
            document = self._judge.document(question, answer, operation.owner)
            return self._reply(operation, find, question, answer, (call, request, document), may_be_null=True)

        return look_up

    def _question(
        self, operation: Operation, exchange: Exchange, call: CallContext, request: Value, is_command: bool
    ) -> Question:
        values = {**_plain(request), "key": call.idempotency_key}
        headers = dict(call.headers)
        if is_command:
            headers["Idempotency-Key"] = call.idempotency_key
        try:
            path = exchange.path.fill(values)
            if exchange.query is not None:
                path = with_query(path, exchange.query(values), exchange.query.place)
            body = None
            if exchange.send is not None:
                body = _as_json(exchange.send, values)
                headers["Content-Type"] = "application/json"
        except Unmappable as error:
            raise BusinessFault(
                f"{self._settings.name} {operation.name}: the request cannot be mapped: {error}",
                code="mapping_error",
                hint=f"extend {self._mapping.file} or correct the request",
                owner=operation.owner,
            ) from error
        return Question(
            what=operation.name,
            method=exchange.method,
            path=path,
            body=body,
            headers=headers,
            deadline_s=call.deadline_s,
            is_command=is_command,
        )

    def _reply(
        self,
        operation: Operation,
        exchange: Exchange,
        question: Question,
        answer: Answer,
        exchanged: tuple[CallContext, Value, Any],
        *,
        may_be_null: bool = False,
    ) -> Value | None:
        call, request, document = exchanged
        seen = {"request": _plain(request), "answer": document, "key": call.idempotency_key}
        try:
            mapped = _as_json(exchange.reply, seen)
            if mapped == b"null" and may_be_null:
                return None
            return operation.reply_schema.decode(mapped)
        except Unmappable as error:
            raise self._judge.unmappable(question, answer, str(error)) from error
        except ContractViolation as violation:
            reason = f"{exchange.reply.place}: {'; '.join(violation.findings) or violation.message}"
            raise self._judge.unmappable(question, answer, reason) from violation


def _as_json(expression: Expression, seen: dict[str, Any]) -> bytes:
    """raises Unmappable, also for a value that is no JSON: an expression can give such"""
    given = expression(seen)
    try:
        return msgspec.json.encode(given)
    except (TypeError, ValueError) as error:
        raise Unmappable(f"{expression.place}: {expression.what}: {error}") from error


def _plain(request: Value) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(request)
    return document
