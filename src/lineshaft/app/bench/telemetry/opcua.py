"""OPC UA: 1,000 tags that change ten times a second, through the process that runs a node's sources."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from nats.aio.msg import Msg

from lineshaft.app.bench.child import Child, program
from lineshaft.app.bench.facts import ENTERPRISE, PLANT
from lineshaft.app.bench.npm import npm_installed
from lineshaft.app.bench.processors import Usage
from lineshaft.app.bench.rounds import ROUNDS, median
from lineshaft.app.bench.telemetry.ours import part_of_a_node
from lineshaft.backbone import Backbone
from lineshaft.backbone.server_state import free_port
from lineshaft.backbone.streams import SOURCES_PREFIX
from lineshaft.backbone.topics import topic_to_subject
from lineshaft.core.errors import TransientFault
from lineshaft.telemetry.tags import COLUMNS

__all__ = ["bench_opcua"]

_TOPIC = "opcua/line"
_PACKAGE = "node-opcua-server@2"
_PROGRAM = Path(__file__).with_name("opcua_server.js")
_TAGS, _HZ = 1000, 10
_TIMES = 3  # what is asked for in `seconds` is short beside the publishing interval
_START_S, _LATE_S, _SILENCE_S = 60.0, 20.0, 1.0


class _Message(msgspec.Struct):
    metric: list[str]
    value: list[float | None]


class _Taken:
    """What came of each value of each tag."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(_Message)
        self._seen: set[tuple[str, float]] = set()
        self.first: set[str] = set()
        self.news = asyncio.Event()

    async def take(self, message: Msg) -> None:
        batch = self._decoder.decode(message.data)
        self.first.update(batch.metric)
        self._seen.update((m, v) for m, v in zip(batch.metric, batch.value, strict=True) if v)
        self.news.set()

    @property
    def changes(self) -> int:
        return len(self._seen)

    async def until(self, within_s: float, *, changes: int = 0, tags: int = 0) -> None:
        """Returns when so many came, or nothing came for so long."""
        while self.changes < changes or len(self.first) < tags:
            self.news.clear()
            try:
                async with asyncio.timeout(within_s):
                    await self.news.wait()
            except TimeoutError:
                return


async def bench_opcua(backbone: Backbone, folder: Path, seconds: float) -> dict[str, Any] | None:
    """Changes that a node-opcua server sent and that came to the backbone, and what they took of a core.

    None, saying why, where that server cannot be installed.
    raises  TransientFault when the source did not connect
    """
    installed = npm_installed("node-opcua", "node-opcua", [_PACKAGE])
    if installed is None:
        return None
    node, modules = installed
    async with (
        program("node-opcua", [node, _PROGRAM], {"NODE_PATH": str(modules / "node_modules")}) as server,
        _source(server, backbone, folder) as (pid, taken),
    ):
        names = {server.pid: "server", pid: "source"}
        sent, took, percent = 0, 0, []
        for _ in range(ROUNDS):
            before, usage = taken.changes, Usage(names)
            answer = await server.ask(
                {"seconds": _TIMES * seconds, "hz": _HZ}, within_s=_TIMES * seconds + _LATE_S
            )
            cores = usage.cores()
            sent = answer["sent"]
            await taken.until(_SILENCE_S, changes=sent)
            took = taken.changes
            percent.append(100 * cores["cores"].get("source", 0.0))
            changes_s = (took - before) / (_TIMES * seconds)
    return {
        "changes_s": round(changes_s),
        "sent": sent,
        "taken": took,
        "core_percent": median(percent),
        **cores,
    }


@asynccontextmanager
async def _source(server: Child, backbone: Backbone, folder: Path) -> AsyncIterator[tuple[int, _Taken]]:
    """The process of the sources, subscribed to every tag."""
    asked = {"tags": _TAGS, "port": free_port(), "folder": str(folder / "opcua-certificates")}
    about = await server.ask(asked, within_s=_START_S)
    taken = _Taken()
    subscription = await backbone.connection.subscribe(SOURCES_PREFIX + topic_to_subject(_TOPIC), taken.take)
    try:
        settings = _write_plant(folder / "opcua", about["url"], about["namespace"])
        async with part_of_a_node("sources_child", backbone, settings, [_TOPIC]) as process:
            await taken.until(_START_S, tags=_TAGS)
            if len(taken.first) < _TAGS:
                raise TransientFault(
                    f"the OPC UA source has {len(taken.first)} of {_TAGS} tags", hint="what it said is above"
                )
            yield process.pid, taken
    finally:
        await backbone.connection.unsubscribe(subscription)


def _write_plant(folder: Path, url: str, namespace: str) -> Path:
    folder.mkdir()
    with (folder / "tags.csv").open("w", newline="") as file:
        rows = csv.DictWriter(file, COLUMNS, restval="")
        rows.writeheader()
        for number in range(_TAGS):
            rows.writerow(
                {
                    "tag": f"t{number:04}",
                    "topic": _TOPIC,
                    "metric": f"nsu={namespace};s=t{number:04}",
                    "property": "pressure",
                    "equipment_id": "line",
                    "physical_asset_id": "line",
                    "unit": "BAR",
                }
            )
    (folder / "rules.yaml").write_text("rules: []\n")
    source = {"kind": "opcua", "options": {"url": url, "topic": _TOPIC, "sampling_ms": 0}}
    document = {
        "enterprise": ENTERPRISE,
        "plant": PLANT,
        "time_zone": "UTC",
        "telemetry": {"tags": "tags.csv", "rules": "rules.yaml", "sources": {"line": source}},
    }
    settings = folder / "lineshaft.yaml"
    settings.write_bytes(msgspec.yaml.encode(document))
    return settings
