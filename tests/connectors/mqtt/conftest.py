"""Brokers: mosquitto where the machine has it, and the MQTT listener of our own backbone, always there."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from lineshaft.backbone import Backbone
from lineshaft.backbone.server_state import free_port
from lineshaft.connectors.mqtt import MqttOptions, MqttSource
from lineshaft.core.errors import TransientFault
from tests.waiting import until


class Mosquitto:
    """Its own kill -9 loses nothing that it acknowledged and has `saved`."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        if binary is None:
            pytest.skip("there is no mosquitto on this machine; apt-get install mosquitto")
        self._binary, self._folder = binary, folder
        self.port = free_port()
        self.scheme = "mqtt"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    async def start(self, *lines: str) -> None:
        config = self._folder / "mosquitto.conf"
        config.write_text(
            "\n".join(
                [
                    f"listener {self.port} 127.0.0.1",
                    "user root" if os.geteuid() == 0 else "",
                    "max_queued_messages 0",
                    "max_inflight_messages 100",
                    "persistence true",
                    f"persistence_location {self._folder}/",
                    "autosave_on_changes true",
                    "autosave_interval 1",
                    *(lines or ["allow_anonymous true"]),
                ]
            )
        )
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                self._binary, "-c", str(config), stdout=log, stderr=log
            )
        await until(self._answers)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    @property
    def _disk(self) -> Path:
        return self._folder / "mosquitto.db"

    def forget(self) -> None:
        self._disk.unlink(missing_ok=True)

    async def saved(self, sender: paho.Client) -> None:
        """Returns when all that it has acknowledged is on its disk: it acknowledges first."""
        since = time.time_ns()
        while not self._disk.exists() or self._disk.stat().st_mtime_ns < since:
            await acknowledged(sender, [sender.publish("else/mark", b"x", qos=1, retain=True)])


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    yield broker
    await broker.kill()


@pytest.fixture(params=["mosquitto, MQTT 5", "mosquitto, MQTT 3.1.1", "own listener, MQTT 3.1.1"])
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """Its url, and the protocol to speak with it."""
    name, _, protocol = str(request.param).partition(", MQTT ")
    if name == "mosquitto":
        server = Mosquitto(tmp_path)
        await server.start()
        yield server.url, protocol
        await server.kill()
        return
    backbone = await Backbone.start(None, tmp_path / "nats", topic_filters=["plant/#"], mqtt_port=0)
    yield backbone.mqtt_url, protocol
    await backbone.stop()


@pytest.fixture(params=["5", "3.1.1"])
async def prompt_broker(request: pytest.FixtureRequest, mosquitto: Mosquitto) -> tuple[str, str]:
    """One that sends again at once when we are back; our own listener does so after its ack_wait of 30 s."""
    await mosquitto.start()
    return mosquitto.url, str(request.param)


class Sink:
    """Keeps what is put; closed, it lets puts wait; it refuses as often as told."""

    def __init__(self) -> None:
        self.stored: list[tuple[str, bytes]] = []
        self.puts: list[int] = []
        self.refuse = 0
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def put(self, messages: Sequence[tuple[str, bytes]]) -> None:
        await self.is_open.wait()
        if self.refuse:
            self.refuse -= 1
            raise TransientFault("the disk is full", retry_after_s=0.01)
        self.puts.append(len(messages))
        self.stored += messages

    @property
    def payloads(self) -> list[bytes]:
        return [payload for _, payload in self.stored]


@asynccontextmanager
async def running(source: MqttSource, sink: Sink) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Gives what ends the run at once, as a cancelled node does."""
    task = asyncio.create_task(source.run(sink))

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    try:
        await until(lambda: task.done() or source.health().state == "active")
        if task.done():
            task.result()
        yield stop
    finally:
        await stop()


def options(url: str, **wanted: object) -> MqttOptions:
    given: dict[str, object] = {"name": "hall2", "url": url, "topics": ["plant/#"], **wanted}
    return MqttOptions(**given)  # type: ignore[arg-type]


@contextmanager
def device(url: str, *, user: str = "", password: str = "", ca: str = "") -> Iterator[paho.Client]:
    client = paho.Client("a-device", clean_session=True, userdata=set())
    client.on_publish = lambda _client, seen, mid: seen.add(mid)
    client.max_inflight_messages_set(200)
    if user:
        client.username_pw_set(user, password)
    if ca:
        client.tls_set(ca)
    host, _, port = url.rpartition("/")[2].partition(":")
    client.reconnect_delay_set(1, 1)
    client.connect(host, int(port))
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


async def acknowledged(sender: paho.Client, sent: Sequence[paho.MQTTMessageInfo]) -> None:
    """Over reconnects too: paho sends again what was not."""
    await until(lambda: {each.mid for each in sent} <= sender._userdata)
