"""What sources put is read once and in order, whatever its topic; put returned: it is on disk."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from pathlib import Path

import pytest

from lineshaft.backbone import Backbone, RawSink
from lineshaft.core.errors import ConfigError, PermanentFault, TransientFault
from lineshaft.core.ports import StreamPosition
from lineshaft.core.values import RawBatch
from tests import waiting

from .conftest import kill_server, message_count, until

STREAM = "LS_SOURCES"


async def read(backbone: Backbone, count: int) -> list[tuple[str, bytes]]:
    """And done with."""
    found: list[tuple[str, bytes]] = []
    places: dict[str, StreamPosition] = {}

    async def handle(batch: RawBatch) -> None:
        places[batch.stream] = StreamPosition(batch.sequences[-1], batch.created)
        found.extend(zip(batch.topics, batch.payloads, strict=True))

    source = backbone.raw_source()
    run = asyncio.create_task(source.run(handle, {}))
    await until(lambda: len(found) >= count or run.done())

    async def all_forgotten() -> bool:
        """Also what was stored after its putter had given up."""
        await source.done(dict(places))
        return not await message_count(backbone, STREAM)

    await waiting.until(all_forgotten, 60)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    return found


async def test_what_is_put_is_read_in_order_and_then_forgotten(backbone: Backbone) -> None:
    topics = ["plant/x.y", "elsewhere//z", "ls/raw/$MQTT", "$MQTT/msgs/plant"]
    messages = [(topics[number % 4], b"%d" % number) for number in range(2500)]
    await asyncio.gather(backbone.raw_sink().put(messages), backbone.raw_sink().put([]))
    assert await message_count(backbone, STREAM) == 2500
    assert await message_count(backbone, "LS_RAW") == 0
    assert await read(backbone, 2500) == messages
    assert await message_count(backbone, STREAM) == 0


async def test_sources_need_no_devices_beside_them(tmp_path: Path) -> None:
    backbone = await Backbone.start(None, tmp_path / "data", with_sources=True, mqtt_port=0)
    await backbone.raw_sink().put([("opcua/line1", b"1")])
    assert await read(backbone, 1) == [("opcua/line1", b"1")]
    await backbone.stop()


async def put_over_kills(backbone: Backbone, size: int) -> list[bytes]:
    """By four putters, over four kills of the server; what put returned for."""
    returned: list[bytes] = []
    server = backbone.server
    assert server is not None

    async def put(putter: int) -> None:
        number, last = 0, False
        while not last:
            last = server.restarts == 4
            payloads = [b"%d-%d-%d" % (putter, number, each) for each in range(size)]
            await backbone.raw_sink().put([(f"plant/{putter}", payload) for payload in payloads])
            returned.extend(payloads)
            number += 1

    putting = asyncio.gather(*map(put, range(4)))
    for restarts in range(1, 5):
        enough = len(returned) + 10 * size
        await until(lambda: len(returned) > enough or putting.done())  # noqa: B023
        kill_server(backbone)
        await until(lambda: server.restarts == restarts)  # noqa: B023
    await putting
    return returned


@pytest.mark.parametrize("size", [1, 20, 300])
async def test_kills_of_the_server_lose_and_double_nothing_that_was_put(
    backbone: Backbone, size: int
) -> None:
    returned = await put_over_kills(backbone, size)
    assert Counter([each.data async for each in backbone.replay(STREAM)]) == Counter(returned)


async def test_kills_of_the_server_lose_nothing_while_it_is_read_and_forgotten(backbone: Backbone) -> None:
    """What was forgotten before its answer came is not known to be there, and stored again."""
    found: list[bytes] = []
    places: dict[str, StreamPosition] = {}
    source = backbone.raw_source()

    async def handle(batch: RawBatch) -> None:
        found.extend(batch.payloads)
        places[batch.stream] = StreamPosition(batch.sequences[-1], batch.created, batch.stored_us[-1])

    async def forget() -> None:
        while True:
            with contextlib.suppress(TransientFault):
                await source.done(dict(places))
            await asyncio.sleep(0.01)

    tasks = [asyncio.create_task(source.run(handle, {})), asyncio.create_task(forget())]
    returned = set(await put_over_kills(backbone, 50))
    await until(lambda: returned <= set(found))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(found) - len(returned) <= 4 * 4 * 50


async def test_a_connection_lost_meanwhile_loses_and_doubles_nothing(backbone: Backbone) -> None:
    async def partly_stored() -> bool:
        return await message_count(backbone, STREAM) > 1

    putting = asyncio.create_task(backbone.raw_sink().put([("plant/a", b"%d" % n) for n in range(20_000)]))
    await waiting.until(partly_stored)
    transport = backbone.connection._client._transport
    assert transport is not None
    transport.close()
    await putting
    assert backbone.connection.reconnects == 1
    found = [payload for _, payload in await read(backbone, 20_000)]
    assert found == [b"%d" % number for number in range(20_000)]


async def test_what_is_impossible_is_refused_before_anything_is_sent(backbone: Backbone) -> None:
    sink = backbone.raw_sink()
    with pytest.raises(ConfigError, match="no spaces"):
        await sink.put([("plant/a", b"1"), ("plant/a b", b"1")])
    with pytest.raises(PermanentFault, match="plant/a has"):
        await sink.put([("plant/a", bytes(9 * 2**20))])
    assert await message_count(backbone, STREAM) == 0


@pytest.mark.parametrize("size", [20, 200])
async def test_a_full_stream_takes_nothing_until_there_is_room(tmp_path: Path, size: int) -> None:
    backbone = await Backbone.start(
        None, tmp_path / "data", topic_filters=["plant/#"], mqtt_port=0, storage_bytes=4 * 2**20
    )
    sink: RawSink = backbone.raw_sink()
    impatient = RawSink(backbone.connection, deadline_s=2)
    returned: list[bytes] = []
    messages: list[tuple[str, bytes]] = []

    async def fill() -> None:
        nonlocal sink
        while True:
            messages[:] = [("plant/a", b"%d" % (len(returned) + n) + bytes(1000)) for n in range(size)]
            await sink.put(messages)
            returned.extend(payload for _, payload in messages)
            sink = impatient  # some are in the stream

    with pytest.raises(TransientFault, match=f"of {size} device messages, the first on plant/a"):
        await fill()
    found = [payload for _, payload in await read(backbone, len(returned))]
    assert returned
    assert found[: len(returned)] == returned
    await backbone.raw_sink().put(messages)
    await impatient.close()
    await backbone.stop()


async def test_a_stream_that_is_not_there_takes_nothing(backbone: Backbone) -> None:
    await backbone.connection.api(f"STREAM.DELETE.{STREAM}")
    sink = RawSink(backbone.connection, deadline_s=0.2)
    with pytest.raises(TransientFault, match="2 of 2 device messages, the first on plant/a"):
        await sink.put([("plant/a", b"1"), ("plant/b", b"2")])
    await sink.close()
