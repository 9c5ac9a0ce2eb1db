"""Each work measures what it says; a peer finds exactly the breaches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lineshaft.app.bench.commands import bench
from lineshaft.app.bench.telemetry import trial
from lineshaft.app.bench.telemetry.load import Shape
from lineshaft.app.bench.telemetry.ours import TOPICS, our_side
from lineshaft.app.bench.telemetry.peer import Peer
from lineshaft.app.bench.telemetry.peers import NAMES, found_peer
from lineshaft.app.bench.telemetry.trial import Rig, rig
from lineshaft.app.last_run import cache_dir
from lineshaft.backbone import Backbone
from tests.waiting import PATIENCE_S

LOW = {Shape.SINGLE: 4_000, Shape.BATCHES: 100, Shape.SPARKPLUG: 100}
FOLDERS = {"node_red": "node-red", "pathway": "pathway-0.33.0", "mq_bridge": "mq-bridge-1.2.0"}


@pytest.fixture
async def backbone(tmp_path: Path) -> AsyncIterator[Backbone]:
    started = await Backbone.start(None, tmp_path / "nats", mqtt_port=0, topic_filters=TOPICS)
    yield started
    await started.stop()


@pytest.fixture
async def place(backbone: Backbone) -> AsyncIterator[Rig]:
    async with rig(backbone) as made:
        yield made


def installed(name: str) -> Peer:
    if not (cache_dir() / FOLDERS[name] / "complete").exists():
        pytest.skip("`lineshaft bench telemetry` puts it into the cache")
    peer = found_peer(name)
    assert peer is not None
    return peer


@pytest.mark.parametrize("shape", list(LOW))
async def test_our_telemetry_tells_of_exactly_the_breaches(
    shape: Shape, place: Rig, backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_SILENCE_S", PATIENCE_S)
    async with our_side(backbone, tmp_path / "plant", shape) as side:
        seen = await place.trial(side, shape, LOW[shape], 2.0)
        again = await place.trial(side, shape, LOW[shape], 2.0)
    for each in (seen, again):
        assert (each.lost, each.wrong) == (0, 0)
        assert each.latencies_s
    assert "engine" in again.usage["cores"]


@pytest.mark.parametrize("shape", [Shape.SINGLE, Shape.BATCHES])
@pytest.mark.parametrize("name", NAMES)
async def test_a_peer_tells_of_exactly_the_breaches(
    name: str, shape: Shape, place: Rig, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_SILENCE_S", PATIENCE_S)
    peer = installed(name)
    stateful = peer.has_state(shape)
    async with peer.running(backbone, shape, stateful=stateful) as side:
        seen = await place.trial(side, shape, LOW[shape], 2.0)
    assert seen.lost == 0
    assert seen.latencies_s
    assert not stateful or seen.wrong == 0


def test_a_work_that_is_none_is_refused_with_those_that_are() -> None:
    refused = CliRunner().invoke(bench, ["telemetry", "--work", "single,bacthes"])
    assert refused.exit_code == 2
    assert "bacthes" in refused.stderr
    assert "batches" in refused.stderr
