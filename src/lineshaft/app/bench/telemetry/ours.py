"""Our side: the telemetry process of a node, as the node runs it, on a plant of the bench."""

from __future__ import annotations

import asyncio
import csv
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from nats.aio.msg import Msg

from lineshaft.app.bench.facts import ENTERPRISE, PLANT
from lineshaft.app.bench.telemetry.load import LIMIT, PER_MESSAGE, RELEASE, Shape, tag_names
from lineshaft.app.bench.telemetry.trial import Told
from lineshaft.app.child_process import end_with_its_input
from lineshaft.app.telemetry_orders import TelemetryOrders
from lineshaft.backbone import Backbone, event_subject, stream_of
from lineshaft.contracts.catalogue import THRESHOLD_EXCEEDED
from lineshaft.core.errors import TransientFault
from lineshaft.telemetry.tags import COLUMNS

__all__ = ["NAME", "TOPICS", "OurSide", "our_side", "part_of_a_node"]

NAME = "engine"
TOPICS = ("plant/#", "spBv1.0/#")
_PROBE = "probe"
_START_S, _AGAIN_S, _GRACE_S = 60.0, 0.25, 20.0
_RULES = f"""
rules:
  - id: high
    version: "1"
    property: pressure
    applies_to: {{asset_class: bench}}
    kind: high
    limit: {LIMIT:g}
    unit: BAR
    hysteresis: {LIMIT - RELEASE:g}
    severity: 500
  - id: minutes
    version: "1"
    property: pressure
    applies_to: {{asset_class: bench}}
    kind: window
    every_s: [60]
"""


class _Told(msgspec.Struct):
    """Of ThresholdExceeded: in the plant of the bench each tag is an asset."""

    physical_asset_id: str
    episode_start: datetime


_told = msgspec.json.Decoder(_Told)


class OurSide:
    """Implements `trial.Side`. An event counts when the stream of its class has it."""

    def __init__(self, shape: Shape, process: Process, backbone: Backbone) -> None:
        self.prefix = "spBv1//0" if shape is Shape.SPARKPLUG else "plant"
        self.pids: Mapping[int, str] = {process.pid: NAME}
        self._process = process
        self._connection = backbone.connection

    async def listen(self, tell: Callable[[bytes], None]) -> Callable[[], Awaitable[None]]:
        async def on_message(message: Msg) -> None:
            tell(message.data)

        connection, inbox = self._connection, self._connection.new_inbox()
        stream = stream_of(THRESHOLD_EXCEEDED.eventclass)
        subscription = await connection.subscribe(inbox, on_message)
        config = {
            "deliver_subject": inbox,
            "deliver_policy": "new",
            "ack_policy": "none",
            "filter_subject": event_subject(THRESHOLD_EXCEEDED.eventclass, PLANT, THRESHOLD_EXCEEDED.type),
        }
        made = await connection.api(f"CONSUMER.CREATE.{stream}", {"stream_name": stream, "config": config})

        async def end() -> None:
            await connection.unsubscribe(subscription)
            await connection.api(f"CONSUMER.DELETE.{stream}.{made['name']}")

        return end

    def told(self, payload: bytes) -> Told | None:
        breach = _told.decode(payload)
        return breach.physical_asset_id, round(breach.episode_start.timestamp() * 1000)

    async def begin(self) -> None:
        """Returns when it has told of a broken limit, which it is sent until then.

        raises  TransientFault when it does not
        """
        told = asyncio.Event()
        end = await self.listen(lambda _: told.set())
        give_up_at = time.monotonic() + _START_S
        try:
            while not told.is_set():
                if time.monotonic() > give_up_at or self._process.returncode is not None:
                    raise TransientFault("our telemetry did not start", hint="what it said is above")
                for value in (LIMIT - 20, LIMIT + 1):
                    reading = {"value": value, "time": int(time.time() * 1000)}
                    await self._connection.publish(f"plant.{_PROBE}", msgspec.json.encode(reading))
                    await asyncio.sleep(0.002)  # readings of one tag differ in time
                try:
                    async with asyncio.timeout(_AGAIN_S):
                        await told.wait()
                except TimeoutError:
                    continue
        finally:
            await end()


@asynccontextmanager
async def our_side(
    backbone: Backbone, folder: Path, shape: Shape, *, with_lake: bool = False
) -> AsyncIterator[OurSide]:
    """folder: for the files of the plant, made here; backbone: started with TOPICS. raises TransientFault"""
    settings = _write_plant(folder, shape, with_lake=with_lake)
    async with part_of_a_node("telemetry_child", backbone, settings, TOPICS) as process:
        side = OurSide(shape, process, backbone)
        await side.begin()
        yield side


@asynccontextmanager
async def part_of_a_node(
    module: str, backbone: Backbone, settings: Path, topics: Sequence[str]
) -> AsyncIterator[Process]:
    """A process of `lineshaft.app`, started as a node does it, but not again when it dies."""
    server = backbone.server
    assert server is not None  # noqa: S101 - the bench runs its own
    orders = TelemetryOrders(
        settings=str(settings),
        nats_url=server.url,
        user=server.user,
        password=server.password,
        mqtt_url=backbone.mqtt_url,
        mqtt_tls=None,
        topic_filters=list(topics),
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"lineshaft.app.{module}", stdin=PIPE, start_new_session=True
    )
    assert process.stdin is not None  # noqa: S101 - a pipe
    try:
        process.stdin.write(msgspec.json.encode(orders) + b"\n")
        await process.stdin.drain()
        yield process
    finally:
        await end_with_its_input(process, _GRACE_S)


def _write_plant(folder: Path, shape: Shape, *, with_lake: bool) -> Path:
    """Returns the settings file."""
    folder.mkdir()
    with (folder / "tags.csv").open("w", newline="") as file:
        rows = csv.DictWriter(file, COLUMNS, restval="")
        rows.writeheader()
        rows.writerows(_tags(shape))
    (folder / "rules.yaml").write_text(_RULES)
    telemetry: dict[str, Any] = {"tags": "tags.csv", "rules": "rules.yaml"}
    if with_lake:
        telemetry["lake"] = {"path": "lake", "flush_s": 1}  # so that a load lasts for several writes
    settings = folder / "lineshaft.yaml"
    document = {"enterprise": ENTERPRISE, "plant": PLANT, "time_zone": "UTC", "telemetry": telemetry}
    settings.write_bytes(msgspec.yaml.encode(document))
    return settings


def _tags(shape: Shape) -> Iterator[dict[str, str]]:
    """Those of the load, one to probe, and what `isolation` disturbs with."""
    names = tag_names(shape)
    others = [f"flood/{name}" for name in tag_names(Shape.FLOOD)]
    for number, tag in enumerate([*names, _PROBE, "poisoned", *others]):
        row = {"tag": tag, "topic": f"plant/{tag}", "metric": ""}
        if shape is Shape.SPARKPLUG and number < len(names):
            device, metric = divmod(number, PER_MESSAGE)
            row |= {"topic": f"bench/edge/d{device:02}", "metric": f"m{metric:02}"}
        yield row | {
            "property": "pressure",
            "equipment_id": tag,
            "physical_asset_id": tag,
            "unit": "BAR",
            "asset_class": "bench",
        }
