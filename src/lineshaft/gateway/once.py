"""Requests that are done once, however often they are sent: by their Idempotency-Key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import structlog

from lineshaft.core.clock import Clock
from lineshaft.core.errors import LineshaftError, OutcomeUnknown
from lineshaft.core.requests import Claimed, RecordedAnswer, RequestClaim, RequestClaims
from lineshaft.gateway.exchange import Exchange, Sent, Served, note_of
from lineshaft.gateway.idempotency import idempotency_key, request_fingerprint
from lineshaft.gateway.problems import Refusal
from lineshaft.gateway.refusing import refusal

__all__ = ["Once"]

_LOG = structlog.get_logger("lineshaft.gateway")
Work = Callable[[], Awaitable[Sent]]


class Once:
    def __init__(self, claims: RequestClaims, clock: Clock) -> None:
        self._claims = claims
        self._clock = clock
        self._going_on: set[asyncio.Task[Sent]] = set()

    async def close(self) -> None:
        """Waits for what goes on after its client was told that it takes too long."""
        if self._going_on:
            await asyncio.wait(self._going_on)

    async def do(self, exchange: Exchange, served: Served, body: bytes, work: Work) -> Sent:
        """What `work` gives, or was recorded before. It goes on when this is cancelled, as after a time-out.

        raises  Refusal: no key, 400; in flight, 409; another request under the key, 422
        """
        key = idempotency_key(exchange.headers)
        claim = await self._claims.claim(
            served.route.name,
            exchange.caller.account or exchange.caller.name,
            key,
            request_fingerprint(exchange.scope["path"], exchange.query, body),
        )
        if claim.state is Claimed.DONE and claim.answer is not None:
            return _replayed(claim.answer)
        if claim.state is not Claimed.OURS:
            raise _not_ours(claim, key)
        task = asyncio.create_task(self._carried_out(exchange, served, work, claim))
        self._going_on.add(task)
        task.add_done_callback(self._going_on.discard)
        exchange.noted = True  # by the task, when it is done
        return await asyncio.shield(task)

    async def _carried_out(self, exchange: Exchange, served: Served, work: Work, claim: RequestClaim) -> Sent:
        """The answer, recorded with the claim and the note in one go.

        What is only not possible now, or not known yet, is not recorded: a repeat is worked on anew.
        """
        try:
            sent = await work()
        except Exception as error:
            sent = refusal(exchange, error)
        note = note_of(exchange, served, sent, self._clock)
        settled = sent.status < HTTPStatus.INTERNAL_SERVER_ERROR
        try:
            if settled:
                kept = refusal(exchange, _shown_once(served)) if sent.is_secret else sent
                headers = {name.decode(): value.decode() for name, value in kept.headers}
                answer = RecordedAnswer(status=kept.status, headers=headers, body=kept.body)
                await self._claims.answered(claim, answer, note)
            else:
                await self._claims.let_go(claim, note)
        except LineshaftError as fault:
            _LOG.error("request.not_recorded", request=exchange.request_id, error=str(fault))
            if settled:
                return refusal(exchange, _not_recorded(served, fault))
        return sent


def _replayed(answer: RecordedAnswer) -> Sent:
    headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    return Sent(answer.status, [*headers, (b"idempotency-replayed", b"true")], answer.body)


def _not_ours(claim: RequestClaim, key: str) -> Refusal:
    if claim.state is Claimed.IN_FLIGHT:
        return Refusal(
            HTTPStatus.CONFLICT,
            f"the request with Idempotency-Key {key!r} is still being worked on",
            code="request_in_flight",
            hint="ask again under the same key for its answer",
            headers={"Retry-After": "1"},
        )
    return Refusal(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"Idempotency-Key {key!r} was used for another request",
        code="idempotency_key_reused",
        hint="a new request needs a new key",
    )


def _shown_once(served: Served) -> Refusal:
    return Refusal(
        HTTPStatus.CONFLICT,
        f"{served.route.name} was done under this key, and its answer held a secret that is shown only once",
        code="shown_once",
        hint="end what was made, and make another under a new key",
    )


def _not_recorded(served: Served, fault: LineshaftError) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{served.route.name} was done, and its answer could not be recorded: {fault.message}",
        hint="ask again under the same key",
    )
