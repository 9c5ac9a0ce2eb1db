"""Puts a device message on its topic again: into the stream of what sources put, so that any topic can be."""

from __future__ import annotations

from lineshaft.backbone.connection import ApiRefused, Connection
from lineshaft.backbone.streams import SOURCES, SOURCES_PREFIX
from lineshaft.backbone.topics import topic_to_subject
from lineshaft.core.errors import TransientFault

__all__ = ["RawAgain"]


class RawAgain:
    """Implements core.ports.RawDestination."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def publish(self, topic: str, payload: bytes) -> str:
        sequence = await self._connection.store(SOURCES_PREFIX + topic_to_subject(topic), payload)
        return f"{SOURCES}:{sequence}"

    async def is_taken_in(self, position: str) -> bool:
        """Telemetry lets the stream forget a message when all that follows from it is on disk."""
        stream, _, sequence = position.rpartition(":")
        try:
            info = await self._connection.api(f"STREAM.INFO.{stream}")
        except ApiRefused as refused:
            raise TransientFault(
                f"{position}: nobody takes device messages in: {refused}",
                hint="run a node with a `telemetry` section",
            ) from refused
        return int(info["state"]["first_seq"]) > int(sequence)
