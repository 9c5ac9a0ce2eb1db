"""`lineshaft devices`: the file, and what the running listener tells."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from typer.testing import CliRunner

from lineshaft.app.devices_cli import devices
from lineshaft.backbone import NatsServer, read_devices
from lineshaft.core.errors import ConfigError

FILE = """\
devices:
  - {id: filler-01, password: first, publish: [plant/l1/filler-01/#]}  # of hall 1
"""


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINESHAFT_CONFIG", raising=False)
    (tmp_path / "lineshaft.yaml").write_text("{enterprise: acme, plant: leipzig, time_zone: Europe/Berlin}\n")
    (tmp_path / "devices.yaml").write_text(FILE)
    return CliRunner()


def test_check_says_every_error_with_its_line(cli: CliRunner, tmp_path: Path) -> None:
    found = cli.invoke(devices, ["check", "--json"])
    assert (found.exit_code, json.loads(found.stdout)["devices"]) == (0, 1)
    (tmp_path / "devices.yaml").write_text(FILE + "  - {id: b, publish: ['#']}\n")
    found = cli.invoke(devices, ["check"])
    assert found.exit_code == 1
    assert "devices.yaml:3: b needs one of password" in found.stdout
    assert "2 error(s)" in found.stdout


def test_an_added_device_has_a_password_of_its_own_shown_once(cli: CliRunner, tmp_path: Path) -> None:
    path = tmp_path / "devices.yaml"
    path.chmod(0o600)
    found = cli.invoke(devices, ["add", "filler-02", "--publish", "plant/l1/filler-02/#", "--json"])
    password = json.loads(found.stdout)["password"]
    found = cli.invoke(devices, ["add", "edge-07", "--sparkplug", "G/E7"])
    assert found.exit_code == 0
    first, second, edge = read_devices(path)
    assert (first.id, second.user.password) == ("filler-01", password)
    assert edge.user.password in found.stdout
    assert "spBv1.0/G/NBIRTH/E7" in edge.publishes
    assert password not in path.read_text()
    assert path.read_text().startswith(FILE)
    for secret in (path, tmp_path / "secrets" / "edge-07"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (["filler-01", "--publish", "plant/x"], "'filler-01' is declared twice"),
        (["b", "--publish", "plant/l1/#"], "b may publish as filler-01"),
        (["b"], "may do nothing"),
        (["b", "--sparkplug", "G"], "edge_node"),
        (["../b", "--publish", "plant/b"], "choose another id"),
    ],
)
def test_what_cannot_be_added_leaves_everything_as_it_was(
    cli: CliRunner, tmp_path: Path, wanted: list[str], said: str
) -> None:
    found = cli.invoke(devices, ["add", *wanted])
    assert isinstance(found.exception, ConfigError)
    assert said in str(found.exception)
    assert (tmp_path / "devices.yaml").read_text() == FILE
    assert not [each for each in tmp_path.rglob("*") if each.is_file() and each.name not in _KNOWN]


_KNOWN = ("lineshaft.yaml", "devices.yaml")


def test_the_first_device_makes_the_file(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "devices.yaml").unlink()
    assert cli.invoke(devices, ["add", "a", "--publish", "plant/a"]).exit_code == 0
    assert [device.id for device in read_devices(tmp_path / "devices.yaml")] == ["a"]


def test_list_and_violations_tell_of_the_running_listener(cli: CliRunner, tmp_path: Path) -> None:
    users = [device.user for device in read_devices(tmp_path / "devices.yaml")]
    (tmp_path / "devices.yaml").write_text(FILE + "  - {id: spare, password: x, publish: [plant/spare]}\n")

    async def look() -> tuple[list[dict[str, str]], list[dict[str, object]]]:
        server = NatsServer()
        await server.start(tmp_path / "data" / "nats", mqtt_port=0, mqtt_users=users)
        client = mqtt.Client("panel")
        client.username_pw_set("filler-01", "first")
        client.connect("127.0.0.1", int(server.mqtt_url.rpartition(":")[2]))
        client.loop_start()
        try:
            sent = client.publish("plant/l2/x", b"", 1)
            await asyncio.to_thread(sent.wait_for_publish, 60)
            listed = await asyncio.to_thread(cli.invoke, devices, ["list", "--json"])
            denied = await asyncio.to_thread(cli.invoke, devices, ["violations", "--json"])
        finally:
            client.disconnect()
            client.loop_stop()
            await server.stop()
        return json.loads(listed.stdout), json.loads(denied.stdout)

    rows, (incident,) = asyncio.run(look())
    assert [(row["device"], row["client_id"], row["in"]) for row in rows] == [
        ("filler-01", "panel", "1"),
        ("spare", "", ""),
    ]
    assert (incident["kind"], incident["user"], incident["topic"]) == (
        "publish_denied",
        "filler-01",
        "plant/l2/x",
    )
    later = cli.invoke(devices, ["violations"])
    assert "a device (127.0.0.1" in later.stdout
    assert "may not publish to plant/l2/x; it tried 1 times" in later.stdout


def test_without_a_backbone_of_its_own_there_is_nothing_to_list(cli: CliRunner) -> None:
    for command in ("list", "violations"):
        assert isinstance(cli.invoke(devices, [command]).exception, ConfigError)
