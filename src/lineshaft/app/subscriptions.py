"""Webhooks out: events are handed out to subscriptions, and each subscription is served by itself.

One worker hands out, in the streams' order, and each subscription is held by one worker, so that what belongs
together leaves in order. All that is known is in the store: a process that dies is taken up where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

import structlog

from lineshaft.app.webhook_sender import Attempt, WebhookSender
from lineshaft.core.clock import Clock
from lineshaft.core.errors import LineshaftError, TransientFault
from lineshaft.core.subscriptions import EventFeed, Subscription, SubscriptionState
from lineshaft.ledger.subscriptions import Book, Deliveries, Delivery, HandingOut
from lineshaft.store import Fenced

__all__ = ["Subscriptions"]

_LOG = structlog.get_logger(__name__)
_LOOK_AGAIN_S = 1.0
_AT_ONCE = 16


class Subscriptions:
    """secrets: of subscriptions that the file declares, by name."""

    def __init__(
        self,
        feed: EventFeed,
        book: Book,
        handing_out: HandingOut,
        deliveries: Deliveries,
        sender: WebhookSender,
        clock: Clock,
        *,
        secrets: Mapping[str, str] | None = None,
        look_again_s: float = _LOOK_AGAIN_S,
    ) -> None:
        self._feed = feed
        self._book = book
        self._handing_out = handing_out
        self._deliveries = deliveries
        self._sender = sender
        self._clock = clock
        self._secrets = secrets or {}
        self._look_again_s = look_again_s
        self._served: dict[str, tuple[Subscription, asyncio.Task[None]]] = {}
        self._stirred: dict[str, asyncio.Event] = {}

    async def run(self) -> None:
        """Until cancelled.

        raises  Fenced when this worker was taken for dead
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._hand_out())
                tasks.create_task(self._hold(tasks))
        except ExceptionGroup as faults:
            raise faults.exceptions[0] from faults
        finally:
            self._sender.close()

    def stir(self) -> None:
        """Something may be due: look now."""
        for bell in self._stirred.values():
            bell.set()

    async def _hand_out(self) -> None:
        """Nothing is read while nobody has asked to be told."""
        while True:
            try:
                known = await self._book.listing()
                asking = [each for each in known if each.state is not SubscriptionState.ENDED]
                if asking and await self._handing_out.leads():
                    await self._follow(min(each.created_at for each in asking))
            except Fenced:
                raise
            except LineshaftError as fault:
                _LOG.warning("webhooks.waiting", reason=str(fault))
            await asyncio.sleep(self._look_again_s)

    async def _follow(self, since: str) -> None:
        positions = await self._handing_out.positions()
        async with self._feed.follow(positions, since=datetime.fromisoformat(since)) as batches:
            async for batch in batches:
                if not await self._handing_out.leads():
                    return
                if await self._handing_out.hand_out(batch):
                    self.stir()

    async def _hold(self, tasks: asyncio.TaskGroup) -> None:
        """Serve those that are ours, by what is known of them now."""
        while True:
            try:
                held = {each.subscription_id: each for each in await self._deliveries.hold()}
                for key in [key for key, (known, _) in self._served.items() if held.get(key) != known]:
                    self._served.pop(key)[1].cancel()
                    self._stirred.pop(key)
                for key in held.keys() - self._served.keys():
                    self._stirred[key] = asyncio.Event()
                    task = tasks.create_task(self._serve(held[key], self._stirred[key]))
                    self._served[key] = held[key], task
            except TransientFault as fault:
                _LOG.warning("webhooks.waiting", reason=str(fault))
            await asyncio.sleep(self._look_again_s)

    async def _serve(self, to: Subscription, stirred: asyncio.Event) -> None:
        """An endpoint that is away is asked with one delivery at a time, more and more rarely; one that has
        come back is sent all that waits."""
        away_until, failures = 0.0, 0
        while True:
            stirred.clear()
            now = self._clock.now().timestamp()
            wait_s = max(0.0, away_until - now)
            try:
                if not wait_s:
                    due, later = await self._deliveries.due(
                        to.subscription_id, now, 1 if away_until else _AT_ONCE
                    )
                    if due:
                        secret = self._secrets.get(to.name) or await self._book.secret(to.subscription_id)
                        made = await asyncio.gather(*(self._send(each, to, secret) for each in due))
                        if away_until and not any(each.away for each in made):
                            await self._deliveries.come_back(to.subscription_id)
                        failures = failures + 1 if all(each.away for each in made) else 0
                        away_until = self._sender.away_until(failures, made)
                        continue
                    wait_s = max(0.05, later - now) if later is not None else self._look_again_s
            except Fenced:
                raise
            except LineshaftError as fault:
                _LOG.warning("webhooks.waiting", subscription=to.name, reason=str(fault))
                wait_s = self._look_again_s
            try:
                async with asyncio.timeout(min(wait_s, self._look_again_s)):
                    await stirred.wait()
            except TimeoutError:
                continue

    async def _send(self, delivery: Delivery, to: Subscription, secret: str) -> Attempt:
        attempt = await self._sender.send(delivery, to, secret)
        outcome = self._sender.outcome(delivery, attempt)
        await self._deliveries.note(outcome, to)
        if not attempt.is_good:
            _LOG.warning(
                "webhook.not_taken",
                subscription=to.name,
                delivery=delivery.delivery_id,
                attempts=outcome.attempts,
                error=attempt.error,
            )
        return attempt
