"""A node on a NATS server that is not its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import msgspec
import pytest
import yaml

from lineshaft.app.node import Node, NodeAddress
from lineshaft.app.plant_data import read_plant
from lineshaft.backbone import NatsServer
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import ConfigError
from tests.waiting import until


def settings_file(folder: Path, backbone: dict[str, object]) -> Path:
    path = folder / "lineshaft.yaml"
    settings = {
        "enterprise": "northspring",
        "plant": "leipzig",
        "time_zone": "Europe/Berlin",
        "backbone": backbone,
        "console": {"port": 0},
    }
    path.write_text(yaml.safe_dump(settings))
    return path


async def running(folder: Path) -> NodeAddress:
    path = folder / "data" / "node.json"
    await until(path.exists)
    return msgspec.json.decode(path.read_bytes(), type=NodeAddress)


async def test_a_node_runs_on_an_external_server(tmp_path: Path) -> None:
    server = NatsServer()
    await server.start(tmp_path / "elsewhere", mqtt_port=0, storage_bytes=2 * 2**30)
    try:
        backbone: dict[str, object] = {
            "url": server.url,
            "user": server.user,
            "password": server.password,
            "storage_gib": 1,
        }
        plant = read_plant(settings_file(tmp_path, backbone), SystemClock())
        stop = asyncio.Event()
        node = asyncio.create_task(Node(plant).run(stop))
        address = await running(tmp_path)
        assert address.nats == server.url
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{address.console}/health") as answer:
                assert answer.status == 200
            async with session.get(address.console) as page:
                assert "Backbone" in await page.text()

            async def missing() -> set[str]:
                async with session.get(f"{address.console}/systems") as page:
                    systems = await page.text()
                wanted = {"LS_OPERATIONAL", "ledger", "SQLite", "none waits"}
                return {each for each in wanted if each not in systems}

            async def all_there() -> bool:  # its consumers are declared when it is up already
                return not await missing()

            await until(all_there)
            async with session.get(f"{address.console}/plants") as page:
                assert "this node" in await page.text()
        assert not (tmp_path / "data" / "nats").exists()
        stop.set()
        await node
    finally:
        await server.stop()


async def test_a_console_port_in_use_is_named(tmp_path: Path) -> None:
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    path = settings_file(tmp_path, {})
    path.write_text(path.read_text().replace("port: 0", f"port: {port}"))
    async with listener:
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"):
            await Node(read_plant(path, SystemClock())).run(asyncio.Event())


async def test_a_part_that_does_not_start_is_told_to_people(tmp_path: Path) -> None:
    path = settings_file(tmp_path, {"mqtt_port": 0, "storage_gib": 1, "topics": ["line/#"]})
    path.write_text(path.read_text() + "telemetry: {tags: tags.csv, rules: rules.yaml}\n")
    (tmp_path / "tags.csv").write_text(
        "tag,topic,metric,property,equipment_id,physical_asset_id,unit\n"
        "filler-01.pressure,line/filler-01,,pressure,FILLER-01,FIL-01,BAR\n"
    )
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: []\n")
    plant = read_plant(path, SystemClock())
    rules.write_text("rules: no list\n")  # after the node has read it, before its telemetry process does
    stop = asyncio.Event()
    node = asyncio.create_task(Node(plant).run(stop))
    address = await running(tmp_path)
    async with aiohttp.ClientSession() as session, asyncio.timeout(180):  # three deaths of a process
        found: list[dict[str, str]] = []
        while not found:
            async with session.get(f"{address.console}/api/exceptions") as answer:
                found = await answer.json()
            await asyncio.sleep(0.1)
        page = ""
        while "the process has ended" not in page:
            async with session.get(f"{address.console}/systems") as shown:
                page = await shown.text()
            await asyncio.sleep(0.1)
    stop.set()
    await node
    (told,) = found
    assert (told["kind"], told["source"], told["owner"]) == (
        "technical_fault",
        "telemetry",
        "plant-engineering",
    )
    assert f"{rules}:1" in told["cause"]
