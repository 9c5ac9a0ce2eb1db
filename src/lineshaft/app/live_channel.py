"""What telemetry takes in, told while it happens: one subject that is not stored."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

import msgspec
from nats.aio.msg import Msg

from lineshaft.backbone import Connection
from lineshaft.core.errors import TransientFault
from lineshaft.core.values import Quality, RawBatch
from lineshaft.telemetry import NO_TIME, QUALITIES, Live, TelemetryPipeline

__all__ = ["LiveMessage", "LivePoint", "LiveSpeaker", "live_messages", "live_now", "live_subject"]

_PACE_S = 0.25
_MOST_POINTS = 2000
_STUCK_S = 5.0
_LATE_MS = 1000.0  # of the last batch, once nothing waits any more


class LivePoint(msgspec.Struct, frozen=True, array_like=True):
    """The last reading of a tag. time: µs since 1970 UTC; value: in the tag's target unit, or None."""

    tag: str
    time: int
    value: float | None
    quality: Quality


class LiveMessage(msgspec.Struct, frozen=True, kw_only=True):
    """About four a second, and one each second when nothing changed.

    points       of tags that changed; a burst of more than 2,000 is spread over several
    waiting      messages that the streams still hold for us
    lag_ms       from storing to taking of the last batch
    messages, readings, …   counters since the process started
    problem      what a person has to put right, e.g. in the rules; empty without one
    """

    points: list[LivePoint] = msgspec.field(default_factory=list)
    waiting: int = 0
    lag_ms: float = 0.0
    counters: dict[str, int] = msgspec.field(default_factory=dict)
    problem: str = ""


_decoder = msgspec.msgpack.Decoder(LiveMessage)


def live_subject(plant: str) -> str:
    """A request to `<this>.all` is answered with all tags that have a value."""
    return f"ls.live.{plant}"


async def live_now(connection: Connection, plant: str, *, timeout_s: float = 2.0) -> LiveMessage:
    """All tags that have a value. raises  TransientFault when telemetry does not answer"""
    answer: asyncio.Future[LiveMessage] = asyncio.get_running_loop().create_future()

    async def take(message: Msg) -> None:
        if not answer.done():
            answer.set_result(_decoder.decode(message.data))

    inbox = connection.new_inbox()
    subscription = await connection.subscribe(inbox, take)
    try:
        await connection.publish(f"{live_subject(plant)}.all", reply=inbox)
        async with asyncio.timeout(timeout_s):
            return await answer
    except TimeoutError as error:
        raise TransientFault(
            f"telemetry of {plant!r} did not answer within {timeout_s:g} s", hint="see `lineshaft doctor`"
        ) from error
    finally:
        await connection.unsubscribe(subscription)


@asynccontextmanager
async def live_messages(connection: Connection, plant: str) -> AsyncIterator[AsyncIterator[LiveMessage]]:
    """Yields the messages from now on; a reader that is slow gets the newest 100."""
    queue: asyncio.Queue[LiveMessage] = asyncio.Queue(maxsize=100)

    async def take(message: Msg) -> None:
        if queue.full():
            queue.get_nowait()
        queue.put_nowait(_decoder.decode(message.data))

    async def each() -> AsyncIterator[LiveMessage]:
        while True:
            yield await queue.get()

    subscription = await connection.subscribe(live_subject(plant), take)
    try:
        yield each()
    finally:
        await connection.unsubscribe(subscription)


class LiveSpeaker:
    """The telemetry process's side.

    problem   told with each message until it is empty again; trouble: told where there is no problem
    """

    def __init__(self, connection: Connection, plant: str, pipeline: TelemetryPipeline) -> None:
        self._connection = connection
        self._subject = live_subject(plant)
        self._pipeline = pipeline
        self._waiting: dict[str, int] = {}
        self._lag_ms = 0.0
        self._changed: dict[int, None] = {}
        self.problem = ""
        self.trouble = ""

    def took(self, batch: RawBatch) -> None:
        self._waiting[batch.stream] = batch.waiting
        self._lag_ms = max(0.0, time.time() * 1000 - batch.stored_us[-1] / 1000)

    async def run(self) -> None:
        """Until cancelled."""
        subscription = await self._connection.subscribe(f"{self._subject}.all", self._answer)
        try:
            silent_s = 0.0
            while True:
                await asyncio.sleep(_PACE_S)
                silent_s += _PACE_S
                live = self._pipeline.rules.evaluation.live()
                self._changed.update(dict.fromkeys(live.changed.tolist()))
                if self._changed or silent_s >= 1:
                    silent_s = 0.0
                    told = list(self._changed)[:_MOST_POINTS]
                    message = self._message(live, told)
                    for index in told:
                        del self._changed[index]
                    try:
                        await self._connection.publish(self._subject, message)
                    except TransientFault:  # once more with the next one
                        self._changed.update(dict.fromkeys(told))
        finally:
            await self._connection.unsubscribe(subscription)

    def forget(self) -> None:
        """Tags are numbered anew."""
        self._changed = {}

    async def _answer(self, message: Msg) -> None:
        live = self._pipeline.rules.evaluation.live()
        self._changed.update(dict.fromkeys(live.changed.tolist()))
        with suppress(TransientFault):
            await self._connection.publish(message.reply, self._message(live, range(len(live.time))))

    def _message(self, live: Live, tags: Iterable[int]) -> bytes:
        pipeline, waiting = self._pipeline, sum(self._waiting.values())
        stuck_s = 0.0 if pipeline.busy_since is None else time.monotonic() - pipeline.busy_since
        stuck = f"one batch has been under way for {stuck_s:.0f} s" if stuck_s > _STUCK_S else ""
        names = pipeline.rules.names
        points = [
            LivePoint(
                names[index],
                int(live.time[index]),
                None if math.isnan(live.value[index]) else float(live.value[index]),
                QUALITIES[live.quality[index]],
            )
            for index in tags
            if live.time[index] != NO_TIME
        ]
        return msgspec.msgpack.encode(
            LiveMessage(
                points=points,
                waiting=waiting,
                lag_ms=self._lag_ms if waiting else min(self._lag_ms, _LATE_MS),
                counters=pipeline.counters(),
                problem=self.problem or stuck or self.trouble,
            )
        )
