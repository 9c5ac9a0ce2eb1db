"""One attempt at one webhook: signed, sent to the address that was checked, and judged by its answer."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from lineshaft.connectors.rest.answers import retry_after_s
from lineshaft.connectors.rest.http1 import (
    Answer,
    Connections,
    LostAnswer,
    Progress,
    TooLong,
    Unsendable,
    request_head,
)
from lineshaft.core.clock import Clock
from lineshaft.core.errors import LineshaftError
from lineshaft.core.signing import signed_headers
from lineshaft.core.subscriptions import DeliveryState, Subscription, SubscriptionState
from lineshaft.core.values import Event
from lineshaft.gateway.destinations import Destination, Destinations
from lineshaft.gateway.events.outgoing import as_cloudevent
from lineshaft.gateway.policies import Policies, shown_fields
from lineshaft.ledger.subscriptions import Delivery, Outcome

__all__ = ["PAUSES_S", "Attempt", "WebhookSender"]

PAUSES_S = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""After each attempt but the last, as Standard Webhooks has it: more than three days in all."""

_ROUTE = "webhooks"
_MOST_ANSWER_BYTES = 64 * 1024
_SHOWN = 300
_JITTER = 0.2
_MOST_RETRY_AFTER_S = 86_400.0
_MOST_AWAY_S = 1800.0


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """status: 0 without an answer; again_s: what the other side asks us to wait; away: nobody was there, or
    it says itself that it cannot: the next delivery would fare no better."""

    status: int = 0
    error: str = ""
    again_s: float | None = None
    away: bool = False

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300


class WebhookSender:
    """pauses_s: between attempts; policies: by route `webhooks`, which fields of an event an account sees;
    refused: why a subscription's account may not be told of an event any more, empty: it may; attempted: told
    of each attempt the state of its delivery then."""

    def __init__(
        self,
        destinations: Destinations,
        clock: Clock,
        *,
        policies: Policies | None = None,
        refused: Callable[[Subscription, Event], str] = lambda *_: "",
        timeout_s: float = 15.0,
        pauses_s: tuple[float, ...] = PAUSES_S,
        ca_file: str = "",
        attempted: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._destinations = destinations
        self._clock = clock
        self._policies = policies
        self._refused = refused
        self._timeout_s = timeout_s
        self._pauses_s = pauses_s
        self._ca_file = ca_file
        self._attempted = attempted
        self._tls: ssl.SSLContext | None = None
        self._kept: dict[tuple[str, str, int, str], Connections] = {}

    def close(self) -> None:
        while self._kept:
            self._kept.popitem()[1].close()

    async def send(self, delivery: Delivery, to: Subscription, secret: str) -> Attempt:
        """Everything that can go wrong is an attempt that failed."""
        if why := self._refused(to, delivery.event):
            return Attempt(error=why, away=True)
        try:
            destination = self._destinations.check(to.url)
            address = await self._destinations.address(destination)
            shown = None
            if self._policies is not None:
                shown = shown_fields(self._policies.policy(to.account), _ROUTE)
            body = as_cloudevent(delivery.event, shown)
            signed = signed_headers(secret, delivery.delivery_id, self._clock.now(), body)
            request = _request(destination, signed, body)
        except (LineshaftError, Unsendable) as fault:
            return Attempt(error=str(fault), away=True)
        connections = self._connections(destination, address)
        try:
            async with asyncio.timeout(self._timeout_s):
                return _judged(await connections.exchange(request, Progress()), self._clock.now())
        except TimeoutError:
            return Attempt(error=f"no answer within {self._timeout_s:g} s", away=True)
        except TooLong as error:
            return Attempt(status=error.status, error=str(error) if error.status >= 300 else "")
        except (LostAnswer, OSError) as error:
            return Attempt(error=f"{type(error).__name__}: {error}", away=True)

    def away_until(self, failures: int, attempts: Sequence[Attempt]) -> float:
        """When an endpoint that was away this often in a row is to be asked again, in epoch seconds.

        attempts  the last ones: what one of them asks for holds for all; 0: now
        """
        now_s = self._clock.now().timestamp()
        asked = [min(each.again_s, _MOST_RETRY_AFTER_S) for each in attempts if each.away and each.again_s]
        asked_until = now_s + max(asked) if asked else 0.0
        if not failures:
            return asked_until
        pause_s = min(self._pauses_s[min(failures, len(self._pauses_s)) - 1], _MOST_AWAY_S)
        return max(asked_until, now_s + pause_s * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311

    def outcome(self, delivery: Delivery, attempt: Attempt) -> Outcome:
        """What the attempt makes of its delivery and its subscription."""
        made = self._outcome(delivery, attempt)
        self._attempted(made.state)
        return made

    def _outcome(self, delivery: Delivery, attempt: Attempt) -> Outcome:
        attempts = delivery.attempts + 1
        if attempt.is_good:
            return Outcome(
                delivery=delivery, state=DeliveryState.DELIVERED, attempts=attempts, status=attempt.status
            )
        if attempt.status == 410:
            return Outcome(
                delivery=delivery,
                state=DeliveryState.DROPPED,
                attempts=attempts,
                status=410,
                error=attempt.error,
                becomes=SubscriptionState.ENDED,
            )
        if attempts > len(self._pauses_s):
            return Outcome(
                delivery=delivery,
                state=DeliveryState.FAILED,
                attempts=attempts,
                status=attempt.status,
                error=attempt.error,
                becomes=SubscriptionState.SUSPENDED if attempt.away else None,
            )
        pause_s = self._pauses_s[attempts - 1] * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
        if attempt.again_s is not None:
            pause_s = max(pause_s, min(attempt.again_s, _MOST_RETRY_AFTER_S))
        return Outcome(
            delivery=delivery,
            state=DeliveryState.WAITING,
            attempts=attempts,
            due_at=self._clock.now().timestamp() + pause_s,
            status=attempt.status,
            error=attempt.error,
        )

    def _connections(self, destination: Destination, address: str) -> Connections:
        """Those that are kept lead to an address that was checked just now."""
        key = (destination.scheme, destination.host, destination.port, address)
        if key not in self._kept:
            for old in [each for each in self._kept if each[:3] == key[:3]]:
                self._kept.pop(old).close()
            tls = self._trust() if destination.scheme == "https" else None
            self._kept[key] = Connections(
                address,
                destination.port,
                tls,
                limit=16,
                max_answer_bytes=_MOST_ANSWER_BYTES,
                tls_name=destination.host if tls else "",
            )
        return self._kept[key]

    def _trust(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=self._ca_file or None)
        return self._tls


def _request(destination: Destination, signed: Mapping[str, str], body: bytes) -> bytes:
    headers = {
        "Host": destination.authority,
        "User-Agent": "lineshaft",
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "Content-Length": str(len(body)),
        **signed,
    }
    return request_head("POST", destination.target, headers) + body


def _judged(answer: Answer, now: datetime) -> Attempt:
    """A redirect is not followed: it would lead where nothing was declared."""
    if 200 <= answer.status < 300:
        return Attempt(status=answer.status)
    said = answer.body[:_SHOWN].decode(errors="replace")
    where = (
        f", it points to {answer.headers.get('location', 'elsewhere')}" if 300 <= answer.status < 400 else ""
    )
    return Attempt(
        status=answer.status,
        error=f"answered {answer.status}{where}{': ' + said if said else ''}",
        again_s=retry_after_s(answer.headers.get("retry-after"), now),
        away=answer.status >= 500 or answer.status in (408, 425, 429),
    )
