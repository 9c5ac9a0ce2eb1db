"""Events over HTTP, wired: in as CloudEvents, out as server-sent events and webhooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lineshaft.app.event_feed import BackboneFeed
from lineshaft.app.settings import Settings
from lineshaft.app.subscriptions import Subscriptions
from lineshaft.app.subscriptions_file import declared_subscriptions
from lineshaft.app.webhook_sender import WebhookSender
from lineshaft.backbone import Backbone
from lineshaft.contracts.event import EventContract
from lineshaft.core.access import Caller
from lineshaft.core.clock import Clock
from lineshaft.gateway.destinations import Destinations
from lineshaft.gateway.events.events_in import Authority, EventsIn, events_in_route
from lineshaft.gateway.events.sse import EventsOut, Proof, events_out_route
from lineshaft.gateway.events.subscriptions import SubscriptionsApi, subscription_routes
from lineshaft.gateway.identity import Access
from lineshaft.gateway.route import ApiRoute, Asked
from lineshaft.ledger import Audit, Desk
from lineshaft.ledger.intake import Intake
from lineshaft.ledger.subscriptions import Book, Deliveries, HandingOut
from lineshaft.store import Outbox, Store, Worker

__all__ = ["EventsPart"]


def _proof(access: Access | None) -> Proof:
    async def prove(asked: Asked) -> Caller:
        return asked.caller if access is None else await access.proof(asked.headers)

    return prove


class EventsPart:
    """authority: why a caller may not tell what another system masters; access: None on a node without;
    attempted: told of each attempt at a webhook what became of its delivery."""

    def __init__(
        self,
        settings: Settings,
        path: Path,
        store: Store,
        outbox: Outbox,
        backbone: Backbone,
        worker: Worker,
        audit: Audit,
        desk: Desk,
        contracts: Mapping[str, EventContract[Any]],
        clock: Clock,
        *,
        access: Access | None = None,
        authority: Authority = lambda *_: (),
        attempted: Callable[[str], None] = lambda _: None,
    ) -> None:
        """raises  ConfigError for a file of subscriptions that cannot be used"""
        self._file = settings.subscriptions
        self._declared = declared_subscriptions(settings, path, contracts)
        self._book = Book(store, audit, clock)
        destinations = Destinations(settings.outgoing.hosts)
        feed = BackboneFeed(backbone, contracts)
        self._in = EventsIn(
            Intake(store, clock),
            contracts,
            clock,
            enterprise=settings.enterprise,
            plant=settings.plant,
            authority=authority,
            taken=outbox.wake,
        )
        self._out = EventsOut(feed, contracts, _proof(access))
        self._api = SubscriptionsApi(self._book, destinations, contracts)
        self._subscriptions = Subscriptions(
            feed,
            self._book,
            HandingOut(store, worker, clock),
            Deliveries(store, worker, desk.add, clock),
            WebhookSender(
                destinations,
                clock,
                policies=access.directory if access else None,
                refused=access.directory.may_not_be_told if access else lambda *_: "",
                ca_file=settings.outgoing.ca_file,
                attempted=attempted,
            ),
            clock,
            secrets={each.subscription.name: each.secret for each in self._declared},
        )

    def routes(self) -> list[ApiRoute]:
        return [
            events_in_route(self._in),
            events_out_route(self._out),
            *subscription_routes(self._api),
        ]

    async def run(self) -> None:
        """Until cancelled. raises  Fenced"""
        await self._book.declare(self._declared, by=self._file or "settings")
        await self._subscriptions.run()

    def close(self) -> None:
        """Ends the streams that readers have open."""
        self._out.close()
