"""Read a stream again, from a time or a sequence, without touching anyone's place in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from lineshaft.backbone.connection import ApiRefused, Connection
from lineshaft.backbone.pull import Delivery, PullFeed, acknowledge
from lineshaft.core.clock import rfc3339
from lineshaft.core.errors import ConfigError
from lineshaft.core.ids import new_id

__all__ = ["replay"]


async def replay(
    connection: Connection,
    stream: str,
    *,
    since: datetime | None = None,
    from_sequence: int | None = None,
    filter_subjects: Sequence[str] = (),
) -> AsyncIterator[Delivery]:
    """What is in the stream now, in order, from `since` (UTC), `from_sequence` or the beginning; then ends.

    raises  ConfigError for an unknown stream
    """
    try:
        state = (await connection.api(f"STREAM.INFO.{stream}"))["state"]
    except ApiRefused as refused:
        raise ConfigError(
            f"stream {stream} cannot be replayed: {refused}", hint="is it declared?"
        ) from refused
    last = int(state["last_seq"])
    config: dict[str, Any] = {
        "durable_name": f"replay-{new_id()}",
        "ack_policy": "explicit",
        "ack_wait": 120 * 10**9,
        "inactive_threshold": 300 * 10**9,
        "mem_storage": True,
        "max_ack_pending": 2000,
    }
    if filter_subjects:
        config["filter_subjects"] = list(filter_subjects)
    if since is not None:
        config |= {"deliver_policy": "by_start_time", "opt_start_time": rfc3339(since)}
    elif from_sequence is not None:
        config |= {"deliver_policy": "by_start_sequence", "opt_start_seq": from_sequence}
    feed = PullFeed(connection, stream, config)
    await feed.open()
    try:
        info = await connection.api(f"CONSUMER.INFO.{stream}.{feed.durable}")
        left = int(info["num_pending"]) + int(info["num_ack_pending"])
        while left > 0:
            for delivery in await feed.take(500):
                left -= 1
                if delivery.sequence <= last:
                    yield delivery
                await acknowledge(connection, [delivery])
    finally:
        await feed.close()
        await connection.api(f"CONSUMER.DELETE.{stream}.{feed.durable}")
