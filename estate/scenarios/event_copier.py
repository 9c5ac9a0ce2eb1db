"""Sends every event of the product again, as a careless producer would."""

from __future__ import annotations

import asyncio
import json

import nats
from nats.aio.msg import Msg

from estate.product import Product

__all__ = ["EventCopier"]

_MARK = "x-estate-copy"


class EventCopier:
    """copies   of each event, besides the first; copied: how many were sent so far"""

    def __init__(self, product: Product, *, copies: int) -> None:
        self._product = product
        self._copies = copies
        self.copied = 0

    async def run(self) -> None:
        """Until cancelled."""
        state = json.loads((self._product.data_dir / "nats" / "nats-state.json").read_text())
        client = await nats.connect(
            self._product.address().nats, user="lineshaft", password=state["password"]
        )

        async def again(message: Msg) -> None:
            headers = {k: v for k, v in (message.headers or {}).items() if k != "Nats-Msg-Id"}
            if "ce-id" not in headers or _MARK in headers:
                return
            for number in range(self._copies):
                await client.publish(
                    message.subject, message.data, headers={**headers, _MARK: str(number + 1)}
                )
                self.copied += 1

        try:
            await client.subscribe("ls.operational.>", cb=again)
            await client.subscribe("ls.transactional.>", cb=again)
            await asyncio.Event().wait()
        finally:
            await client.drain()
