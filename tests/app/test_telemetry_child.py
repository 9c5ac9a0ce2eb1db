"""The telemetry process itself, killed again and again while plant time goes through a real backbone.

SOAK_HOURS (default 3) of plant time, with SOAK_SEED (default 1); `make soak` runs a day.
"""

from __future__ import annotations

import asyncio
import os
import random
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
import pytest
from filelock import FileLock
from msgspec.structs import replace
from nats.aio.msg import Msg

from lineshaft.app import telemetry_child
from lineshaft.app.bench.telemetry.ours import part_of_a_node
from lineshaft.app.plant_telemetry import read_telemetry
from lineshaft.app.settings import TelemetrySettings
from lineshaft.app.telemetry_orders import TelemetryOrders
from lineshaft.backbone import Backbone, event_subject, from_message, stream_of
from lineshaft.contracts.catalogue import COUNT_AGGREGATED
from lineshaft.core.errors import TransientFault
from lineshaft.core.values import Event, EventClass
from tests.telemetry.day import EVERY_S, EXECUTE, RULES, WINDOW_S, S, Sent, a_day, tags_csv
from tests.telemetry.day_books import Books, must_be_told, was_told
from tests.telemetry.plant import HEADER, batch_of, raw

HOURS, SEED = float(os.environ.get("SOAK_HOURS", "3")), int(os.environ.get("SOAK_SEED", "1"))
MACHINES = 20
LOT = 200
KILLS = max(3, round(HOURS))
COUNTS = event_subject(EventClass.OPERATIONAL, "north", COUNT_AGGREGATED.type)
SETTINGS = "enterprise: acme\nplant: north\ntime_zone: UTC\ntelemetry: {tags: tags.csv, rules: rules.yaml}\n"
WINDOW_US = WINDOW_S * S


def traffic() -> list[Sent]:
    """Long past: no clock is ahead of receipt. Two readings of each machine at the end close all before."""
    sent = [one for one in a_day(SEED, MACHINES, HOURS) if one.time - one.received < 300 * S]
    for machine in range(MACHINES):
        last = max((one for one in sent if one.machine == machine), key=lambda one: one.time)
        for step in (1, 2):
            time = (last.time // WINDOW_US + 24) * WINDOW_US + step * EVERY_S * S
            sent.append(replace(last, time=time, received=time, state=EXECUTE, quality="good", bar=4.0))
    return sent


def before_the_end(books: Books, sent: list[Sent]) -> Books:
    """Without the windows of the closing readings, which nothing closes but real time."""
    ends = {f"M-{one.machine}": one.time // WINDOW_US * WINDOW_US for one in sent}
    for part in (books.good, books.windows):
        for asset, start in [key for key in part if key[1] == ends[key[0]]]:
            del part[asset, start]
    return books


class Line:
    def __init__(self, folder: Path, backbone: Backbone, sent: list[Sent]) -> None:
        self._folder = folder
        self._backbone = backbone
        self._dice = random.Random(SEED)
        self._sent = sent
        self._go_on = asyncio.Event()
        self.kills = 0

    async def feed(self) -> None:
        """A part of the messages between two kills."""
        for start in range(0, len(self._sent), LOT):
            while start > len(self._sent) * (self.kills + 1) // (KILLS + 1):
                self._go_on.clear()
                await self._go_on.wait()
            lot = self._sent[start : start + LOT]
            await self._backbone.raw_sink().put([(f"line/m{one.machine}", one.payload) for one in lot])
            await asyncio.sleep(0.05)

    async def run(self, expected: Books) -> Books:
        """Killed soon after it has told something, and started with another version of the rules; in the end
        it has minutes to tell all."""
        while self.kills < KILLS:
            async with self._process() as process:
                told = asyncio.Event()
                subscription = await self._backbone.connection.subscribe(COUNTS, _setter(told))
                await told.wait()
                await asyncio.sleep(self._dice.uniform(0, 2.5))
                process.kill()
                await process.wait()
                await self._backbone.connection.unsubscribe(subscription)
            self.kills += 1
            self._go_on.set()
        async with self._process():
            for _ in range(150):
                await asyncio.sleep(1)
                found = await self.told()
                if found == expected:
                    break
        return found

    async def told(self) -> Books:
        events = []
        for eventclass in (EventClass.OPERATIONAL, EventClass.ANALYTICAL):
            events += await self._events(eventclass)
        assert len({event.id for event in events}) == len(events)
        return before_the_end(was_told(events), self._sent)

    def write(self) -> Path:
        (self._folder / "tags.csv").write_text(tags_csv(MACHINES))
        rules = [{**rule, "version": str(self.kills)} for rule in RULES]
        (self._folder / "rules.yaml").write_bytes(msgspec.json.encode({"rules": rules}))
        settings = self._folder / "lineshaft.yaml"
        settings.write_text(SETTINGS)
        return settings

    def _process(self) -> AbstractAsyncContextManager[Process]:
        return part_of_a_node("telemetry_child", self._backbone, self.write(), ["line/#"])

    async def _events(self, eventclass: EventClass) -> list[Event]:
        return [
            from_message(each.headers, each.data)
            async for each in self._backbone.replay(stream_of(eventclass))
        ]


def _setter(event: asyncio.Event) -> Callable[[Msg], Awaitable[None]]:
    async def take(_: Msg) -> None:
        event.set()

    return take


@pytest.mark.timeout(480 + 60 * HOURS)
async def test_a_day_through_a_process_that_is_killed(tmp_path: Path) -> None:
    sent = traffic()
    expected = before_the_end(must_be_told(sent)[0], sent)
    backbone = await Backbone.start(
        None, tmp_path / "nats", topic_filters=["line/#"], with_sources=True, mqtt_port=0
    )
    try:
        line = Line(tmp_path, backbone, sent)
        line.write()
        feeding = asyncio.create_task(line.feed())
        told = await line.run(expected)
        await feeding
    finally:
        await backbone.stop()
    assert sum(told.good.values()) == sum(expected.good.values())
    for part in Books.__struct_fields__:
        assert getattr(told, part) == getattr(expected, part), part


async def test_a_lock_that_another_holds_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry_child, "_LOCK_S", 0.01)
    settings = tmp_path / "lineshaft.yaml"
    settings.write_text(SETTINGS)
    orders = TelemetryOrders(
        settings=str(settings),
        nats_url="",
        user="",
        password="",
        mqtt_url="",
        mqtt_tls=None,
        topic_filters=[],
    )
    lock = tmp_path / "data" / "telemetry.lock"
    with FileLock(lock), pytest.raises(TransientFault, match=f"another telemetry process has held {lock}"):
        await telemetry_child.work(orders, asyncio.Event())


@pytest.mark.parametrize(("stream", "read"), [("LS_RAW", 10), ("LS_SOURCES", 30), ("$MQTT_msgs", 30)])
def test_only_of_what_may_be_lost_a_flood_is_cut(stream: str, read: int, tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_text(HEADER + "A,plant/a,,p,E,A,BAR,,\n")
    (tmp_path / "rules.yaml").write_text("rules: []\n")
    settings = TelemetrySettings(tags="tags.csv", rules="rules.yaml", most_messages_per_s=1)
    rules = telemetry_child._rules(read_telemetry(settings, tmp_path), settings)
    batch = batch_of(raw("plant/a", b'{"value": 1}', number / 100) for number in range(30))
    assert len(rules.decoder.decode(replace(batch, stream=stream)).readings.tag) == read
