"""Events out of the backbone for those outside: each stream in order, from any place, without a gap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from lineshaft.backbone import Backbone, Delivery, from_message, stream_of
from lineshaft.backbone.connection import ApiRefused, Connection
from lineshaft.backbone.events import encode_token
from lineshaft.backbone.pull import PullFeed
from lineshaft.contracts.event import EventContract
from lineshaft.core.clock import rfc3339
from lineshaft.core.errors import ContractViolation, TransientFault
from lineshaft.core.ids import new_id
from lineshaft.core.ports import StreamPosition
from lineshaft.core.subscriptions import FedEvent
from lineshaft.core.values import EventClass

__all__ = ["BackboneFeed"]

_LOG = structlog.get_logger(__name__)
_CLASSES = (EventClass.OPERATIONAL, EventClass.TRANSACTIONAL)
_AHEAD = 4  # batches that wait for a reader, of each stream
_BATCH = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Batch = list[FedEvent]


class BackboneFeed:
    """Implements core.subscriptions.EventFeed. Each reader has consumers of its own, kept in memory by the
    server, who forgets them soon after the reader is gone; their place is the reader's to know."""

    def __init__(self, backbone: Backbone, contracts: Mapping[str, EventContract[Any]]) -> None:
        self._connection: Connection = backbone.connection
        self._contracts = contracts

    async def newest(self) -> dict[str, StreamPosition]:
        return {
            stream: StreamPosition(last, made) for stream, (_, last, made) in (await self._ends()).items()
        }

    async def oldest(self) -> dict[str, StreamPosition]:
        return {
            stream: StreamPosition(max(0, first - 1), made)
            for stream, (first, _, made) in (await self._ends()).items()
        }

    async def _ends(self) -> dict[str, tuple[int, int, str]]:
        found = {}
        for eventclass in _CLASSES:
            stream = stream_of(eventclass)
            try:
                info = await self._connection.api(f"STREAM.INFO.{stream}")
            except ApiRefused as refused:
                raise TransientFault(f"stream {stream} is not there: {refused}") from refused
            state = info["state"]
            found[stream] = int(state["first_seq"]), int(state["last_seq"]), str(info["created"])
        return found

    @asynccontextmanager
    async def follow(
        self,
        after: Mapping[str, StreamPosition],
        *,
        types: Collection[str] = (),
        since: datetime | None = None,
    ) -> AsyncIterator[AsyncIterator[Sequence[FedEvent]]]:
        ends = await self._ends()
        queue: asyncio.Queue[_Batch] = asyncio.Queue(_AHEAD)
        reading = []
        for eventclass in _CLASSES:
            subjects = self._subjects(eventclass, types)
            if not subjects:
                continue
            stream = stream_of(eventclass)
            made = ends[stream][2]
            begin = after.get(stream)
            if begin is not None and begin.created != made:
                _LOG.warning("feed.stream_is_new", stream=stream, made=made)
                begin = StreamPosition(0, made)
            reader = _StreamReader(self._connection, stream, made, subjects, begin, since)
            reading.append(asyncio.create_task(reader.run(queue)))
        try:
            yield _taken(queue, reading)
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)

    def _subjects(self, eventclass: EventClass, types: Collection[str]) -> list[str]:
        if not types:
            return [f"ls.{eventclass.value}.>"]
        return [
            f"ls.{eventclass.value}.*.{'.'.join(encode_token(part) for part in kind.split('.'))}"
            for kind in sorted(types)
            if self._contracts[kind].eventclass is eventclass
        ]


class _StreamReader:
    """One stream for one reader. What the server sends again is left out, what it lost is asked for again."""

    def __init__(
        self,
        connection: Connection,
        stream: str,
        made: str,
        subjects: Sequence[str],
        after: StreamPosition | None,
        since: datetime | None,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._made = made
        self._subjects = list(subjects)
        self._last = after.sequence if after else 0
        self._since = since if after is None else None

    async def run(self, queue: asyncio.Queue[_Batch]) -> None:
        while True:
            feed = PullFeed(self._connection, self._stream, self._config(), batch=_BATCH)
            await feed.open()
            try:
                turn = 0
                while True:
                    whole = True
                    batch: _Batch = []
                    for delivery in await feed.take(_BATCH):
                        if delivery.turn not in (turn + 1, 1):
                            whole = False
                            break
                        turn = delivery.turn
                        if delivery.sequence > self._last:
                            self._last = delivery.sequence
                            batch += self._read(delivery)
                    if batch:
                        await queue.put(batch)
                    if not whole:
                        _LOG.warning("feed.gap", stream=self._stream, after=self._last)
                        break
            finally:
                await feed.close()

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "durable_name": f"feed-{new_id()}",
            "ack_policy": "none",
            "inactive_threshold": 60 * 10**9,
            "mem_storage": True,
            "filter_subjects": self._subjects,
        }
        if self._since is not None and not self._last:
            return config | {"deliver_policy": "by_start_time", "opt_start_time": rfc3339(self._since)}
        return config | {"deliver_policy": "by_start_sequence", "opt_start_seq": self._last + 1}

    def _read(self, delivery: Delivery) -> _Batch:
        """What is no event of ours is a dead letter of the ledger's consumer."""
        try:
            event = from_message(delivery.headers, delivery.data)
        except ContractViolation:
            return []
        stored_us = (delivery.stored_at - _EPOCH) // timedelta(microseconds=1)
        position = StreamPosition(delivery.sequence, self._made, stored_us)
        return [FedEvent(self._stream, position, event)]


async def _taken(
    queue: asyncio.Queue[_Batch], reading: Sequence[asyncio.Task[None]]
) -> AsyncIterator[Sequence[FedEvent]]:
    """raises  what ended one of those who read"""
    while True:
        coming = asyncio.ensure_future(queue.get())
        try:
            done, _ = await asyncio.wait({coming, *reading}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            coming.cancel()
            raise
        if coming not in done:
            coming.cancel()
            for task in reading:
                if task.done():
                    task.result()
        yield coming.result()
