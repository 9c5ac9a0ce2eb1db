"""Read a stream again, from a time or a sequence, without touching anyone's place in it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from lineshaft.backbone.connection import ApiRefused, Connection
from lineshaft.backbone.pull import Delivery, PullFeed, acknowledge
from lineshaft.core.clock import rfc3339
from lineshaft.core.errors import ConfigError, TransientFault
from lineshaft.core.ids import new_id

__all__ = ["replay"]

_PATIENCE_S = 30.0  # with a server that is starting again


async def replay(
    connection: Connection,
    stream: str,
    *,
    since: datetime | None = None,
    from_sequence: int | None = None,
    filter_subjects: Sequence[str] = (),
) -> AsyncIterator[Delivery]:
    """What is in the stream now, in order, from `since` (UTC), `from_sequence` or the beginning; then ends.

    Each message once, also where the server dies in between: it goes on when the server is back.

    raises  ConfigError for an unknown stream, TransientFault where no server answers at the beginning
    """
    try:
        state = (await connection.api(f"STREAM.INFO.{stream}", timeout_s=_PATIENCE_S))["state"]
    except ApiRefused as refused:
        raise ConfigError(
            f"stream {stream} cannot be replayed: {refused}", hint="is it declared?"
        ) from refused
    last, position = int(state["last_seq"]), 0
    config: dict[str, Any] = {
        "ack_policy": "explicit",
        "ack_wait": 30 * 10**9,
        "inactive_threshold": 300 * 10**9,
        "mem_storage": True,
        "max_ack_pending": 2000,
        **({"filter_subjects": list(filter_subjects)} if filter_subjects else {}),
    }
    begin: dict[str, Any] = {"deliver_policy": "all"}
    if since is not None:
        begin = {"deliver_policy": "by_start_time", "opt_start_time": rfc3339(since)}
    elif from_sequence is not None:
        begin = _behind(from_sequence - 1)
    while position < last:
        feed = PullFeed(connection, stream, {**config, **begin, "durable_name": f"replay-{new_id()}"})
        await feed.open()
        try:
            if await _is_read(connection, feed):
                return
            turn, is_whole = 0, True
            while is_whole and position < last:
                for delivery in await feed.take(500):
                    turn += 1
                    is_whole = delivery.turn == turn
                    if not is_whole:
                        break
                    if position < delivery.sequence <= last:
                        yield delivery
                    position = last if delivery.pending == 0 else max(position, delivery.sequence)
                    await acknowledge(connection, [delivery])
        finally:
            await feed.close()
            if connection.connected.is_set():  # else the server forgets it by itself
                with contextlib.suppress(ApiRefused, TransientFault):
                    await connection.api(f"CONSUMER.DELETE.{stream}.{feed.durable}")
        begin = _behind(position) if position else begin


def _behind(sequence: int) -> dict[str, Any]:
    return {"deliver_policy": "by_start_sequence", "opt_start_seq": sequence + 1}


async def _is_read(connection: Connection, feed: PullFeed) -> bool:
    """Whether there is nothing for its consumer; one that died with its server says so when it is back."""
    try:
        info = await connection.api(f"CONSUMER.INFO.{feed.stream}.{feed.durable}", timeout_s=_PATIENCE_S)
    except ApiRefused:
        return False
    return int(info["num_pending"]) + int(info["num_ack_pending"]) == 0
