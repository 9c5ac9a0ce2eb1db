"""One source that fails, beside another: which goes on, which begins anew, which is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import msgspec
from nats.aio.msg import Msg

from lineshaft.app.settings import TelemetrySettings
from lineshaft.app.sources import Source
from lineshaft.app.sources_channel import SourcesHealth, health_subject
from lineshaft.app.sources_child import run_sources
from lineshaft.backbone import Backbone
from lineshaft.core.errors import ConfigError, PermanentFault
from lineshaft.core.ports import Health, HealthState, RawSink
from lineshaft.telemetry import Tag
from tests.waiting import until


class Device:
    """Fails at its first run, where it is given an error; then it runs."""

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name = name
        self.made = 0
        self._error = error

    def declared(self) -> Source:
        return Source(self.name, "test", [f"test/{self.name}"], self._make)

    def _make(self, _tags: Iterable[Tag], _host: str) -> Device:
        self.made += 1
        return self

    async def run(self, sink: RawSink) -> None:
        await sink.put([(f"test/{self.name}", b"1")])
        if self._error and self.made == 1:
            raise self._error
        await asyncio.Event().wait()

    def health(self) -> Health:
        return Health(state=HealthState.ACTIVE)


async def test_a_source_that_fails_ends_no_other_and_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_text(
        "tag,topic,metric,property,equipment_id,physical_asset_id,unit\n"
        "filler-01.pressure,test/well,p,pressure,FILLER-01,FIL-01,BAR\n"
    )
    (tmp_path / "rules.yaml").write_text("rules: []\n")
    well = Device("well")
    buggy = Device("buggy", ExceptionGroup("of a library", [AttributeError("no such node")]))
    refused = Device("refused", PermanentFault("the certificate is refused"))
    wrong = Device("wrong", ConfigError("node id ns=9 is of no namespace"))
    devices = [well, buggy, refused, wrong]
    backbone = await Backbone.start(
        None, tmp_path / "nats", topic_filters=["test/#"], with_sources=True, mqtt_port=0
    )
    heard = SourcesHealth()
    stop = asyncio.Event()
    told: dict[str, set[str]] = {device.name: set() for device in devices}

    async def note(message: Msg) -> None:
        for name, health in msgspec.json.decode(message.data, type=dict[str, Health]).items():
            told[name].add(f"{health.state} {health.detail}")

    async def run_again() -> bool:
        states = [(await heard.of(device.name)).state for device in (buggy, refused)]
        return buggy.made == refused.made == 2 and states == [HealthState.ACTIVE] * 2

    try:
        following = asyncio.create_task(heard.follow(backbone.connection, "north"))
        await backbone.connection.subscribe(health_subject("north"), note)
        settings = TelemetrySettings(tags="tags.csv", rules="rules.yaml")
        declared = [device.declared() for device in devices]
        running = asyncio.create_task(run_sources(settings, tmp_path, declared, backbone, "north", stop))
        await until(run_again)
        stop.set()
        await running
        following.cancel()
    finally:
        await backbone.stop()
    again = "it starts again in 5 s"
    assert f"stopped AttributeError: no such node; {again}" in told["buggy"]
    assert f"stopped the certificate is refused; {again}" in told["refused"]
    assert "stopped node id ns=9 is of no namespace" in told["wrong"]
    assert [device.made for device in devices] == [1, 2, 2, 1]
