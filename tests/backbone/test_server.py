from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from pathlib import Path

import msgspec
import pytest

from lineshaft.backbone import Backbone, Connection, MqttUser, NatsServer
from lineshaft.backbone.server import server_binary
from lineshaft.backbone.server_log import ServerLog
from lineshaft.core.errors import ConfigError, LineshaftError, PermanentFault

from .conftest import event, is_well, kill_server, until


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_a_second_product_on_the_same_store_is_refused_with_the_reason(
    backbone: Backbone, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=f"is in use by process {os.getpid()}"):
        await Backbone.start(None, tmp_path / "data", mqtt_port=0)
    await backbone.publisher.publish([event(1)])
    await until(lambda: is_well(backbone))


_PRODUCT = """
import asyncio, sys
from pathlib import Path
from lineshaft.backbone import NatsServer

async def main():
    server = NatsServer(guard=sys.argv[2])
    await server.start(Path(sys.argv[1]), mqtt_port=0)
    print(server.url, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("guard", ["signal", "watch"])
async def test_a_killed_product_leaves_no_server_behind(tmp_path: Path, guard: str) -> None:
    data_dir = tmp_path / "data"
    product = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PRODUCT, str(data_dir), guard, stdout=asyncio.subprocess.PIPE
    )
    assert product.stdout is not None
    url = (await product.stdout.readline()).decode().strip()
    server_pid = int((data_dir / "nats.pid").read_text())
    assert alive(server_pid)
    with pytest.raises(ConfigError, match=f"is in use by process {product.pid}"):
        await NatsServer().start(data_dir, mqtt_port=0)
    product.kill()
    await product.wait()
    await until(lambda: not alive(server_pid))
    taken_over = NatsServer()
    await taken_over.start(data_dir, mqtt_port=0)
    assert taken_over.url == url
    await taken_over.stop()


async def test_an_orphan_on_the_store_is_stopped_before_a_server_starts(tmp_path: Path) -> None:
    """The guard failed too: a server of ours runs on the store, with nobody holding the lock."""
    data_dir = tmp_path / "data"
    first = NatsServer()
    await first.start(data_dir, mqtt_port=0)
    await first.stop()
    orphan = await asyncio.create_subprocess_exec(str(server_binary()), "-c", str(data_dir / "nats.conf"))
    pid_file = data_dir / "nats.pid"
    await until(lambda: pid_file.exists() and pid_file.read_text() == str(orphan.pid))
    second = NatsServer()
    await second.start(data_dir, mqtt_port=0)
    assert orphan.returncode is not None or not alive(orphan.pid)
    assert second.pid != orphan.pid
    await second.stop()
    await orphan.wait()


async def test_a_foreign_process_with_the_remembered_pid_is_left_alone(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    bystander = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(600)")
    (data_dir / "nats.pid").write_text(str(bystander.pid))
    server = NatsServer()
    await server.start(data_dir, mqtt_port=0)
    assert bystander.returncode is None
    bystander.kill()
    await bystander.wait()
    await server.stop()


async def test_a_killed_server_is_started_again_on_the_same_ports(backbone: Backbone) -> None:
    server = backbone.server
    assert server is not None
    before = (server.url, server.mqtt_url, server.pid)
    kill_server(backbone)
    await backbone.publisher.publish([event(1)])
    assert (server.url, server.mqtt_url) == before[:2]
    assert server.pid != before[2]
    assert server.restarts == 1
    await until(lambda: is_well(backbone, "restarted 1 times"))


async def test_it_keeps_starting_the_server_that_keeps_dying(backbone: Backbone) -> None:
    server = backbone.server
    assert server is not None
    for restart in range(1, 4):
        kill_server(backbone)
        await until(lambda: server.restarts == restart and server.pid is not None)  # noqa: B023
    await backbone.publisher.publish([event(1)])


async def test_ports_and_password_survive_a_restart_of_the_product(tmp_path: Path) -> None:
    addresses = set()
    for _ in range(2):
        server = NatsServer()
        await server.start(tmp_path / "data", mqtt_port=0)
        addresses.add((server.url, server.mqtt_url, server.monitor_url, server.password))
        await server.stop()
    assert len(addresses) == 1


async def test_a_remembered_port_that_is_taken_is_replaced_and_a_wanted_one_refused(tmp_path: Path) -> None:
    server = NatsServer()
    await server.start(tmp_path / "data", mqtt_port=0)
    url, mqtt_port = server.url, int(server.mqtt_url.rpartition(":")[2])
    await server.stop()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", int(url.rpartition(":")[2])))
        squatter.listen()
        await server.start(tmp_path / "data", mqtt_port=0)
        assert server.url != url
        assert server.mqtt_url.endswith(f":{mqtt_port}")
        await server.stop()
        with pytest.raises(ConfigError, match=r"NATS client port .* is in use"):
            await server.start(tmp_path / "data", port=int(url.rpartition(":")[2]), mqtt_port=0)


async def test_secrets_are_readable_by_their_owner_only(backbone: Backbone, tmp_path: Path) -> None:
    for name in ("nats.conf", "nats-state.json"):
        assert stat.S_IMODE((tmp_path / "data" / name).stat().st_mode) == 0o600


async def test_the_configuration_that_the_server_runs_is_the_safe_one(
    backbone: Backbone, tmp_path: Path
) -> None:
    config = msgspec.json.decode((tmp_path / "data" / "nats.conf").read_bytes())
    assert config["jetstream"]["sync_interval"] == "always"
    assert config["jetstream"]["max_buffered_size"] == 2 * 2**30
    assert config["jetstream"]["max_buffered_msgs"] == 2_000_000
    assert config["host"] == config["mqtt"]["host"] == "127.0.0.1"
    assert config["http"].startswith("127.0.0.1:")


async def test_mqtt_for_the_network_needs_users(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"0\.0\.0\.0.* would be open to everyone"):
        await NatsServer().start(tmp_path / "data", mqtt_port=0, mqtt_host="0.0.0.0")
    with pytest.raises(ConfigError, match="'lineshaft' cannot be declared"):
        await NatsServer().start(
            tmp_path / "data", mqtt_port=0, mqtt_users=[MqttUser(username="lineshaft", password="x")]
        )


async def test_a_server_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_BIN", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="NATS_BIN"):
        await NatsServer().start(tmp_path / "data", mqtt_port=0)
    monkeypatch.setenv("NATS_BIN", "/bin/false")
    with pytest.raises(PermanentFault, match="ended at start with code 1"):
        await NatsServer().start(tmp_path / "data", mqtt_port=0)
    monkeypatch.delenv("NATS_BIN")
    server = NatsServer()
    await server.start(tmp_path / "data", mqtt_port=0)
    await server.stop()


async def test_a_restart_that_fails_is_tried_again(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NATS_BIN", "/bin/false")
    kill_server(backbone)
    server = backbone.server
    assert server is not None
    await until(lambda: server.restarts >= 2)
    monkeypatch.delenv("NATS_BIN")
    await backbone.publisher.publish([event(1)])


async def test_dropped_messages_and_violations_are_counted_over_a_log_rotation(tmp_path: Path) -> None:
    path = tmp_path / "nats.log"
    path.write_text("[WRN] Dropping messages: from before\n")
    log = ServerLog(path)
    with path.open("a") as file:
        file.write('[ERR] Publish Violation - Subject "ls.x"\n[WRN] Dropping mess')
    log.look()
    assert (log.dropped, log.violations) == (0, 1)
    with path.open("a") as file:
        file.write("ages due to excessive stream ingest rate\n")
    log.look()
    assert (log.dropped, log.violations) == (1, 1)
    path.write_text("[WRN] Dropping messages\n")
    log.look()
    assert log.dropped == 2


async def test_stopping_is_final(tmp_path: Path) -> None:
    server = NatsServer()
    await server.start(tmp_path / "data", mqtt_port=0)
    pid, url = server.pid, server.url
    await server.stop()
    assert pid is not None
    assert not alive(pid)
    assert server.restarts == 0
    with pytest.raises(LineshaftError):
        await Connection.open(url, timeout_s=0.3)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_streams_declared_twice_stay_as_they_are(tmp_path: Path) -> None:
    configs, storage_bytes = [], 2**30
    for _ in range(2):
        backbone = await Backbone.start(
            None,
            tmp_path / "data",
            mqtt_port=0,
            topic_filters=["plant/#", "spBv1.0/#"],
            storage_bytes=storage_bytes,
        )
        await backbone.publisher.publish([event(1)])
        names = (await backbone.connection.api("STREAM.NAMES"))["streams"]
        infos = [await backbone.connection.api(f"STREAM.INFO.{name}") for name in sorted(names)]
        configs.append([(info["config"], info["created"]) for info in infos])
        await backbone.stop()
    assert configs[0] == configs[1]
    limits = {config["name"]: config for config, _ in configs[1]}
    assert {"LS_TELEMETRY", "LS_OPERATIONAL", "LS_TRANSACTIONAL", "LS_ANALYTICAL"} < set(limits)
    assert {"LS_RAW", "LS_DEAD", "LS_ADVISORIES", "$MQTT_msgs"} < set(limits)
    assert all(config["max_bytes"] > 0 for config in limits.values())
    for never_forgets in ("LS_TRANSACTIONAL", "$MQTT_msgs", "LS_SOURCES"):
        assert limits[never_forgets]["discard"] == "new"
    assert sum(config["max_bytes"] for config in limits.values()) <= storage_bytes
    assert limits["LS_RAW"]["max_age"] == 6 * 3600 * 10**9
