"""A worker that sends webhooks until it is killed; its arguments: store, NATS, user, password, host."""

from __future__ import annotations

import asyncio
import sys

from lineshaft.app.event_feed import BackboneFeed
from lineshaft.app.subscriptions import Subscriptions
from lineshaft.app.webhook_sender import WebhookSender
from lineshaft.backbone import Backbone
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.core.clock import SystemClock
from lineshaft.gateway.destinations import Destinations
from lineshaft.ledger import Audit, Desk
from lineshaft.ledger.subscriptions import Book, Deliveries, HandingOut
from lineshaft.store import Store, Worker


async def main(store_url: str, nats: str, user: str, password: str, host: str) -> None:
    clock, store = SystemClock(), Store.open(store_url)
    worker = Worker(store, "w1")
    await worker.join()
    part = Subscriptions(
        BackboneFeed(await Backbone.join(nats, user=user, password=password), EVENTS),
        Book(store, Audit("w1", clock), clock),
        HandingOut(store, worker, clock),
        Deliveries(store, worker, Desk(store, clock).add, clock),
        WebhookSender(Destinations([host]), clock),
        clock,
        look_again_s=0.02,
    )
    await asyncio.gather(worker.run(lambda *_: (), lambda _: None), part.run())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
