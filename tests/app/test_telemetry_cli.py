"""`lineshaft telemetry …` without a node, and beside one."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from lineshaft.app.live_channel import LiveSpeaker
from lineshaft.app.node_address import NodeAddress
from lineshaft.app.tailing import tail_values
from lineshaft.app.telemetry_cli import telemetry
from lineshaft.backbone import Backbone
from lineshaft.core.errors import ConfigError, TransientFault
from lineshaft.telemetry import TelemetryPipeline
from tests.telemetry.plant import RULE, TAGS, Outside, batch_of, pipeline, pressures, tag_list
from tests.waiting import until

SETTINGS = """
enterprise: acme
plant: north
time_zone: Europe/Berlin
telemetry:
  tags: tags.csv
  rules: rules.yaml
  sources:
    broker: {kind: mqtt, options: {}}
"""
BREACH = [(0, 200), (10, 220), (45, 225)]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "lineshaft.yaml"
    path.write_text(SETTINGS)
    (tmp_path / "tags.csv").write_text(TAGS)
    (tmp_path / "rules.yaml").write_bytes(msgspec.json.encode({"rules": [RULE]}))
    rows = "".join(f"2024-05-01T06:00:{s:02}Z,P07.PRESSURE,{bar}\n" for s, bar in BREACH)
    (tmp_path / "recording.csv").write_text("time,tag,value\n" + rows)
    return path


def run(config: Path, *args: str | Path) -> Result:
    return CliRunner().invoke(
        telemetry, [*map(str, args), "--config", str(config)], catch_exceptions=False, env={"COLUMNS": "250"}
    )


def test_tags_with_their_rules(config: Path) -> None:
    found = msgspec.json.decode(run(config, "tags", "p0?.p*", "--json").output)
    assert [(row["tag"], row["rules"], row["value"]) for row in found] == [
        (f"P0{n}.PRESSURE", ["hydraulic-pressure-high"], None) for n in (7, 8, 9)
    ]
    assert "P09.OIL" in run(config, "tags", "--asset", "press-09").output
    with pytest.raises(ConfigError, match="no tag of asset 'x' is called P"):
        run(config, "tags", "P*", "--asset", "x")


def test_rules_and_where_they_are(config: Path) -> None:
    (row,) = msgspec.json.decode(run(config, "rules", "list", "--json").output)
    assert (row["rule"], row["kind"]) == ("hydraulic-pressure-high", "high")
    assert row["equipment"] == ["PRESS-07-EQ", "PRESS-08-EQ", "PRESS-09-EQ"]
    assert "PRESS-08-EQ" in run(config, "rules", "list").output


def test_a_recording_through_the_rules(config: Path, tmp_path: Path) -> None:
    recording = tmp_path / "recording.csv"
    found = msgspec.json.decode(run(config, "rules", "test", recording, "--json").output)
    (told,) = found["told"]
    assert told["event"] == "equipment.condition.threshold_exceeded.v1"
    assert (told["asset"], told["rule"]) == ("PRESS-07", "hydraulic-pressure-high")
    assert (told["time"], told["data"]["value"]) == ("2024-05-01T06:00:45.000000Z", 225)
    assert found["readings"]["taken"] == 3
    shown = run(config, "rules", "test", recording).output
    assert "225 BAR, limit 210 (high), since 06:00:10" in shown
    assert "1 told; 3 readings taken" in shown

    other = tmp_path / "other.yaml"
    other.write_bytes(msgspec.json.encode({"rules": [{**RULE, "debounce_s": 60}]}))
    assert "0 told" in run(config, "rules", "test", recording, "--rules", other).output
    recording.write_text("time,tag,value\nnow,P07.PRESSURE,1\n")
    with pytest.raises(ConfigError, match=r"recording\.csv:2: time 'now'"):
        run(config, "rules", "test", recording)


def test_what_cannot_be_browsed_or_followed(config: Path) -> None:
    with pytest.raises(ConfigError, match=r"no source 'x' \(known: broker\)"):
        run(config, "browse", "x")
    with pytest.raises(ConfigError, match="of kind mqtt, which cannot be browsed"):
        run(config, "browse", "broker")
    with pytest.raises(TransientFault, match="no node has run on"):
        run(config, "tail")


@pytest_asyncio.fixture
async def node(config: Path) -> AsyncIterator[tuple[Backbone, TelemetryPipeline]]:
    """What these commands see of one: a backbone, its address, and telemetry that tells what it takes in."""
    data = config.parent / "data"
    backbone = await Backbone.start(None, data / "nats", mqtt_port=0)
    assert backbone.server is not None
    address = NodeAddress(pid=os.getpid(), console="", mqtt="", nats=backbone.server.url)
    (data / "node.json").write_bytes(msgspec.json.encode(address))
    outside = Outside()
    line = pipeline(outside, publisher=backbone.publisher)
    speaker = asyncio.create_task(LiveSpeaker(backbone.connection, "north", line).run())
    yield backbone, line
    speaker.cancel()
    await asyncio.gather(speaker, return_exceptions=True)
    await backbone.stop()


async def test_tags_beside_a_node(node: tuple[Backbone, TelemetryPipeline], config: Path) -> None:
    backbone, line = node
    await backbone.connection.flush()
    await line.handle(batch_of(pressures(BREACH)))
    output = await patiently(config, "tags", "P07*", "--json")
    (row,) = msgspec.json.decode(output)
    assert (row["value"], row["quality"], row["time"]) == (225, "good", "2024-05-01T06:00:45.000000Z")
    assert "225" in await patiently(config, "tags")


async def patiently(config: Path, *args: str) -> str:
    """What the command prints; it waits for two seconds only for what telemetry says."""
    printed: list[str] = []

    async def answered() -> bool:
        with suppress(TransientFault):
            printed.append((await asyncio.to_thread(run, config, *args)).output)
        return bool(printed)

    await until(answered)
    return printed[0]


@pytest.mark.parametrize("as_json", [False, True])
async def test_values_and_events_as_they_come(
    node: tuple[Backbone, TelemetryPipeline], capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    backbone, line = node
    tags = {tag.tag: tag for tag in tag_list()}
    tail = asyncio.create_task(
        tail_values(
            backbone.connection, "north", ZoneInfo("Europe/Berlin"), tags, events=True, as_json=as_json
        )
    )
    shown = ""
    async with asyncio.timeout(60):
        for number in count():  # the first may come before it listens
            later = [(second + 120 * number, bar) for second, bar in BREACH]
            await line.handle(batch_of(pressures(later), 1 + 3 * number))
            shown += capsys.readouterr().out
            if all(text in shown for text in ("225", "P07.PRESSURE", "threshold_exceeded")):
                break
            await asyncio.sleep(0.3)
    tail.cancel()
    await asyncio.gather(tail, return_exceptions=True)
    if as_json:
        documents = [msgspec.json.decode(text) for text in shown.splitlines()]
        value = next(one for one in documents if "tag" in one)
        assert (value["tag"], value["value"], value["unit"]) == ("P07.PRESSURE", 225, "BAR")
        event = next(one for one in documents if "event" in one)
        assert event["data"]["physical_asset_id"] == "PRESS-07"
    else:
        assert re.search(r"(08|09|1.):\d\d:45\.000  P07.PRESSURE +225 BAR", shown)
        assert "limit 210 (high)" in shown
