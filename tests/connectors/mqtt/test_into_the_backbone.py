"""From a broker into the stream of what sources put, with nothing in between played."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from lineshaft.backbone import SOURCES, Backbone
from lineshaft.connectors.mqtt import MqttSource

from .conftest import Mosquitto, acknowledged, device, options, running, until


async def test_kill_9_of_the_backbones_server_loses_nothing(mosquitto: Mosquitto, tmp_path: Path) -> None:
    await mosquitto.start()
    given = options(mosquitto.url, prefix="hall2")
    backbone = await Backbone.start(None, tmp_path / "nats", with_sources=True, mqtt_port=0)
    try:
        source = MqttSource(given)
        async with running(source, backbone.raw_sink()):
            with device(mosquitto.url) as sender:
                sent = []
                for part in range(2):
                    sent += [sender.publish("plant/a b", b"%d" % (part * 500 + n), qos=1) for n in range(500)]
                    await until(lambda: source.taken > part * 500)  # noqa: B023
                    assert backbone.server is not None
                    assert backbone.server.pid is not None
                    os.kill(backbone.server.pid, signal.SIGKILL)
                await acknowledged(sender, sent)
            await until(lambda: source.taken >= 1000)
        stored = [(each.subject, each.data) async for each in backbone.replay(SOURCES)]
    finally:
        await backbone.stop()
    assert {subject for subject, _ in stored} == {"ls.raw.hall2.plant.a%20b"}
    assert sorted({int(payload) for _, payload in stored}) == list(range(1000))
