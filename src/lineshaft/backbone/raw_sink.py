"""Puts the messages of sources that are no MQTT devices, each on its topic, into `LS_SOURCES`, on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lineshaft.backbone.connection import Connection
from lineshaft.backbone.events import NatsMessage
from lineshaft.backbone.publish_lane import Lane, Lot
from lineshaft.backbone.streams import SOURCES_PREFIX
from lineshaft.backbone.topics import topic_to_subject
from lineshaft.core.errors import PermanentFault, TransientFault
from lineshaft.core.ids import new_id

__all__ = ["RawSink"]

_HEADER_ROOM = 1024
_KNOWN_TOPICS = 100_000


class RawSink:
    """Implements core.ports.RawSink; to be used for as long as the connection lives. One for all sources:
    what several put at the same time goes to disk together."""

    def __init__(self, connection: Connection, *, deadline_s: float = 30.0) -> None:
        """deadline_s: for one `put`, resends included"""
        self._connection = connection
        self._deadline_s = deadline_s
        self._subjects: dict[str, str] = {}
        self._lane: Lane | None = None

    async def put(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """raises  ConfigError (an impossible topic) and PermanentFault (larger than a message may be) before
        anything is sent; TransientFault as the port says
        """
        if not messages:
            return
        lot = Lot(len(messages))
        name = new_id()
        entries = [
            (self._message(topic, payload, f"{name}-{index}"), lot)
            for index, (topic, payload) in enumerate(messages)
        ]
        if self._lane is None:
            self._lane = Lane(self._connection, atomic=True)
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._lane.enqueue(entries)
                await lot.done
        except TimeoutError:
            raise TransientFault(
                f"backbone: {lot.remaining} of {len(messages)} device messages, the first on "
                f"{messages[0][0]}, were not acknowledged within {self._deadline_s:g} s",
                hint="put them again; is the stream full, as telemetry takes nothing in, or the server down?",
            ) from None
        finally:
            lot.done.cancel()

    async def close(self) -> None:
        """Calls still waiting get TransientFault."""
        if self._lane is not None:
            lane, self._lane = self._lane, None
            await lane.close()

    def _message(self, topic: str, payload: bytes, message_id: str) -> NatsMessage:
        limit = self._connection.max_payload - _HEADER_ROOM
        if len(payload) > limit:
            raise PermanentFault(
                f"the message on {topic} has {len(payload)} bytes",
                code="message_too_large",
                hint=f"at most {limit}: send it in parts",
            )
        subject = self._subjects.get(topic) or self._subject(topic)
        return NatsMessage(subject=subject, headers={"Nats-Msg-Id": message_id}, data=payload)

    def _subject(self, topic: str) -> str:
        subject = SOURCES_PREFIX + topic_to_subject(topic)
        if len(self._subjects) >= _KNOWN_TOPICS:
            self._subjects.clear()
        self._subjects[topic] = subject
        return subject
