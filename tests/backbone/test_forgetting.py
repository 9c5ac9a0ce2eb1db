from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from structlog.testing import capture_logs

from lineshaft.backbone import Backbone
from lineshaft.backbone.bulk_feed import BulkFeed
from lineshaft.backbone.connection import ApiRefused, Connection
from lineshaft.backbone.forgetting import Forgetting
from lineshaft.core.errors import TransientFault
from lineshaft.core.ports import StreamPosition

from .conftest import message_count, until


class Feed(msgspec.Struct):
    """What `Forgetting` looks at of a feed."""

    stream: str
    last: int
    created: str = "c"


class Asked(Connection):
    """The real server behind; asked: what changes something, and up to where. refuse: that many of them."""

    def __init__(self, real: Connection) -> None:
        self._real = real
        self.asked: list[int] = []
        self.refuse = 0

    async def api(
        self, operation: str, request: Mapping[str, object] | None = None, *, timeout_s: float = 5.0
    ) -> dict[str, Any]:
        if request is not None:
            if self.refuse:
                self.refuse -= 1
                raise TransientFault("busy", hint="later")
            self.asked.append(int(str(request["seq"])) - 1)
        return await self._real.api(operation, request, timeout_s=timeout_s)


@asynccontextmanager
async def forgetting(backbone: Backbone) -> AsyncIterator[tuple[Forgetting, Asked]]:
    connection = Asked(backbone.connection)
    made = Forgetting(connection)
    run = asyncio.create_task(made.run())
    try:
        yield made, connection
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)


def note(made: Forgetting, feed: Feed, upto: int, created: str = "c") -> None:
    made.note(feed, StreamPosition(upto, created))  # type: ignore[arg-type]
