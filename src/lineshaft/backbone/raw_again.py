"""Puts a device message on its topic again, as if its device had sent it now."""

from __future__ import annotations

from lineshaft.backbone.connection import ApiRefused, Connection
from lineshaft.backbone.ingest import QOS0_DURABLE
from lineshaft.backbone.streams import RAW
from lineshaft.backbone.topics import topic_to_subject
from lineshaft.core.errors import TransientFault

__all__ = ["RawAgain"]


class RawAgain:
    """Implements core.ports.RawDestination."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def publish(self, topic: str, payload: bytes) -> str:
        sequence = await self._connection.store(topic_to_subject(topic), payload)
        return f"{RAW}:{sequence}"

    async def is_taken_in(self, position: str) -> bool:
        """Telemetry acknowledges a message when all that follows from it is on disk."""
        sequence = int(position.rpartition(":")[2])
        try:
            info = await self._connection.api(f"CONSUMER.INFO.{RAW}.{QOS0_DURABLE}")
        except ApiRefused as refused:
            raise TransientFault(
                f"{position}: nobody takes device messages in: {refused}",
                hint="run a node with a `telemetry` section",
            ) from refused
        return int(info["ack_floor"]["stream_seq"]) >= sequence
