from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import pytest

from lineshaft.backbone import Backbone, MqttUser
from lineshaft.backbone.ingest import QOS0_DURABLE, QOS1_DURABLE
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import TransientFault
from lineshaft.core.values import RawReading

from .conftest import TOPICS, kill_server, message_count, until


class Device:
    """A paho client; every publish is known by whether the server acknowledged it."""

    def __init__(self, url: str, name: str, **credentials: str) -> None:
        self.client = mqtt.Client(name, clean_session=True)
        self.client.max_inflight_messages_set(200)
        self.client.reconnect_delay_set(1, 1)
        if credentials:
            self.client.username_pw_set(**credentials)
        self.connected = threading.Event()
        self.refused = 0
        self.received: list[tuple[str, bytes, bool]] = []
        self.client.on_connect = self._on_connect
        self.client.on_message = lambda _c, _u, message: self.received.append(
            (message.topic, message.payload, bool(message.retain))
        )
        address = urlsplit(url)
        self.client.connect(str(address.hostname), int(address.port or 0))
        self.client.loop_start()

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, code: int) -> None:
        if code == 0:
            self.connected.set()
        else:
            self.refused = code

    async def ready(self) -> Device:
        await until(self.connected.is_set)
        return self

    def send(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> mqtt.MQTTMessageInfo:
        return self.client.publish(topic, payload, qos, retain)


@contextmanager
def device(url: str, name: str = "dev", **credentials: str) -> Iterator[Device]:
    made = Device(url, name, **credentials)
    try:
        yield made
    finally:
        made.client.disconnect()
        made.client.loop_stop()


class Taker:
    """Takes readings in, and may fail or linger."""

    def __init__(self) -> None:
        self.readings: list[RawReading] = []
        self.faults: list[Exception] = []
        self.calls = 0

    async def handle(self, readings: Sequence[RawReading]) -> None:
        self.calls += 1
        if self.faults:
            raise self.faults.pop(0)
        self.readings.extend(readings)

    def payloads(self, topic: str) -> list[int]:
        return [int(each.payload) for each in self.readings if each.topic == topic]


@asynccontextmanager
async def taking(backbone: Backbone) -> AsyncIterator[Taker]:
    taker = Taker()
    source = backbone.raw_source()
    task = asyncio.create_task(source.run(taker.handle))
    await source.ready.wait()
    try:
        yield taker
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_each_message_comes_once_whatever_its_qos(backbone: Backbone) -> None:
    async with taking(backbone) as taker:
        with device(backbone.mqtt_url) as dev:
            await dev.ready()
            for number in range(300):
                for qos in (0, 1, 2):
                    dev.send(f"plant/line1/q{qos}", b"%d" % number, qos)
            await until(lambda: len(taker.readings) >= 900)
            await asyncio.sleep(0.2)
    for qos in (0, 1, 2):
        assert taker.payloads(f"plant/line1/q{qos}") == list(range(300))
    assert await message_count(backbone, "$MQTT_msgs") == 0
    times = [each.received_at for each in taker.readings]
    assert all(abs((SystemClock().now() - moment).total_seconds()) < 30 for moment in times)
    assert {each.position.partition(":")[0] for each in taker.readings} == {"LS_RAW", "$MQTT_msgs"}


async def test_topics_come_back_as_they_were(backbone: Backbone) -> None:
    topics = ["spBv1.0/P/DDATA/e/d", "plant//double/", "plant", "plant/a.b/ü"]
    async with taking(backbone) as taker:
        with device(backbone.mqtt_url) as dev:
            await dev.ready()
            for topic in topics:
                dev.send(topic, b"0", 0)
                dev.send(topic, b"1", 1)
            dev.send("elsewhere/x", b"0", 1)
            await until(lambda: len(taker.readings) >= 2 * len(topics))
    assert Counter(each.topic for each in taker.readings) == dict.fromkeys(topics, 2)


async def test_qos1_survives_kills_of_the_server(backbone: Backbone) -> None:
    """Each acknowledged message is taken; what was not acknowledged the device repeats: it may come twice."""
    count = 3000
    async with taking(backbone) as taker:
        with device(backbone.mqtt_url) as dev:
            await dev.ready()
            infos = []
            for number in range(count):
                infos.append(dev.send("plant/line1/count", b"%d" % number, 1))
                if number in (1000, 2000):
                    await until(lambda: len(taker.readings) > 100)
                    kill_server(backbone)
                    dev.connected.clear()
                    await dev.ready()
            await until(lambda: all(info.is_published() for info in infos), timeout_s=40)
            await until(lambda: len(set(taker.payloads("plant/line1/count"))) == count, timeout_s=40)
    assert list(dict.fromkeys(taker.payloads("plant/line1/count"))) == list(range(count))
    assert backbone.server is not None
    assert backbone.server.restarts == 2
    assert backbone.server.dropped == 0


async def test_nothing_published_while_nobody_reads_is_lost(tmp_path: Path) -> None:
    """From the first moment that a device can connect, also before the first run of the source."""
    backbone = await Backbone.start(None, tmp_path / "data", topic_filters=TOPICS, mqtt_port=0)
    with device(backbone.mqtt_url) as dev:
        await dev.ready()
        infos = [dev.send("plant/early", b"%d" % number, 1) for number in range(100)]
        await until(lambda: all(info.is_published() for info in infos))
    await backbone.stop()
    again = await Backbone.start(None, tmp_path / "data", topic_filters=TOPICS, mqtt_port=0)
    with device(again.mqtt_url) as dev:
        await dev.ready()
        infos = [dev.send("plant/early", b"%d" % number, 1) for number in range(100, 200)]
        await until(lambda: all(info.is_published() for info in infos))
    async with taking(again) as taker:
        await until(lambda: len(taker.readings) >= 200)
    assert taker.payloads("plant/early") == list(range(200))
    await again.stop()


async def test_a_topic_added_later_keeps_what_waits_and_one_taken_away_drops_its_own(tmp_path: Path) -> None:
    async def start(*filters: str) -> Backbone:
        return await Backbone.start(None, tmp_path / "data", topic_filters=filters, mqtt_port=0)

    backbone = await start("plant/#")
    with device(backbone.mqtt_url) as dev:
        await dev.ready()
        infos = [dev.send(topic, b"1", 1) for topic in ("plant/a", "other/a")]
        await until(lambda: all(info.is_published() for info in infos))
    assert await message_count(backbone, "$MQTT_msgs") == 1
    await backbone.stop()
    backbone = await start("plant/#", "other/#")
    assert await message_count(backbone, "$MQTT_msgs") == 1
    await backbone.stop()
    backbone = await start("other/#")
    assert await message_count(backbone, "$MQTT_msgs") == 0
    await backbone.stop()


async def test_without_topics_the_listener_stream_does_not_fill(tmp_path: Path) -> None:
    backbone = await Backbone.start(None, tmp_path / "data", topic_filters=TOPICS, mqtt_port=0)
    await backbone.stop()
    backbone = await Backbone.start(None, tmp_path / "data", mqtt_port=0)
    with device(backbone.mqtt_url) as dev:
        await dev.ready()
        info = dev.send("plant/a", b"1", 1)
        await until(info.is_published)
    assert await message_count(backbone, "$MQTT_msgs") == 0
    await backbone.stop()


async def test_a_full_listener_stream_refuses_instead_of_acknowledging(tmp_path: Path) -> None:
    backbone = await Backbone.start(
        None, tmp_path / "data", topic_filters=TOPICS, mqtt_port=0, storage_bytes=2 * 2**20
    )
    with device(backbone.mqtt_url) as dev:
        await dev.ready()
        infos = [dev.send("plant/a", b"%d" % number + bytes(10_000), 1) for number in range(60)]
        await until(lambda: not dev.client.is_connected())
        acknowledged = sum(info.rc == 0 and info.is_published() for info in infos)
        assert 0 < acknowledged < 60
        assert await message_count(backbone, "$MQTT_msgs") >= acknowledged
        async with taking(backbone) as taker:  # room again: the device repeats, and nothing is missing
            await until(lambda: len({each.payload for each in taker.readings}) == 60)
    await backbone.stop()


async def test_a_transient_fault_hands_over_the_same_batch_again(backbone: Backbone) -> None:
    async with taking(backbone) as taker:
        taker.faults = [TransientFault("lake is down"), TransientFault("still")]
        with device(backbone.mqtt_url) as dev:
            await dev.ready()
            for number in range(10):
                dev.send("plant/a", b"%d" % number, 1)
            await until(lambda: len(taker.readings) >= 10)
    assert taker.payloads("plant/a") == list(range(10))
    assert taker.calls >= 3


async def test_another_fault_ends_the_run_and_loses_nothing(backbone: Backbone) -> None:
    source = backbone.raw_source()

    async def broken(readings: Sequence[RawReading]) -> None:
        raise ZeroDivisionError

    run = asyncio.create_task(source.run(broken))
    with device(backbone.mqtt_url) as dev:
        await dev.ready()
        dev.send("plant/a", b"1", 1)
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(run, 10)
    info = await backbone.connection.api(f"CONSUMER.INFO.$MQTT_msgs.{QOS1_DURABLE}")
    assert info["num_ack_pending"] == 1


async def test_what_was_on_its_way_to_a_killed_reader_comes_at_once_and_in_order(backbone: Backbone) -> None:
    """Well before the ack wait of 30 s is over, and before what came later."""
    reached = asyncio.Event()

    async def stuck(readings: Sequence[RawReading]) -> None:
        reached.set()
        await asyncio.Event().wait()

    first = asyncio.create_task(backbone.raw_source(batch=10).run(stuck))
    with device(backbone.mqtt_url) as dev:
        await dev.ready()
        infos = [dev.send("plant/a", b"%d" % number, 1) for number in range(100)]
        await until(lambda: all(info.is_published() for info in infos))
        await reached.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        late = [dev.send("plant/a", b"%d" % number, 1) for number in range(100, 150)]
        await until(lambda: all(info.is_published() for info in late))
        async with taking(backbone) as taker:
            await until(lambda: len(taker.readings) >= 150, timeout_s=10)
    assert taker.payloads("plant/a") == list(range(150))


def test_the_names_of_the_durables_are_stable() -> None:
    """A changed name would take everything again from the beginning, and leave the old place behind."""
    assert (QOS1_DURABLE, QOS0_DURABLE) == ("ls-ingest-qos1", "ls-ingest-qos0")


async def test_a_device_reaches_nothing_of_ours(backbone: Backbone) -> None:
    assert backbone.server is not None
    names = ("ls/transactional/p/a/b/c/v1", "$JS/API/STREAM/PURGE/LS_DEAD", "$MQTT/msgs/plant/a", "_INBOX/x")
    heard: list[str] = []

    async def listen(message: Any) -> None:
        heard.append(message.subject)

    for subject in ("ls.>", "_INBOX.x"):
        await backbone.connection.subscribe(subject, listen)
    await backbone.connection.publish("ls.dead.x", b"keep")
    async with taking(backbone) as taker:
        with device(backbone.mqtt_url) as dev:
            await dev.ready()
            dev.client.subscribe([("ls/#", 0), ("#", 0)])
            for topic in names:
                for qos in (0, 1):
                    dev.send(topic, b"1", qos)
                    await asyncio.sleep(0.02)
                    await dev.ready()
            dev.send("plant/last", b"1", 1)
            await until(lambda: taker.payloads("plant/last"))
            await backbone.connection.publish("ls.transactional.p.a.b.c.v1", b"secret")
            await backbone.connection.flush()
            await asyncio.sleep(0.1)
            assert not [topic for topic, *_ in dev.received if topic.startswith(("ls/", "$", "_"))]
    assert await message_count(backbone, "LS_DEAD") == 1
    assert await message_count(backbone, "LS_TRANSACTIONAL") == 1  # the one that we published
    assert [each.topic for each in taker.readings] == ["plant/last"]
    assert heard == ["ls.dead.x", "ls.transactional.p.a.b.c.v1"]
    await until(lambda: backbone.server is not None and backbone.server.violations >= 4)
    assert "forbidden publishes" in (await backbone.health()).detail


async def test_a_user_is_held_to_its_topics(tmp_path: Path) -> None:
    users = [
        MqttUser(
            username="press", password="pw", publish=("plant/press/#",), subscribe=("plant/press/cmd/#",)
        ),
        MqttUser(username="robot", password="pw2", publish=("plant/robot/#",)),
    ]
    backbone = await Backbone.start(
        None, tmp_path / "data", topic_filters=TOPICS, mqtt_port=0, mqtt_users=users
    )
    commands = backbone.device_commands()
    holding = asyncio.create_task(commands.run())
    async with taking(backbone) as taker:
        with device(backbone.mqtt_url, "a", username="press", password="pw") as dev:
            await dev.ready()
            dev.client.subscribe([("plant/press/cmd/#", 1)])
            dev.send("plant/robot/x", b"0", 1)
            dev.send("plant/press/x", b"1", 1)
            await until(lambda: taker.readings)
            await commands.publish("plant/press/cmd/start", b"go")
            await until(lambda: dev.received)
            assert dev.received == [("plant/press/cmd/start", b"go", False)]
        assert "plant/robot/x" not in {each.topic for each in taker.readings}
        for credentials in ({"username": "press", "password": "no"}, {}):
            with device(backbone.mqtt_url, "b", **credentials) as stranger:
                await until(lambda: stranger.refused)
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    await backbone.stop()
