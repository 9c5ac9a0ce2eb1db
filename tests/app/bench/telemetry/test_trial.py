"""A load on a real server, and a side that is a plain subscription."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import msgspec
import pytest
from nats.aio.msg import Msg

from lineshaft.app.bench.telemetry import trial
from lineshaft.app.bench.telemetry.load import LIMIT, RELEASE, Shape
from lineshaft.app.bench.telemetry.trial import Rig, Told, rig
from lineshaft.backbone import Backbone
from tests.waiting import PATIENCE_S, until

COUNT = 10_000
"""Of messages, of each trial."""


class Plain:
    """Implements trial.Side. leaves_out, tells_twice: of the breaches"""

    prefix = "devices"
    pids: Mapping[int, str] = {}

    def __init__(self, backbone: Backbone, *, leaves_out: int = 0, tells_twice: int = 0) -> None:
        self._connection = backbone.connection
        self._high: set[str] = set()
        self._leaves_out, self._tells_twice = leaves_out, tells_twice
        self.messages = self._sent = 0

    async def listen(self, tell: Callable[[bytes], None]) -> Callable[[], Awaitable[None]]:
        async def take(message: Msg) -> None:
            self.messages += 1
            reading = msgspec.json.decode(message.data)
            if reading["value"] > LIMIT and reading["tag"] not in self._high:
                self._high.add(reading["tag"])
                self._tell(tell, message.data)
            elif reading["value"] <= RELEASE:
                self._high.discard(reading["tag"])

        subscription = await self._connection.subscribe("devices.>", take)
        await self._connection.flush()
        self._sent += COUNT

        async def end() -> None:
            await until(lambda: self.messages >= self._sent)  # those behind the last breach, too
            await self._connection.unsubscribe(subscription)

        return end

    def _tell(self, tell: Callable[[bytes], None], payload: bytes) -> None:
        if self._leaves_out:
            self._leaves_out -= 1
            return
        tell(payload)
        if self._tells_twice:
            self._tells_twice -= 1
            tell(payload)

    def told(self, payload: bytes) -> Told:
        reading = msgspec.json.decode(payload)
        return reading["tag"], reading["time"]


@pytest.fixture
async def backbone(tmp_path: Path) -> AsyncIterator[Backbone]:
    started = await Backbone.start(None, tmp_path / "nats", mqtt_port=0)
    yield started
    await started.stop()


@pytest.fixture
async def place(backbone: Backbone) -> AsyncIterator[Rig]:
    async with rig(backbone) as made:
        yield made


async def test_each_breach_is_timed_and_none_is_missing(
    backbone: Backbone, place: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_SILENCE_S", PATIENCE_S)
    side = Plain(backbone)
    first = await place.trial(side, Shape.SINGLE, COUNT, 1.0)
    again = await place.trial(side, Shape.SINGLE, COUNT, 1.0)
    for seen in (first, again):
        assert (seen.lost, seen.wrong) == (0, 0)
        assert len(seen.latencies_s) == 4
        assert all(0 < latency_s < PATIENCE_S for latency_s in seen.latencies_s)
        assert {"load", "nats", "lineshaft"} <= seen.usage["cores"].keys()
    assert side.messages == 2 * COUNT


async def test_what_is_missing_or_told_again_is_counted(
    backbone: Backbone, place: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_SILENCE_S", 8.0)
    seen = await place.trial(Plain(backbone, leaves_out=1, tells_twice=2), Shape.SINGLE, COUNT, 1.0)
    assert (seen.lost, seen.wrong) == (1, 2)
    assert not seen.is_sustained
