"""Events are written in the transaction of what they tell, and go to the backbone from there.

A crash between the two repeats the publish under the same id, which the backbone recognises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import msgspec
import structlog
from sqlalchemy import Connection, delete, select

from lineshaft.core.errors import LineshaftError
from lineshaft.core.ports import EventPublisher
from lineshaft.core.values import Event
from lineshaft.store.engine import Store
from lineshaft.store.schema import outbox
from lineshaft.store.statements import insert_new
from lineshaft.store.writer import Fenced

__all__ = ["Outbox"]

_LOG = structlog.get_logger(__name__)
_BATCH = 500
_LOOK_AGAIN_S = 1.0
_MANY = 32  # after so many at once more are let come together, which the backbone takes as one batch
_GATHER_S = 0.04


class Outbox:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending = asyncio.Event()
        self._pending.set()

    @staticmethod
    def add(connection: Connection, events: Sequence[Event]) -> None:
        """Inside a unit of work. The same event id twice is one row."""
        rows = [{"event_id": event.id, "event": msgspec.json.encode(event).decode()} for event in events]
        insert_new(connection, outbox, rows)

    def wake(self) -> None:
        """Called after the unit is committed."""
        self._pending.set()

    async def run(self, publisher: EventPublisher) -> None:
        """Publish what is there, in order, until cancelled; wait while the backbone is away.

        raises  Fenced when this worker was taken for dead
        """
        while True:
            with suppress(TimeoutError):  # another worker, now dead, may have left some
                async with asyncio.timeout(_LOOK_AGAIN_S):
                    await self._pending.wait()
            self._pending.clear()
            try:
                while (left := await self._flush(publisher)) == _BATCH:
                    pass
            except Fenced:
                raise
            except LineshaftError as fault:
                _LOG.warning("outbox.waiting", reason=str(fault))
                self._pending.set()
                await asyncio.sleep(0.5)
                continue
            if left >= _MANY:
                await asyncio.sleep(_GATHER_S)

    async def _flush(self, publisher: EventPublisher) -> int:
        """How many went out."""

        def first(connection: Connection) -> Sequence[tuple[int, str]]:
            question = select(outbox.c.seq, outbox.c.event).order_by(outbox.c.seq).limit(_BATCH)
            return [(seq, event) for seq, event in connection.execute(question)]

        rows = await self._store.read(first)
        if not rows:
            return 0
        await publisher.publish([msgspec.json.decode(event, type=Event) for _, event in rows])
        done = [seq for seq, _ in rows]
        await self._store.write(
            lambda connection: connection.execute(delete(outbox).where(outbox.c.seq.in_(done))) and None
        )
        return len(rows)
