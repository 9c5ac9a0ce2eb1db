"""How full each stream is, and how far its durable consumers are behind."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineshaft.backbone.connection import ApiRefused, Connection

__all__ = ["ConsumerState", "StreamState", "stream_states"]


class ConsumerState(msgspec.Struct, frozen=True, kw_only=True):
    """pending: not delivered yet; unacknowledged: delivered, not done with; redelivered: of these, again."""

    durable: str
    pending: int
    unacknowledged: int
    redelivered: int


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """most_bytes: at which it refuses, or forgets the oldest"""

    stream: str
    messages: int
    bytes: int
    most_bytes: int = 0
    consumers: Sequence[ConsumerState] = ()


async def stream_states(
    connection: Connection, names: Sequence[str], consumed: Sequence[str]
) -> list[StreamState]:
    """Of those that the server has. consumed: whose consumers are asked for, at most 256 of each.

    raises  TransientFault when the server does not answer
    """
    found = []
    for name in names:
        try:
            answer = await connection.api(f"STREAM.INFO.{name}")
            state, most_bytes = answer["state"], max(answer["config"].get("max_bytes", 0), 0)
            consumers = await _consumers(connection, name) if name in consumed else []
        except ApiRefused:  # there is no such stream here
            continue
        found.append(
            StreamState(
                stream=name,
                messages=state["messages"],
                bytes=state["bytes"],
                most_bytes=most_bytes,
                consumers=consumers,
            )
        )
    return found


async def _consumers(connection: Connection, stream: str) -> list[ConsumerState]:
    answer = await connection.api(f"CONSUMER.LIST.{stream}")
    return [
        ConsumerState(
            durable=each["config"]["durable_name"],
            pending=each["num_pending"],
            unacknowledged=each["num_ack_pending"],
            redelivered=each["num_redelivered"],
        )
        for each in answer.get("consumers") or ()
        if each["config"].get("durable_name")
    ]
