"""Lets the streams of device traffic forget what is done with, beside everything else.

`LS_SOURCES` is purged up to there: 2 µs for a message. In `$MQTT_msgs` others have messages too: there the
place of a durable is set, which is never asked for anything. That is CONSUMER.RESET, which takes the server
0.1 to 2 ms for a message, and nothing else that came by the same connection is worked on meanwhile: so this
has a connection of its own, and goes in small steps.
"""

from __future__ import annotations

import asyncio

import structlog

from lineshaft.backbone.bulk_feed import BulkFeed
from lineshaft.backbone.connection import ApiRefused, Connection
from lineshaft.backbone.streams import MQTT_MESSAGES, SOURCES
from lineshaft.core.errors import TransientFault
from lineshaft.core.ports import StreamPosition

__all__ = ["QOS1_DURABLE", "Forgetting"]

QOS1_DURABLE = "ls-ingest-qos1"

_log = structlog.get_logger(__name__)
_STEP = 200
_RETRY_S = 1.0


class Forgetting:
    """`note` what is done at any time; `run` in a task of its own sees to it."""

    def __init__(self, connection: Connection) -> None:
        """connection: for this alone"""
        self._connection = connection
        self._wanted: dict[str, tuple[BulkFeed, StreamPosition]] = {}
        self._reached: dict[str, tuple[str, int]] = {}
        self._stirred = asyncio.Event()

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
                    done = await self._step(feed, position)
                except (ApiRefused, TransientFault) as fault:
                    _log.warning(
                        "what is done cannot be forgotten yet; it is tried again",
                        stream=feed.stream,
                        upto=position.sequence,
                        fault=str(fault),
                    )
                    self._reached.pop(feed.stream, None)
                    await asyncio.sleep(_RETRY_S)
                    done = False
                if done and self._wanted[feed.stream][1] == position:
                    del self._wanted[feed.stream]
            if self._wanted:
                self._stirred.set()

    async def _step(self, feed: BulkFeed, position: StreamPosition) -> bool:
        """Whether that was the last step to there."""
        if position.created != feed.created:
            return True  # of a stream that is no more
        # A place beyond the end would let go what comes next.
        goal = min(position.sequence, feed.last)
        created, reached = self._reached.get(feed.stream, ("", 0))
        if created != feed.created:
            reached = await self._place(feed.stream)
        place = min(goal, reached + _STEP) if feed.stream == MQTT_MESSAGES else goal
        if place > reached:
            if feed.stream == MQTT_MESSAGES:
                operation = f"CONSUMER.RESET.{MQTT_MESSAGES}.{QOS1_DURABLE}"
            else:
                operation = f"STREAM.PURGE.{feed.stream}"
            await self._connection.api(operation, {"seq": place + 1})
            reached = place
        self._reached[feed.stream] = position.created, reached
        return reached >= goal

    async def _place(self, stream: str) -> int:
        """Up to where all is forgotten."""
        info = await self._connection.api(f"STREAM.INFO.{stream}")
        before_first = int(info["state"]["first_seq"]) - 1
        if stream == SOURCES:
            return before_first
        durable = await self._connection.api(f"CONSUMER.INFO.{stream}.{QOS1_DURABLE}")
        return max(before_first, int(durable["delivered"]["stream_seq"]))
