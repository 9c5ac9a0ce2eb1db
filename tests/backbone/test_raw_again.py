"""A device message that is put on its topic again comes to telemetry as any other, whatever its topic."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lineshaft.backbone import Backbone, RawAgain
from lineshaft.core.errors import ConfigError, TransientFault
from lineshaft.core.ports import StreamPosition
from lineshaft.core.values import RawBatch, RawReading
from tests.waiting import until


async def test_it_is_taken_in_when_telemetry_has_dealt_with_it(backbone: Backbone) -> None:
    again, source = RawAgain(backbone.connection), backbone.raw_source()
    taken: list[RawReading] = []
    place: dict[str, StreamPosition] = {}

    async def handle(batch: RawBatch) -> None:
        place[batch.stream] = StreamPosition(batch.sequences[-1], batch.created)
        taken.extend(batch.reading(index) for index in range(len(batch)))

    run = asyncio.create_task(source.run(handle, {}))
    position = await again.publish("opcua/x.y/pressure", b'{"value": 1}')
    await until(lambda: bool(taken))
    assert [(raw.topic, raw.payload, raw.position) for raw in taken] == [
        ("opcua/x.y/pressure", b'{"value": 1}', position)
    ]
    assert not await again.is_taken_in(position)
    await source.done(place)
    async with asyncio.timeout(60):
        while not await again.is_taken_in(position):  # noqa: ASYNC110 - the server's
            await asyncio.sleep(0.01)
    assert not await again.is_taken_in(await again.publish("opcua/x.y/pressure", b"{}"))
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


async def test_a_topic_that_nobody_can_publish_is_refused(backbone: Backbone) -> None:
    with pytest.raises(ConfigError, match="no spaces"):
        await RawAgain(backbone.connection).publish("plant/a b", b"x")


async def test_where_no_device_values_are_taken_in_it_is_refused(tmp_path: Path) -> None:
    backbone = await Backbone.start(None, tmp_path / "data", mqtt_port=0)
    again = RawAgain(backbone.connection)
    with pytest.raises(TransientFault, match="nobody answers"):
        await again.publish("plant/x", b"x")
    with pytest.raises(TransientFault, match="nobody takes device messages in"):
        await again.is_taken_in("LS_SOURCES:1")
    await backbone.stop()
