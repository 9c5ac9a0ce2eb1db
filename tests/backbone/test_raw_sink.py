"""What other sources put is where the devices' messages are, once and in order."""

from __future__ import annotations

import asyncio

import pytest

from lineshaft.backbone import Backbone, RawSink
from lineshaft.core.errors import ConfigError, PermanentFault, TransientFault
from lineshaft.core.values import RawBatch
from tests import waiting

from .conftest import message_count, until


async def read(backbone: Backbone, count: int) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []

    async def handle(batch: RawBatch) -> None:
        found.extend(zip(batch.topics, batch.payloads, strict=True))

    run = asyncio.create_task(backbone.raw_source().run(handle, {}))
    await until(lambda: len(found) >= count)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    return found


async def test_what_is_put_is_read_in_order(backbone: Backbone) -> None:
    sink = backbone.raw_sink()
    messages = [(f"plant/x.y/{number % 3}", b"%d" % number) for number in range(2500)]
    await asyncio.gather(sink.put(messages), sink.put([]))
    assert await message_count(backbone, "LS_RAW") == 2500
    assert await read(backbone, 2500) == messages


async def test_a_connection_lost_meanwhile_loses_and_doubles_nothing(backbone: Backbone) -> None:
    async def partly_stored() -> bool:
        return await message_count(backbone, "LS_RAW") > 1

    putting = asyncio.create_task(backbone.raw_sink().put([("plant/a", b"%d" % n) for n in range(20_000)]))
    await waiting.until(partly_stored)
    transport = backbone.connection._client._transport
    assert transport is not None
    transport.close()
    await putting
    assert backbone.connection.reconnects == 1
    found = [payload for _, payload in await read(backbone, 20_000)]
    assert found == [b"%d" % number for number in range(20_000)]


async def test_a_topic_that_is_not_taken_in_is_refused_before_anything_is_sent(backbone: Backbone) -> None:
    sink = backbone.raw_sink()
    with pytest.raises(ConfigError, match="elsewhere/x"):
        await sink.put([("plant/a", b"1"), ("elsewhere/x", b"2")])
    with pytest.raises(ConfigError, match="no spaces"):
        await sink.put([("plant/a b", b"1")])
    with pytest.raises(PermanentFault, match="plant/a has"):
        await sink.put([("plant/a", bytes(9 * 2**20))])
    assert await message_count(backbone, "LS_RAW") == 0


async def test_a_stream_that_takes_nothing_is_told(backbone: Backbone) -> None:
    await backbone.connection.api("STREAM.DELETE.LS_RAW")
    sink = RawSink(backbone.connection, ["plant/#"], deadline_s=0.2)
    with pytest.raises(TransientFault, match="2 of 2 device messages, the first on plant/a"):
        await sink.put([("plant/a", b"1"), ("plant/b", b"2")])
    await sink.close()
