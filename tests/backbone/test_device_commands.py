from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lineshaft.backbone import Backbone, DeviceCommands, Will
from lineshaft.core.errors import ConfigError, TransientFault

from .conftest import kill_server, until
from .test_ingest import device


@asynccontextmanager
async def held(commands: DeviceCommands) -> AsyncIterator[DeviceCommands]:
    task = asyncio.create_task(commands.run())
    try:
        yield commands
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_command_reaches_devices_now_later_and_as_retained(backbone: Backbone) -> None:
    topic = "spBv1.0/P/NCMD/edge1"
    async with held(backbone.device_commands()) as commands:
        with device(backbone.mqtt_url, "edge1") as edge:
            await edge.ready()
            granted = threading.Event()
            edge.client.on_subscribe = lambda *_: granted.set()
            edge.client.subscribe(topic, 1)
            await until(granted.is_set)
            await commands.publish(topic, b"rebirth", qos=0)
            await commands.publish(topic, b"x" * 70_000, qos=1)
            await until(lambda: len(edge.received) == 2)
            assert [len(payload) for _, payload, _ in edge.received] == [7, 70_000]
        await commands.publish("spBv1.0/STATE/host", b"online", retain=True)
        with device(backbone.mqtt_url, "late") as late:
            await late.ready()
            late.client.subscribe("spBv1.0/STATE/#", 1)
            await until(lambda: late.received)
            assert late.received == [("spBv1.0/STATE/host", b"online", True)]


async def test_the_will_speaks_when_we_vanish_and_not_when_we_leave(backbone: Backbone) -> None:
    will = Will(topic="spBv1.0/STATE/host", payload=b"offline", retain=True)
    commands = backbone.device_commands(will=will)
    with device(backbone.mqtt_url, "watch") as watch:
        await watch.ready()
        watch.client.subscribe("spBv1.0/STATE/#", 1)
        async with held(commands):
            await commands.connected.wait()
        await asyncio.sleep(0.3)
        assert watch.received == []
        async with held(commands):
            await commands.connected.wait()
            assert commands._writer is not None
            commands._writer.transport.abort()
            await until(lambda: watch.received)
        assert watch.received[0][1] == b"offline"


async def test_it_comes_back_after_a_server_kill_and_says_so(backbone: Backbone) -> None:
    greetings: list[int] = []

    async def greet() -> None:
        greetings.append(1)
        await commands.publish("spBv1.0/STATE/host", b"online", retain=True)

    commands = backbone.device_commands(on_connect=greet)
    async with held(commands):
        await until(lambda: len(greetings) == 1)
        kill_server(backbone)
        await until(lambda: len(greetings) == 2)
        await commands.publish("spBv1.0/P/NCMD/e", b"x")


async def test_without_a_broker_a_command_fails_in_time(backbone: Backbone) -> None:
    commands = backbone.device_commands()
    with pytest.raises(TransientFault, match="was not acknowledged"):
        await commands.publish("a", b"", deadline_s=0.1)
    async with held(commands):
        await commands.connected.wait()
        assert backbone.server is not None
        assert backbone.server.pid is not None
        os.kill(backbone.server.pid, signal.SIGSTOP)
        with pytest.raises(TransientFault, match=r"within 0\.3 s"):
            await commands.publish("a", b"", deadline_s=0.3)
        os.kill(backbone.server.pid, signal.SIGCONT)
        await commands.publish("a", b"")


async def test_refused_credentials_are_a_mistake_in_the_settings(backbone: Backbone) -> None:
    with pytest.raises(ConfigError, match=r"refuses us: (credentials|not authorised)"):
        await DeviceCommands(backbone.mqtt_url, user="nobody", password="x").run()
    with pytest.raises(ConfigError, match="not valid"):
        DeviceCommands("http://x")
