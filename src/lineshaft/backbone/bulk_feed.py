"""The messages of one stream from a position on, each once and in order, in columns: for device traffic.

A consumer of its own without acknowledgements, made anew after the last message taken whenever the
connection, the server or the consumer was lost: so nothing is delivered twice, and the server keeps no
account of what is under way. It takes the server half the time of one with acknowledgements.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import compress
from typing import Any

import msgspec
import structlog
from nats.aio.subscription import Subscription

from lineshaft.backbone.bulk_client import BulkClient, Sink
from lineshaft.backbone.connection import ApiRefused, Connection
from lineshaft.backbone.faults import faults_mapped
from lineshaft.backbone.pull_requests import PullRequests
from lineshaft.core.errors import ConfigError, TransientFault
from lineshaft.core.ids import new_id
from lineshaft.core.ports import StreamPosition
from lineshaft.core.values import moment_of

__all__ = ["BulkFeed", "Taken"]

_log = structlog.get_logger(__name__)
_RETRY_S = 0.2
_FORGOTTEN_AFTER_S = 60
_MAX_BYTES = 16 * 2**20


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of equal length, never empty. waiting: what the stream had for us beyond the last of these."""

    subjects: list[bytes]
    payloads: list[bytes]
    stored_us: list[int]
    sequences: list[int]
    waiting: int


class BulkFeed:
    """Use from one task: `open`, then `wait` and `take` for ever, then `close`.

    last      of the last message taken: its sequence
    created   of the stream that it is counted in; with "/1", "/2"... after the stream lost its newest
              messages: it gives their numbers again
    last_us   of the last message: when it was stored, µs since 1970 UTC; 0: not known
    skipped   messages left out because of their headers
    """

    def __init__(
        self,
        connection: Connection,
        client: BulkClient,
        stream: str,
        *,
        filter_subjects: Sequence[str] = (),
        leave_out: Callable[[bytes], bool] | None = None,
        batch: int = 8192,
        max_wait_s: float = 0.004,
    ) -> None:
        """client: the one of `connection`; at most three batches or 48 MiB are held or on their way to us.

        filter_subjects   none: all of the stream; then a jump in the sequence is told in the log
        leave_out         by header lines, b"" for none
        max_wait_s        how long messages gather after the first
        """
        self.stream = stream
        self._connection = connection
        self._client = client
        self._filter = list(filter_subjects)
        self._leave_out = leave_out
        self._batch = batch
        self._max_wait_s = max_wait_s
        self._sink = Sink(self._more, self._ended)
        self._counted = 0
        self._first_at = 0.0
        self._delivered = 0
        self._consumer = ""
        self._requests = self._new_requests()
        self._subscription: Subscription | None = None
        self._forget: Callable[[], None] | None = None
        self.last = 0
        self.last_us = 0
        self.created = ""
        self.skipped = 0
        self._waiting = 0

    @property
    def caught_up(self) -> bool:
        """Nothing is here, and the stream had no more for us at the last delivery."""
        return not (self._sink.payloads or self._waiting or self._requests.gone)

    async def open(self, after: StreamPosition | None) -> None:
        """Waits for a server that is away.

        raises  ConfigError when the stream is missing or the server refuses the consumer
        """
        if after is not None:
            self.last, self.last_us, self.created = after.sequence, after.stored_us, after.created
        self._forget = self._connection.when_lost(self._lost)
        await self._reopen()

    async def close(self) -> None:
        if self._forget is not None:
            self._forget()
            self._forget = None
        with contextlib.suppress(TransientFault):
            await self._leave()

    async def wait(self) -> None:
        """Until messages are here, and have gathered for `max_wait_s` since the first of them came.

        raises  ConfigError when the consumer was lost and cannot be made again
        """
        loop = asyncio.get_running_loop()
        while not self._sink.payloads:
            if self._requests.gone:
                _log.warning(
                    "device messages are asked for anew", stream=self.stream, why=self._requests.gone
                )
                await self._reopen()
            elif not await self._requests.wait(0):
                self._requests.gone = "not even a heartbeat came"
        left_s = self._first_at + self._max_wait_s - loop.time()
        if left_s > 0:
            await asyncio.sleep(left_s)

    async def take(self) -> Taken | None:
        """What is here; None where that is nothing, or all of it is left out."""
        sink, count = self._sink, len(self._sink.payloads)
        if not count:
            return None
        subjects, payloads, heads, replies = sink.subjects, sink.payloads, sink.heads, sink.replies
        sink.empty()
        self._counted = 0
        # Of each: stream sequence, consumer sequence, time in ns, pending. What is before them is the same.
        prefix = replies[0].rsplit(b".", 4)[0]
        numbers = b"".join(replies).replace(prefix, b"")[1:].split(b".")
        if len(numbers) != 4 * count or int(numbers[-3]) != self._delivered + count:
            self._requests.gone = (
                f"{count} messages did not follow the {self._delivered} before: {replies[-1]!r}"
            )
            return None
        self._delivered += count
        await self._requests.ask(0)
        before, self.last = self.last, int(numbers[-4])
        missing = self.last - before - count
        if missing:
            sequences = list(map(int, numbers[0::4]))
            if not self._filter:
                _log.warning(
                    "the stream dropped messages before they were read; it is full or they were too old",
                    stream=self.stream,
                    messages=missing,
                    upto=self.last,
                )
        else:
            sequences = list(range(before + 1, self.last + 1))
        stored_us = [nanoseconds // 1000 for nanoseconds in map(int, numbers[2::4])]
        self.last_us = stored_us[-1]
        self._waiting = int(numbers[-1])
        if self._leave_out is not None:
            left_out = {head: self._leave_out(head) for head in set(heads)}
            if any(left_out.values()):
                wanted = [not left_out[head] for head in heads]
                subjects, payloads = list(compress(subjects, wanted)), list(compress(payloads, wanted))
                stored_us, sequences = list(compress(stored_us, wanted)), list(compress(sequences, wanted))
                self.skipped += count - len(sequences)
        if not sequences:
            return None
        return Taken(
            subjects=subjects,
            payloads=payloads,
            stored_us=stored_us,
            sequences=sequences,
            waiting=self._waiting,
        )

    def _new_requests(self) -> PullRequests:
        self._consumer = f"ls-feed-{new_id()[:8]}"
        return PullRequests(
            self._connection, self.stream, self._consumer, batch=self._batch, max_bytes=_MAX_BYTES
        )

    def _more(self) -> None:
        count = len(self._sink.payloads)
        if not self._counted:
            self._first_at = asyncio.get_running_loop().time()
        self._requests.delivered(count - self._counted)
        self._counted = count

    def _ended(self, headers: Mapping[str, str]) -> None:
        self._requests.ended(headers)

    def _lost(self) -> None:
        """What was on its way is gone. Messages that are here are taken before the feed is opened again."""
        self._requests.gone = "the connection was lost"
        self._requests.stirred.set()

    async def _reopen(self) -> None:
        while True:
            await self._connection.connected.wait()
            try:
                await self._leave()
                self._requests = self._new_requests()
                await self._begin()
                return
            except TransientFault as fault:
                _log.warning("device messages cannot be asked for yet", stream=self.stream, fault=str(fault))
                await asyncio.sleep(_RETRY_S)
            except ApiRefused as refused:
                raise ConfigError(
                    f"a consumer on {self.stream} cannot be made: {refused}",
                    hint="is the stream declared, and do its subjects include those asked for?",
                ) from refused

    async def _leave(self) -> None:
        if self._subscription is not None:
            subscription, self._subscription = self._subscription, None
            with faults_mapped(f"unsubscribe from {self.stream}"):
                await self._client.unsubscribe_in_bulk(subscription)
            if not self._connection.connected.is_set():
                return  # the server forgets it by itself
            with contextlib.suppress(ApiRefused):
                await self._connection.api(f"CONSUMER.DELETE.{self.stream}.{self._consumer}")

    async def _begin(self) -> None:
        info = await self._connection.api(f"STREAM.INFO.{self.stream}")
        created, state = str(info["created"]), info["state"]
        if self.created.partition("/")[0] != created:
            if self.created:
                _log.warning("the stream was made anew; it is read from its start", stream=self.stream)
                self.last, self.last_us = 0, 0
            self.created = created
        if not self.last:
            self.last = max(0, int(state["first_seq"]) - 1)
        config: dict[str, Any] = {
            "name": self._consumer,
            "ack_policy": "none",
            **await self._start(state),
            "replay_policy": "instant",
            "mem_storage": True,
            "inactive_threshold": _FORGOTTEN_AFTER_S * 10**9,
        }
        if self._filter:
            config["filter_subjects"] = self._filter
        self._delivered = 0
        self._requests.start_over()
        with faults_mapped(f"subscribe to {self.stream}"):
            self._subscription = await self._client.subscribe_in_bulk(f"{self._requests.inbox}.*", self._sink)
        consumer = await self._connection.api(
            f"CONSUMER.CREATE.{self.stream}.{self._consumer}",
            {"stream_name": self.stream, "config": config},
        )
        self._waiting = int(consumer["num_pending"])
        before = int(consumer["delivered"]["stream_seq"])  # nothing is delivered yet: where the server begins
        if before < self.last:
            _log.error("the stream lost its newest messages", stream=self.stream, messages=self.last - before)
            self.last = before
            made, _, times = self.created.partition("/")
            self.created = f"{made}/{int(times or 0) + 1}"

    async def _start(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Behind the number of the last message taken; where the stream lost it, and gives its number to
        another, behind its time."""
        if self.last_us and not await self._is_there(state):
            moment = moment_of(self.last_us + 1).isoformat(timespec="microseconds")
            return {"deliver_policy": "by_start_time", "opt_start_time": moment}
        return {"deliver_policy": "by_start_sequence", "opt_start_seq": min(self.last, state["last_seq"]) + 1}

    async def _is_there(self, state: Mapping[str, Any]) -> bool:
        """Whether the last message taken still bears its number, or was forgotten as it should be."""
        if self.last > state["last_seq"]:
            return False
        try:
            found = await self._connection.api(f"STREAM.MSG.GET.{self.stream}", {"seq": self.last})
        except ApiRefused:
            return True
        return datetime.fromisoformat(found["message"]["time"]) == moment_of(self.last_us)
