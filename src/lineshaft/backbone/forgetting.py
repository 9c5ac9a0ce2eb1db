"""Lets the streams of device traffic forget what is done with, beside everything else.

`LS_SOURCES` is purged up to there: 2 µs for a message. In `$MQTT_msgs` others have messages too: there a
durable of ours has the messages delivered without payload and acknowledges all up to one, 0.15 to 0.25 ms
for a message, nearly all of it the disk. Acknowledging each alone takes ten times as long; so does setting
the place of the durable (CONSUMER.RESET), a search through all topics for each message, which also holds up
whatever else came by that connection.
"""

from __future__ import annotations

import asyncio

import structlog
from nats.aio.msg import Msg

from lineshaft.backbone.bulk_feed import BulkFeed
from lineshaft.backbone.connection import ApiRefused, Connection
from lineshaft.backbone.pull import Delivery
from lineshaft.backbone.streams import MQTT_MESSAGES, SOURCES
from lineshaft.core.errors import TransientFault
from lineshaft.core.ports import StreamPosition

__all__ = ["QOS1_DURABLE", "Forgetting"]

QOS1_DURABLE = "ls-ingest-done"

_log = structlog.get_logger(__name__)
_STEP = 200
_RETRY_S = 1.0
_ANSWER_S = 5.0


class Forgetting:
    """`note` what is done at any time; `run` in a task of its own sees to it."""

    def __init__(self, connection: Connection) -> None:
        """connection: for this alone"""
        self._connection = connection
        self._wanted: dict[str, tuple[BulkFeed, StreamPosition]] = {}
        self._stirred = asyncio.Event()
        self._held: list[Delivery] = []

    def note(self, feed: BulkFeed, position: StreamPosition) -> None:
        """The newest counts. Streams that forget by themselves are left alone."""
        if feed.stream in (MQTT_MESSAGES, SOURCES):
            self._wanted[feed.stream] = feed, position
            self._stirred.set()

    async def run(self) -> None:
        """Until cancelled; what the server does not do now is tried again."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            for feed, position in list(self._wanted.values()):
                try:
                    last_step = await self._step(feed, position)
                except (ApiRefused, TransientFault) as fault:
                    _log.warning(
                        "what is done cannot be forgotten yet; it is tried again",
                        stream=feed.stream,
                        upto=position.sequence,
                        fault=str(fault),
                    )
                    await asyncio.sleep(_RETRY_S)
                    last_step = False
                if last_step and self._wanted[feed.stream][1] == position:
                    del self._wanted[feed.stream]
            if self._wanted:
                self._stirred.set()

    async def _step(self, feed: BulkFeed, position: StreamPosition) -> bool:
        """Whether nothing is left to do up to there."""
        if position.created != feed.created:
            return True  # of a stream that is no more
        # What is beyond the end would let go what comes next.
        upto = min(position.sequence, feed.last)
        if feed.stream == MQTT_MESSAGES:
            return await self._acknowledge(upto)
        await self._connection.api(f"STREAM.PURGE.{feed.stream}", {"seq": upto + 1})
        return True

    async def _acknowledge(self, upto: int) -> bool:
        """What is delivered beyond is held until it is done; should we end before, it is delivered again."""
        answers: asyncio.Queue[Msg] = asyncio.Queue()
        inbox = self._connection.new_inbox()
        subscription = await self._connection.subscribe(inbox, answers.put)
        try:
            async with asyncio.timeout(_ANSWER_S):
                no_more = not self._held and await self._deliver(inbox, answers)
                ready = [each for each in self._held if each.sequence <= upto]
                if ready:
                    newest = max(ready, key=lambda each: each.sequence)
                    await self._connection.publish(newest.ack_subject, b"+ACK", reply=inbox)
                    await answers.get()
                self._held = [each for each in self._held if each.sequence > upto]
        except TimeoutError as error:
            self._held = []
            raise TransientFault(
                f"{MQTT_MESSAGES}: the server did not answer within {_ANSWER_S:g} s",
                hint="it is asked again",
            ) from error
        finally:
            await self._connection.unsubscribe(subscription)
        return no_more or bool(self._held)

    async def _deliver(self, inbox: str, answers: asyncio.Queue[Msg]) -> bool:
        """Hold what comes next; whether that was all there is."""
        await self._connection.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{MQTT_MESSAGES}.{QOS1_DURABLE}",
            b'{"batch":%d,"no_wait":true}' % _STEP,
            reply=inbox,
        )
        while len(self._held) < _STEP:
            answer = await answers.get()
            if not answer.reply.startswith("$JS.ACK."):
                return True
            self._held.append(Delivery(answer))
        return False
