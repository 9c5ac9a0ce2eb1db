"""What the listener lets a device do, asked by real clients."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import pytest

from lineshaft.backbone import Backbone, DeviceCommands, IncidentKind, MqttTls, MqttUser, NatsServer
from lineshaft.backbone.incidents import Incident
from lineshaft.backbone.monitoring import config_loaded_at, device_connections
from lineshaft.core.errors import ConfigError, PermanentFault, TransientFault
from tests.certificates import Authority

from .conftest import until


def user(name: str, password: str = "") -> MqttUser:
    return MqttUser(
        username=name,
        password=password or f"secret of {name}",
        publish=(f"plant/{name}/#",),
        subscribe=(f"plant/{name}/#",),
    )


class Client:
    """refused: the code of a refusal; lost: the connection ended without our doing."""

    def __init__(self, url: str, client_id: str, name: str = "", password: str = "", **tls: Any) -> None:
        self.client = mqtt.Client(client_id, clean_session=True)
        self.connected, self.refused, self.lost, self.received = threading.Event(), 0, False, []
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = self._on_disconnect
        self.client.on_message = lambda _c, _u, message: self.received.append(message.topic)
        if name:
            self.client.username_pw_set(name, password or f"secret of {name}")
        if tls:
            self.client.tls_set(**tls)
        address = urlsplit(url)
        self.client.connect(str(address.hostname), int(address.port or 0))
        self.client.loop_start()

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, code: int) -> None:
        self.refused = code
        if code == 0:
            self.connected.set()

    def _on_disconnect(self, client: mqtt.Client, _data: Any, code: int) -> None:
        self.lost = bool(code)
        client.disconnect()  # no reconnect: it would hide that the connection was lost


@contextmanager
def client(url: str, client_id: str, name: str = "", password: str = "", **tls: Any) -> Iterator[Client]:
    made = Client(url, client_id, name, password, **tls)
    try:
        yield made
    finally:
        made.client.disconnect()
        made.client.loop_stop()


@asynccontextmanager
async def served(
    folder: Path, users: Sequence[MqttUser], tls: MqttTls | None = None
) -> AsyncIterator[NatsServer]:
    server = NatsServer()
    await server.start(folder / "nats", mqtt_port=0, mqtt_users=users, mqtt_tls=tls)
    try:
        yield server
    finally:
        await server.stop()


def port(url: str) -> int:
    return urlsplit(url).port or 0


async def incidents_of(server: NatsServer, count: int) -> list[Incident]:
    """As they are told: at once, or one after the other where the log was looked at in between."""
    found: list[Incident] = []
    while sum(each.count for each in found) < count:
        found += await asyncio.wait_for(server.next_incidents(), 60)
    return found


async def test_a_wrong_password_or_name_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path, [user("a")]) as server:
        for name, password in (("a", "wrong"), ("b", "secret of a"), ("", "")):
            with client(server.mqtt_url, "c", name, password) as device:
                await until(lambda: device.refused == 5)


async def test_a_hashed_password_is_taken(tmp_path: Path) -> None:
    hashed = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"  # of `secret`, by libxcrypt
    async with served(tmp_path, [user("a", hashed)]) as server:
        with client(server.mqtt_url, "c", "a", "secret") as device:
            await until(device.connected.is_set)
        for wrong in ("wrong", hashed):
            with client(server.mqtt_url, "c", "a", wrong) as device:
                await until(lambda: device.refused == 5)


async def test_another_devices_topic_is_denied_and_told(tmp_path: Path) -> None:
    async with served(tmp_path, [user("a"), user("b")]) as server:
        with (
            client(server.mqtt_url, "b-panel", "b") as b,
            client(server.mqtt_url, "a-1", "a") as a,
        ):
            await until(lambda: a.connected.is_set() and b.connected.is_set())
            b.client.subscribe("plant/b/#", 1)
            a.client.publish("plant/b/t", b"1", 1)
            a.client.publish("plant/b/t", b"2", 0)
            await until(lambda: server.violations == 2)
            incidents = await incidents_of(server, 2)
            b.client.publish("plant/b/own", b"3", 1)
            await until(lambda: b.received)
        assert b.received == ["plant/b/own"]
        for incident in incidents:
            assert (incident.kind, incident.user) == (IncidentKind.PUBLISH_DENIED, "a")
            assert (incident.client_id, incident.topic) == ("a-1", "plant/b/t")
            assert "a-1" in str(incident)
        assert sum(incident.count for incident in incidents) == server.violations == 2


async def test_who_takes_anothers_client_id_is_told(tmp_path: Path) -> None:
    """nats-server has no way to bind one: the other device is put out, and comes back."""
    async with served(tmp_path, [user("a"), user("b")]) as server:
        with client(server.mqtt_url, "filler", "a") as a:
            await until(a.connected.is_set)
            incidents = asyncio.create_task(server.next_incidents())
            with client(server.mqtt_url, "filler", "b"):
                (incident,) = await asyncio.wait_for(incidents, 60)
            await until(lambda: a.lost)
    assert incident.kind is IncidentKind.CLIENT_ID_TAKEN
    assert (incident.user, incident.other_user, incident.client_id) == ("b", "a", "filler")
    assert "b (127.0.0.1" in str(incident)


async def test_a_device_that_replaces_its_own_dead_connection_is_no_incident(tmp_path: Path) -> None:
    async with served(tmp_path, [user("a"), user("b")]) as server:
        incidents = asyncio.create_task(server.next_incidents())
        with client(server.mqtt_url, "filler", "a") as first:
            await until(first.connected.is_set)
            with client(server.mqtt_url, "filler", "a") as second:
                await until(lambda: first.lost and second.connected.is_set())
                second.client.publish("plant/b/t", b"", 1)
                (incident,) = await asyncio.wait_for(incidents, 60)
    assert incident.kind is IncidentKind.PUBLISH_DENIED


async def test_a_reload_takes_new_devices_and_keeps_the_others_connected(tmp_path: Path) -> None:
    """Of 1,000 devices."""
    users = [user(f"d{n}") for n in range(1000)]
    async with served(tmp_path, users) as server:
        with (
            client(server.mqtt_url, "kept", "d1") as kept,
            client(server.mqtt_url, "gone", "d2") as gone,
            client(server.mqtt_url, "changed", "d3") as changed,
        ):
            await until(lambda: all(each.connected.is_set() for each in (kept, gone, changed)))
            now = [each for each in users if each.username not in ("d2", "d3")]
            await server.reload([*now, user("d3", "another"), user("new")])
            with client(server.mqtt_url, "n", "new") as new:
                await until(new.connected.is_set)
            await until(lambda: gone.lost and changed.lost)
            assert not kept.lost
            kept.client.subscribe("plant/d1/#", 1)
            kept.client.publish("plant/d1/t", b"", 1)
            await until(lambda: kept.received)

            async def alone() -> bool:  # the server sees the others off in its own time
                return [each.user for each in await device_connections(server.monitor_url)] == ["d1"]

            await until(alone)
            assert not kept.lost


async def test_a_reload_of_users_that_cannot_be_keeps_those_of_before(tmp_path: Path) -> None:
    async with served(tmp_path, [user("a")]) as server:
        with pytest.raises(ConfigError, match="'a' cannot be declared"):
            await server.reload([user("a"), user("a")])
        with client(server.mqtt_url, "c", "a") as device:
            await until(device.connected.is_set)


async def test_a_reload_that_the_server_refuses_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must be able to start again with what it had."""
    log = tmp_path / "nats" / "nats.log"

    async def loaded_at(url: str) -> str:
        if b"Failed to reload" in log.read_bytes():
            raise TimeoutError  # as after the ten seconds that it is given
        return await config_loaded_at(url)

    monkeypatch.setattr("lineshaft.backbone.server.config_loaded_at", loaded_at)
    certificate, key = Authority(tmp_path).issue("listener", server=True)
    tls = MqttTls(certificate=str(certificate), key=str(key))
    async with served(tmp_path, [user("a")], tls) as server:
        config = tmp_path / "nats" / "nats.conf"
        before = config.read_bytes()
        certificate.write_text("no certificate")
        with pytest.raises(PermanentFault, match=r"does not take 2 device users.*Failed to reload"):
            await server.reload([user("a"), user("b")])
        assert config.read_bytes() == before


async def test_a_reload_waits_for_a_server_that_is_too_busy_to_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = iter([False, True, True])

    async def loaded_at(url: str) -> str:
        if next(silent, False):
            raise TransientFault("nats-server does not answer")
        return await config_loaded_at(url)

    async with served(tmp_path, [user("a")]) as server:
        monkeypatch.setattr("lineshaft.backbone.server.config_loaded_at", loaded_at)
        await server.reload([user("b")])
        assert next(silent, None) is None
        with client(server.mqtt_url, "b-1", "b") as device:
            await until(device.connected.is_set)


async def test_tls_with_passwords(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("listener", server=True)
    tls = MqttTls(certificate=str(certificate), key=str(key))
    backbone = await Backbone.start(
        None, tmp_path / "nats", topic_filters=["plant/#"], mqtt_port=0, mqtt_users=[user("a")], mqtt_tls=tls
    )
    try:
        commands = backbone.device_commands()
        running = asyncio.create_task(commands.run())
        with client(backbone.mqtt_url, "c", "a", ca_certs=str(authority.ca)) as device:
            await until(device.connected.is_set)
            device.client.subscribe("plant/a/#", 1)
            device.client.publish("plant/a/own", b"", 1)
            await until(lambda: device.received)
            await commands.publish("plant/a/cmd", b"x")
            await until(lambda: "plant/a/cmd" in device.received)
        running.cancel()
        plain = DeviceCommands(backbone.mqtt_url.replace("mqtts", "mqtt"))
        with pytest.raises(TransientFault):
            await plain.publish("plant/a", b"", deadline_s=0.2)
    finally:
        await backbone.stop()


async def test_a_client_certificate_is_the_devices_name(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    certificate, key = authority.issue("listener", server=True)
    own, own_key = authority.issue("lineshaft")
    tls = MqttTls(
        certificate=str(certificate),
        key=str(key),
        ca=str(authority.ca),
        clients="certificate",
        own_certificate=str(own),
        own_key=str(own_key),
        own_name="CN=lineshaft",
    )
    device_user = MqttUser(username="CN=a", publish=("plant/a/#",), subscribe=("plant/a/#",))
    backbone = await Backbone.start(
        None,
        tmp_path / "nats",
        topic_filters=["plant/#"],
        mqtt_port=0,
        mqtt_users=[device_user],
        mqtt_tls=tls,
    )
    try:
        running = asyncio.create_task((commands := backbone.device_commands()).run())
        ours, our_key = authority.issue("a")
        shown = {"ca_certs": str(authority.ca), "certfile": str(ours), "keyfile": str(our_key)}
        with client(backbone.mqtt_url, "c", **shown) as device:
            await until(device.connected.is_set)
            device.client.subscribe("plant/a/#", 1)
            device.client.publish("plant/b/t", b"", 1)
            device.client.publish("plant/a/t", b"", 1)
            await until(lambda: device.received == ["plant/a/t"])
            await commands.publish("plant/a/cmd", b"x")
            await until(lambda: "plant/a/cmd" in device.received)
        running.cancel()
        refused = dict(zip(("certfile", "keyfile"), map(str, authority.issue("b")), strict=True))
        with client(backbone.mqtt_url, "d", ca_certs=str(authority.ca), **refused) as unknown:
            await until(lambda: unknown.refused == 5)
        forged = ssl.create_default_context(cafile=str(authority.ca))
        forged.load_cert_chain(*stranger.issue("a"))
        reader, writer = await asyncio.open_connection("127.0.0.1", port(backbone.mqtt_url), ssl=forged)
        with pytest.raises(ssl.SSLError, match="unknown ca"):
            await reader.read()
        writer.close()
    finally:
        await backbone.stop()


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        (MqttTls(certificate="none.pem", key="none.pem"), "no file none.pem"),
        (MqttTls(certificate=__file__, key=__file__, clients="certificate"), "give ca, own_certificate"),
    ],
)
async def test_tls_that_cannot_work_is_refused(tmp_path: Path, tls: MqttTls, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        await NatsServer().start(tmp_path / "nats", mqtt_port=0, mqtt_users=[user("a")], mqtt_tls=tls)
