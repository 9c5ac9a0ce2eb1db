"""The source against a real Modbus server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from modbus_facts import HOLDING, Plc, Sink, running
from pymodbus.constants import ExcCodes

from lineshaft.connectors.modbus import ModbusOptions, make_modbus
from lineshaft.connectors.modbus.blocks import Block
from lineshaft.connectors.modbus.device import Device
from lineshaft.connectors.modbus.source import ModbusSource
from lineshaft.core.ports import HealthState
from tests.waiting import PATIENCE_S, until

MAP = """\
groups: {fast: {every_ms: 20}, slow: {every_ms: 60000}}
registers:
  - {name: pressure, address: 0, type: float32, group: fast}
  - {name: count, address: 2, type: uint32, group: fast}
  - {name: temperature, address: 5, type: int16, scale: 0.1, group: fast}
  - {name: far, address: 150, type: uint16, group: fast}
  - {name: running, kind: coil, address: 2, group: slow}
  - {name: closed, kind: discrete, address: 3, group: slow}
  - {name: input, kind: input, address: 9, type: uint16, group: slow}
"""


def source_of(folder: Path, plc: Plc, *metrics: str, text: str = MAP, **more: object) -> ModbusSource:
    (folder / "press.yaml").write_text(text, encoding="utf-8")
    given = {
        "host": "127.0.0.1",
        "port": plc.port,
        "map": "press.yaml",
        "gather_ms": 0,
        "retry_s": 0.5,
        "timeout_s": PATIENCE_S,
        **more,
    }
    return make_modbus("press", ModbusOptions(**given), metrics, folder)  # type: ignore[arg-type]


async def test_values_of_every_kind_come_with_few_requests(tmp_path: Path) -> None:
    async with Plc().serving() as plc:
        plc.registers[:6] = [0x4145, 0x70A4, 1, 2, 0, 215]
        plc.registers[150] = 77
        metrics = ["pressure", "count", "temperature", "far", "running", "closed", "input"]
        source, sink = source_of(tmp_path, plc, *metrics), Sink()
        async with running(source, sink):
            await until(lambda: all(sink.of(metric) for metric in metrics))
            health = source.health()
    (value, quality) = sink.of("pressure")[0]
    assert (round(value or 0, 4), quality) == (12.34, "good")
    assert sink.of("count")[0] == (65538, "good")
    assert sink.of("temperature")[0] == (21.5, "good")
    assert sink.of("far")[0] == (77, "good")
    assert [sink.of(metric) for metric in metrics[4:]] == [[(1, "good")], [(0, "good")], [(0, "good")]]
    assert {topic for topic, _ in sink.messages} == {"modbus/press"}
    assert {each for each in plc.asked if each[0] == HOLDING} == {(HOLDING, 0, 6), (HOLDING, 150, 1)}
    assert health.state is HealthState.ACTIVE


async def test_only_what_the_tag_list_asks_for_is_read(tmp_path: Path) -> None:
    async with Plc().serving() as plc:
        source, sink = source_of(tmp_path, plc, "count"), Sink()
        async with running(source, sink):
            await until(lambda: len(sink.of("count")) > 2)
    assert set(plc.asked) == {(HOLDING, 2, 2)}


async def test_a_refused_register_is_found_and_harms_no_neighbour(tmp_path: Path) -> None:
    async with Plc().serving() as plc:
        plc.refused = {5}
        plc.registers[3] = 9
        metrics = ["pressure", "count", "temperature"]
        source, sink = source_of(tmp_path, plc, *metrics), Sink()
        async with running(source, sink):
            await until(lambda: len(sink.of("count")) > 3)
            plc.asked.clear()
            await until(lambda: len(plc.asked) > 4)
            health = source.health()
    assert set(sink.of("pressure")) == {(0, "good")}
    assert set(sink.of("count")) == {(9, "good")}
    assert sink.of("temperature") == [(None, "bad")]
    assert {count for _, first, count in plc.asked} == {2}
    assert health.state is HealthState.DEGRADED
    assert "holding 5 to 5 of unit 1: illegal data address (2)" in health.detail


async def test_a_poll_that_is_cancelled_as_its_answer_comes_ends(tmp_path: Path) -> None:
    async with Plc().serving() as plc:
        options = ModbusOptions(host="127.0.0.1", port=plc.port, map="press.yaml", timeout_s=PATIENCE_S)
        device = Device(options)
        await device.connect()
        assert device._client is not None
        plc.mute.clear()
        polling = asyncio.create_task(
            device.read(Block(unit=1, kind="holding", first=0, count=1, registers=()))
        )
        await until(lambda: bool(plc.asked))
        device._client.ctx.response_future.add_done_callback(lambda _: polling.cancel())
        plc.mute.set()
        with pytest.raises(asyncio.CancelledError):
            await polling
        device.close()


async def test_a_busy_device_is_asked_again_as_before(tmp_path: Path) -> None:
    async with Plc().serving() as plc:
        plc.refused, plc.code = {0}, ExcCodes.DEVICE_BUSY
        source, sink = source_of(tmp_path, plc, "pressure", "count"), Sink()
        async with running(source, sink):
            await until(lambda: sink.of("count") == [(None, "bad")])
            plc.refused = set()
            await until(lambda: sink.of("count")[1:2] == [(0, "good")])
            assert source.health().state is HealthState.ACTIVE
    assert {each[1:] for each in plc.asked} == {(0, 4)}


async def test_a_unit_behind_a_gateway_that_is_gone_is_stale(tmp_path: Path) -> None:
    async with Plc().serving() as plc:
        plc.refused, plc.code = {150}, ExcCodes.GATEWAY_NO_RESPONSE
        source, sink = source_of(tmp_path, plc, "count", "far", attempts=1), Sink()
        async with running(source, sink):
            await until(lambda: len(sink.of("count")) > 3)
    assert sink.of("far") == [(None, "stale")]
    assert set(sink.of("count")) == {(0, "good")}


async def test_a_device_that_goes_is_stale_once_and_taken_up_again(tmp_path: Path) -> None:
    plc = Plc()
    async with plc.serving():
        source, sink = source_of(tmp_path, plc, "count"), Sink()
        task = asyncio.create_task(source.run(sink))
        await until(lambda: bool(sink.of("count")))
    await until(lambda: sink.of("count")[-1] == (None, "stale"))
    before = len(sink.of("count"))
    assert source.health().state is HealthState.DEGRADED
    async with plc.serving():
        await until(lambda: len(sink.of("count")) > before)
        assert sink.of("count")[before] == (0, "good")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [quality for _, quality in sink.of("count")].count("stale") == 1


async def test_a_device_that_does_not_answer_is_stale(tmp_path: Path) -> None:
    async with Plc().serving() as plc:
        source, sink = source_of(tmp_path, plc, "count", timeout_s=0.1), Sink()
        async with running(source, sink):
            await until(lambda: sink.of("count")[-1:] == [(0, "good")])
            plc.mute.clear()
            await until(lambda: sink.of("count")[-1] == (None, "stale"))
            await until(lambda: "no answer within 0.1 s" in source.health().detail)


async def test_a_slow_device_is_polled_as_it_can_and_what_is_skipped_is_counted(tmp_path: Path) -> None:
    async with Plc().serving() as plc:
        plc.slow_s = 0.05
        source, sink = source_of(tmp_path, plc, "count"), Sink()
        async with running(source, sink):
            await until(lambda: len(sink.of("count")) >= 3)
            skipped, asked = source.skipped, len(plc.asked)
            assert skipped >= 4
            assert asked <= len(sink.of("count")) + 1


async def test_a_device_that_was_never_there_is_stale(tmp_path: Path) -> None:
    plc = Plc()
    plc.port = 1
    source, sink = source_of(tmp_path, plc, "count"), Sink()
    async with running(source, sink):
        await until(lambda: sink.of("count") == [(None, "stale")])
        assert "cannot be reached" in source.health().detail


async def test_look_reads_once(tmp_path: Path) -> None:
    async with Plc().serving() as plc:
        assert (await source_of(tmp_path, plc, "count", "far").look()).state is HealthState.ACTIVE
        assert {each[1:] for each in plc.asked} == {(2, 2), (150, 1)}
        plc.refused = {150}
        assert (await source_of(tmp_path, plc, "count", "far").look()).state is HealthState.DEGRADED
    assert (await source_of(tmp_path, plc, "count").look()).state is HealthState.STOPPED
