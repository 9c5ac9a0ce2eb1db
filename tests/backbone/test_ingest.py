from __future__ import annotations

import asyncio
import shutil
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import pytest
from structlog.testing import capture_logs

from lineshaft.backbone import Backbone, MqttIngest, MqttUser
from lineshaft.backbone.forgetting import QOS1_DURABLE
from lineshaft.core.clock import SystemClock
from lineshaft.core.ports import StreamPosition
from lineshaft.core.values import RawBatch, RawReading

from .conftest import TOPICS, is_well, kill_server, message_count, until


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
    """Takes batches in; positions: of the last message of each stream."""

    def __init__(self, source: MqttIngest) -> None:
        self.source = source
        self.readings: list[RawReading] = []
        self.batches: list[RawBatch] = []
        self.positions: dict[str, StreamPosition] = {}

    async def handle(self, batch: RawBatch) -> None:
        self.batches.append(batch)
        self.readings.extend(batch.reading(index) for index in range(len(batch)))
        self.positions[batch.stream] = StreamPosition(batch.sequences[-1], batch.created, batch.stored_us[-1])

    async def settle(self) -> None:
        await self.source.done(self.positions)

    async def forgotten(self, backbone: Backbone, stream: str) -> None:
        """Returns when the stream holds no more of what was taken."""
        await self.settle()
        async with asyncio.timeout(60):
            while await message_count(backbone, stream):  # noqa: ASYNC110 - the server's
                await asyncio.sleep(0.01)

    def payloads(self, topic: str) -> list[int]:
        return [int(each.payload) for each in self.readings if each.topic == topic]


async def holds(backbone: Backbone, stream: str, count: int) -> bool:
    return await message_count(backbone, stream) == count


async def send_all(dev: Device, topic: str, numbers: Iterable[int]) -> None:
    """At QoS 1; returns when the server has acknowledged all."""
    infos = [dev.send(topic, b"%d" % number, 1) for number in numbers]
    await until(lambda: all(info.is_published() for info in infos))


@asynccontextmanager
async def taking(
    backbone: Backbone, after: Mapping[str, StreamPosition] | None = None, **options: float
) -> AsyncIterator[Taker]:
    """As a node at work: at the end all that was taken is done."""
    source = backbone.raw_source(**options)  # type: ignore[arg-type]
    taker = Taker(source)
    task = asyncio.create_task(source.run(taker.handle, after or {}))
    await source.ready.wait()
    try:
        yield taker
        await taker.settle()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_each_message_comes_once_whatever_its_qos(backbone: Backbone) -> None:
    began = SystemClock().now()
    async with taking(backbone) as taker:
        with device(backbone.mqtt_url) as dev:
            await dev.ready()
            for number in range(300):
                for qos in (0, 1, 2):
                    dev.send(f"plant/line1/q{qos}", b"%d" % number, qos)
            await until(lambda: len(taker.readings) >= 900)
            dev.send("plant/last", b"0", 0)
            await until(lambda: taker.payloads("plant/last"))
        await taker.forgotten(backbone, "$MQTT_msgs")
    for qos in (0, 1, 2):
        assert taker.payloads(f"plant/line1/q{qos}") == list(range(300))
    times = [each.received_at for each in taker.readings]
    assert (
        began - timedelta(seconds=1) < min(times) <= max(times) < SystemClock().now() + timedelta(seconds=1)
    )
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
            await until(lambda: all(info.is_published() for info in infos))
            await until(lambda: len(set(taker.payloads("plant/line1/count"))) == count)
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
    await until(lambda: holds(backbone, "$MQTT_msgs", 0))
    await backbone.stop()


async def test_without_topics_the_listener_stream_does_not_fill(tmp_path: Path) -> None:
    backbone = await Backbone.start(None, tmp_path / "data", topic_filters=TOPICS, mqtt_port=0)
    await backbone.stop()
    backbone = await Backbone.start(None, tmp_path / "data", mqtt_port=0)
    with device(backbone.mqtt_url) as dev:
        await dev.ready()
        info = dev.send("plant/a", b"1", 1)
        await until(info.is_published)
    await until(lambda: holds(backbone, "$MQTT_msgs", 0))
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
            async with asyncio.timeout(60):
                while len({each.payload for each in taker.readings}) < 60:
                    await taker.settle()
                    await asyncio.sleep(0.02)
    await backbone.stop()


async def test_a_fault_ends_the_run_and_loses_nothing(backbone: Backbone) -> None:
    source = backbone.raw_source()

    async def broken(batch: RawBatch) -> None:
        raise ZeroDivisionError

    run = asyncio.create_task(source.run(broken, {}))
    with device(backbone.mqtt_url) as dev:
        await dev.ready()
        await send_all(dev, "plant/a", range(10))
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(run, 60)
    async with taking(backbone) as taker:
        await until(lambda: len(taker.readings) >= 10)
    assert taker.payloads("plant/a") == list(range(10))


async def test_it_goes_on_exactly_after_a_position(backbone: Backbone) -> None:
    """In both streams; what was handed over later and is not part of the position comes again."""
    with device(backbone.mqtt_url) as dev:
        await dev.ready()
        await send_all(dev, "plant/a", range(50))
        for number in range(50):
            await backbone.connection.store("plant.b", b"%d" % number)
    async with taking(backbone) as taker:
        await until(lambda: len(taker.readings) >= 100)
        taker.positions.clear()  # killed before it could say that anything is done
    # LS_RAW holds the copies of plant/a before plant/b: number 19 is the 70th of it.
    places = {
        batch.stream: StreamPosition(70 if batch.stream == "LS_RAW" else 20, batch.created)
        for batch in taker.batches
    }
    async with taking(backbone, places) as again:
        await until(lambda: len(again.readings) >= 60)
    assert again.payloads("plant/a") == again.payloads("plant/b") == list(range(20, 50))
    async with taking(backbone, again.positions) as last:
        await backbone.connection.store("plant.b", b"50")
        await until(lambda: last.readings)
    assert [each.payload for each in last.readings] == [b"50"]


_READER = """
import asyncio, sys
from lineshaft.backbone import Backbone

async def main(url, user, password):
    backbone = await Backbone.join(url, user=user, password=password, topic_filters=["plant/#", "spBv1.0/#"])
    async def handle(batch):
        for index in range(len(batch)):
            print(batch.stream, batch.created, batch.sequences[index], int(batch.payloads[index]), flush=True)
    await backbone.raw_source(max_messages=50).run(handle, {})

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_reader_killed_in_the_flow_is_followed_by_one_that_goes_on_behind_it(
    backbone: Backbone,
) -> None:
    with device(backbone.mqtt_url) as dev:
        await dev.ready()
        infos = [dev.send("plant/a", b"%d" % number, 1) for number in range(1500)]
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _READER, backbone.url, *backbone.credentials, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        lines = [await child.stdout.readline() for _ in range(300)]
        child.kill()
        lines += (await child.stdout.read()).splitlines(keepends=True)
        await child.wait()
        seen = [line.split() for line in lines if line.startswith(b"$MQTT_msgs") and line.endswith(b"\n")]
        created, sequence = seen[-1][1].decode(), int(seen[-1][2])
        await until(lambda: all(info.is_published() for info in infos))
        place = {"$MQTT_msgs": StreamPosition(sequence, created)}
        async with taking(backbone, place) as taker:
            await until(lambda: len(seen) + len(taker.readings) >= 1500)
    assert [int(fields[3]) for fields in seen] + taker.payloads("plant/a") == list(range(1500))


async def test_a_stream_made_anew_is_read_from_its_start(backbone: Backbone) -> None:
    for number in range(5):
        await backbone.connection.store("plant.a", b"%d" % number)
    async with taking(backbone) as taker:
        await until(lambda: len(taker.readings) == 5)
    config = (await backbone.connection.api("STREAM.INFO.LS_RAW"))["config"]
    await backbone.connection.api("STREAM.DELETE.LS_RAW")
    await backbone.connection.api("STREAM.CREATE.LS_RAW", config)
    for number in range(5, 12):
        await backbone.connection.store("plant.a", b"%d" % number)
    async with taking(backbone, taker.positions) as again:
        await until(lambda: len(again.readings) >= 7)
    assert again.payloads("plant/a") == list(range(5, 12))
    assert again.batches[0].created != taker.batches[0].created


async def test_what_the_stream_dropped_unread_is_told(backbone: Backbone) -> None:
    for number in range(10):
        await backbone.connection.store("plant.a", b"%d" % number)
    created = str((await backbone.connection.api("STREAM.INFO.LS_RAW"))["created"])
    await backbone.connection.api("STREAM.PURGE.LS_RAW", {"seq": 8})
    with capture_logs() as logs:
        async with taking(backbone, {"LS_RAW": StreamPosition(3, created)}) as taker:
            await until(lambda: len(taker.readings) >= 3)
    assert taker.payloads("plant/a") == [7, 8, 9]
    assert [each["messages"] for each in logs if "dropped" in each["event"]] == [4]


async def test_a_place_beyond_the_end_is_brought_back_to_it(backbone: Backbone) -> None:
    """The newest messages of `LS_RAW` are lost with the machine; the numbers are given again."""
    await backbone.connection.store("plant.a", b"0")
    created = str((await backbone.connection.api("STREAM.INFO.LS_RAW"))["created"])
    with capture_logs() as logs:
        async with taking(backbone, {"LS_RAW": StreamPosition(5, created)}) as taker:
            await backbone.connection.store("plant.a", b"1")
            await until(lambda: taker.readings)
    assert taker.payloads("plant/a") == [1]
    assert [each["messages"] for each in logs if "lost" in each["event"]] == [4]


async def test_each_loss_gives_another_created_and_a_stream_made_anew_its_own(backbone: Backbone) -> None:
    await backbone.connection.store("plant.a", b"0")
    config, created = await _config_and_creation(backbone)
    seen: list[str] = []
    place = StreamPosition(5, created)
    for number in range(1, 4):
        async with taking(backbone, {"LS_RAW": place}) as taker:
            await backbone.connection.store("plant.a", b"%d" % number)
            await until(lambda taker=taker: taker.readings)  # type: ignore[misc]
        assert taker.payloads("plant/a") == [number]
        seen.append(taker.batches[0].created)
        place = StreamPosition(number + 5, seen[-1])
    assert seen == [f"{created}/{times}" for times in (1, 2, 3)]
    await backbone.connection.api("STREAM.DELETE.LS_RAW")
    await backbone.connection.api("STREAM.CREATE.LS_RAW", config)
    _, anew = await _config_and_creation(backbone)
    await backbone.connection.store("plant.a", b"4")
    async with taking(backbone, {"LS_RAW": place}) as taker:
        await until(lambda: taker.readings)
    assert [taker.payloads("plant/a"), taker.batches[0].created] == [[4], anew]


async def _config_and_creation(backbone: Backbone) -> tuple[dict[str, Any], str]:
    info = await backbone.connection.api("STREAM.INFO.LS_RAW")
    return info["config"], str(info["created"])


@pytest.mark.parametrize("since", [0, 2, 3, 10])
async def test_messages_that_got_the_numbers_of_lost_ones_are_read(tmp_path: Path, since: int) -> None:
    """The machine goes down with three messages that were read and not on disk, and comes up as it was before
    them. since: how many are stored before the source asks again, so that they pass its place or not."""

    @asynccontextmanager
    async def started() -> AsyncIterator[Backbone]:
        backbone = await Backbone.start(None, tmp_path / "data", topic_filters=["plant/#"], mqtt_port=0)
        yield backbone
        await backbone.stop()

    async def store(backbone: Backbone, numbers: Iterable[int]) -> None:
        for number in numbers:
            await backbone.connection.store("plant.a", b"%d" % number)

    async with started() as backbone:
        await store(backbone, range(2))
    shutil.copytree(tmp_path / "data", tmp_path / "before")
    async with started() as backbone, taking(backbone) as taker:
        await store(backbone, range(2, 5))
        await until(lambda: len(taker.readings) == 5)
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "before").rename(tmp_path / "data")
    async with started() as backbone:
        await store(backbone, range(10, 10 + since))
        with capture_logs() as logs:
            async with taking(backbone, taker.positions) as again:
                await store(backbone, [99])
                await until(lambda: again.payloads("plant/a")[-1:] == [99])
            async with taking(backbone, {**taker.positions, **again.positions}) as last:
                await store(backbone, [100])
                await until(lambda: last.readings)
    assert again.payloads("plant/a") == [*range(10, 10 + since), 99]
    assert [each["messages"] for each in logs if "lost" in each["event"]] == [3]
    # The lake leaves out what it has by `created` and sequence.
    assert {batch.created for batch in again.batches} == {f"{taker.batches[0].created}/1"}
    assert last.payloads("plant/a") == [100]
    assert last.batches[0].created == again.batches[0].created


async def test_a_server_killed_in_the_flow_repeats_and_skips_nothing(backbone: Backbone) -> None:
    """The source goes on after the last message that it took, on a consumer of its own made anew."""
    sink = backbone.raw_sink()
    for start in range(0, 20_000, 5000):
        await sink.put([("plant/a", b"%d" % number) for number in range(start, start + 5000)])
    async with taking(backbone, max_messages=500) as taker:
        await until(lambda: len(taker.readings) > 1000)
        assert len(taker.readings) < 20_000
        kill_server(backbone)
        await until(lambda: len(taker.readings) >= 20_000)
        await sink.put([("plant/a", b"20000")])
        await until(lambda: len(taker.readings) > 20_000)
    assert taker.payloads("plant/a") == list(range(20_001))


async def test_a_consumer_that_is_deleted_is_made_again(backbone: Backbone) -> None:
    async with taking(backbone) as taker:
        await backbone.connection.store("plant.a", b"0")
        await until(lambda: taker.readings)
        (feeding,) = (await backbone.connection.api("CONSUMER.NAMES.LS_RAW"))["consumers"]
        await backbone.connection.api(f"CONSUMER.DELETE.LS_RAW.{feeding}")
        await backbone.connection.store("plant.a", b"1")
        await until(lambda: len(taker.readings) == 2)
    assert not (await backbone.connection.api("CONSUMER.NAMES.LS_RAW"))["consumers"]


async def test_what_waits_here_is_bounded_while_batches_are_worked_on(backbone: Backbone) -> None:
    """Two requests are on their way at most, and nothing is asked for beside what is held."""
    sink, may_go_on = backbone.raw_sink(), asyncio.Event()
    await sink.put([("plant/a", b"%d" % number) for number in range(3000)])
    batches: list[RawBatch] = []
    source = backbone.raw_source(max_messages=100)

    async def slow(batch: RawBatch) -> None:
        batches.append(batch)
        await may_go_on.wait()

    run = asyncio.create_task(source.run(slow, {}))
    await until(lambda: batches)
    for _ in range(20):
        await backbone.connection.flush()
    assert not source.caught_up
    may_go_on.set()
    await until(lambda: sum(map(len, batches)) == 3000)
    assert max(map(len, batches)) <= 200
    assert batches[-1].waiting == 0
    await until(lambda: source.caught_up)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


def test_the_name_of_the_durable_is_stable() -> None:
    """A changed name would take everything again from the beginning, and leave the old place behind."""
    assert QOS1_DURABLE == "ls-ingest-done"


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
            await until(lambda: holds(backbone, "LS_TRANSACTIONAL", 1))  # the one that we published
            await until(lambda: len(heard) >= 2)
            await asyncio.sleep(0.1)
            assert not [topic for topic, *_ in dev.received if topic.startswith(("ls/", "$", "_"))]
    assert await message_count(backbone, "LS_DEAD") == 1
    assert await message_count(backbone, "LS_TRANSACTIONAL") == 1
    assert [each.topic for each in taker.readings] == ["plant/last"]
    assert heard == ["ls.dead.x", "ls.transactional.p.a.b.c.v1"]
    await until(lambda: backbone.server is not None and backbone.server.violations >= 4)
    await until(lambda: is_well(backbone, "forbidden publishes"))


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
