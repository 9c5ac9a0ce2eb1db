"""Node-RED as one would use it for the same: event by MQTT, claim in SQLite, HTTP request, note in SQLite.

The events come over the MQTT listener of the same NATS server, the same bodies go to the same kind of server,
as many are under way, and each claim is on disk before it is sent (WAL, synchronous FULL). It is asked less:
events come at most once, and a repeat is not told the outcome.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from nats.aio.msg import Msg

from lineshaft.app.bench.call_sides import IN_FLIGHT, TWICE_EVERY, sent_notice
from lineshaft.app.bench.npm import npm_installed
from lineshaft.app.bench.rounds import repeat_for
from lineshaft.app.child_process import end_with_its_input
from lineshaft.backbone import Backbone, Connection
from lineshaft.core.errors import TransientFault
from lineshaft.core.ids import new_id

__all__ = ["NodeRed", "NodeRedSide"]

_PACKAGES = ("node-red@4", "node-red-node-sqlite@1")
_START_S = 60.0
_ANSWER_S = 30.0
_GRACE_S = 5.0
_HERE = Path(__file__).parent
_LEDGER = """
    CREATE TABLE calls (
        key TEXT PRIMARY KEY, state TEXT NOT NULL, request TEXT NOT NULL, document TEXT,
        created_at TEXT NOT NULL, finished_at TEXT
    )
"""


class NodeRed:
    """One that is installed. version: of Node-RED"""

    def __init__(self, node: str, folder: Path) -> None:
        self._node = node
        self._program = folder / "node_modules/node-red/red.js"
        about = json.loads(self._program.with_name("package.json").read_text())
        self.version: str = about["version"]

    @classmethod
    def found(cls) -> NodeRed | None:
        """Installed from npm into the cache at the first time; None, saying why, where it cannot be."""
        installed = npm_installed("Node-RED", "node-red", _PACKAGES)
        return None if installed is None else cls(*installed)

    @asynccontextmanager
    async def running(self, folder: Path, target: str, backbone: Backbone) -> AsyncIterator[NodeRedSide]:
        """folder: for its files, made here; target: address of the server. raises  TransientFault"""
        ledger, flow = _files(folder)
        environment = {"BENCH_LEDGER": str(ledger), "BENCH_TARGET": f"{target}/notices"}
        async with self.program(folder, flow, environment, backbone):
            side = NodeRedSide(backbone.connection)
            subscription = await backbone.connection.subscribe("bench.done", side.on_done)
            try:
                await side.begin()
                yield side
            finally:
                await backbone.connection.unsubscribe(subscription)

    @asynccontextmanager
    async def program(
        self, folder: Path, flow: Path, environment: dict[str, str], backbone: Backbone
    ) -> AsyncIterator[Process]:
        """Runs a flow, which may read the environment, and where MQTT is."""
        mqtt = urlsplit(backbone.mqtt_url)
        bench = {
            "BENCH_FLOW": str(flow),
            "BENCH_MQTT_HOST": str(mqtt.hostname),
            "BENCH_MQTT_PORT": str(mqtt.port),
            **environment,
        }
        process = await asyncio.create_subprocess_exec(
            self._node,
            str(self._program),
            "--userDir",
            str(folder),
            "--settings",
            str(_HERE / "node_red_settings.js"),
            stdin=PIPE,
            stdout=sys.__stderr__,
            cwd=folder,
            env=os.environ | bench,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            await end_with_its_input(process, _GRACE_S)


class NodeRedSide:
    """posted: business keys so far."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._done: dict[str, asyncio.Future[None]] = {}
        self._numbers = count(1)
        self.posted = 0

    async def begin(self) -> None:
        """Returns when the flow has answered its first event, which is told until then."""
        identity, body = new_id(), _body(next(self._numbers))
        answered = self._done[identity] = asyncio.get_running_loop().create_future()
        give_up_at = time.monotonic() + _START_S
        while not answered.done():
            if time.monotonic() > give_up_at:
                raise TransientFault("Node-RED did not start", hint="what it said is above")
            await self._tell(identity, body)
            await asyncio.wait([answered], timeout=0.5)
        self.posted += 1

    async def round(self, seconds: float) -> tuple[float, list[float]]:
        """Facts per second, and how long each took from its event to its note, in ms."""
        begun_at = time.perf_counter()
        took_ms = await repeat_for(seconds, IN_FLIGHT, self._one)
        return len(took_ms) / (time.perf_counter() - begun_at), took_ms

    async def _one(self) -> None:
        number = next(self._numbers)
        body = _body(number)
        tellings = 1 if number % TWICE_EVERY else 2
        awaited = {new_id(): asyncio.get_running_loop().create_future() for _ in range(tellings)}
        self._done |= awaited
        for identity in awaited:
            await self._tell(identity, body)
        _, missing = await asyncio.wait(awaited.values(), timeout=_ANSWER_S)
        if missing:
            raise TransientFault(
                f"Node-RED did not answer within {_ANSWER_S:g} s", hint="what it said is above"
            )
        self.posted += 1

    async def _tell(self, identity: str, body: dict[str, str]) -> None:
        await self._connection.publish("bench.events", msgspec.json.encode({"id": identity, "body": body}))

    async def on_done(self, message: Msg) -> None:
        done = self._done.pop(message.data.decode(), None)
        if done is not None:  # the first event may be answered several times
            done.set_result(None)


def _files(folder: Path) -> tuple[Path, Path]:
    """A ledger without rows, and the flow."""
    folder.mkdir()
    ledger = folder / "ledger.db"
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(_LEDGER)
    return ledger, Path(shutil.copy(_HERE / "node_red_flow.json", folder))


def _body(number: int) -> dict[str, str]:
    return sent_notice(number) | {"externalRef": new_id()}
