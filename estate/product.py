"""The product as a child process on a folder of its own, started, killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import secrets
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from estate.plant import ENTERPRISE, PLANT
from lineshaft.app.node_address import NodeAddress
from lineshaft.backbone.server_state import free_port
from lineshaft.core.errors import TransientFault

__all__ = ["PROCESSES", "Product"]

_PLANT_FILES = Path(__file__).parent / "plants" / "leipzig"
PROCESSES = ("corrective_maintenance", "classify_downtime")
_START_S = 120.0
_PR_SET_PDEATHSIG = 1


class Product:
    """folder       holds `lineshaft.yaml` and the data
    tags, rules  files: a name of the example plant's, or a path
    deadlines_s  for one attempt, by system; else 20 s for ERP, 5 s for the others
    access       what the access file says; None: whoever is on this machine may do everything
    processes    as in the settings
    systems      as in the settings, beside those of the plant

    Its ports stay the same over restarts.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tags: str = "tags.csv",
        rules: str = "rules.yaml",
        store_url: str = "",
        console_port: int = 0,
        mqtt_port: int = 0,
        deadlines_s: Mapping[str, float] | None = None,
        access: Mapping[str, Any] | None = None,
        processes: Sequence[str] = PROCESSES,
        systems: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.access = access
        self.processes = list(processes)
        self.systems = systems or {}
        self.deadlines_s = dict(deadlines_s or {})
        self.tags = tags
        self.rules = rules
        self.console_port = console_port or free_port()
        self.mqtt_port = mqtt_port or free_port()
        self.mqtt_user = "devices"
        self.mqtt_password = secrets.token_urlsafe(12)
        self.webhook_secret = secrets.token_urlsafe(24)
        self.store_url = store_url
        self.starts = 0
        self._process: Process | None = None

    @property
    def settings_path(self) -> Path:
        return self.folder / "lineshaft.yaml"

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def log_path(self) -> Path:
        return self.folder / "lineshaft.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.console_port}"

    @property
    def pid(self) -> int:
        """raises RuntimeError while it does not run"""
        if self._process is None:
            raise RuntimeError("the product does not run")
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """By itself: it was started, and neither killed nor stopped."""
        return self._process is not None and self._process.returncode is not None

    def write_settings(self, erp_url: str, erp_key: str, rest_urls: dict[str, str]) -> None:
        """rest_urls: system name → base address, for cmms, inventory, mes and planning."""
        self.folder.mkdir(parents=True, exist_ok=True)
        titles = {"cmms": "Fixwell CMMS", "inventory": "Stock", "mes": "MES", "planning": "CapaPlan APS"}
        systems: dict[str, object] = {
            "erp": {
                "connector": "tryton",
                "title": "Tryton ERP",
                "options": {
                    "url": erp_url,
                    "key": self._secret("erp_key", erp_key),
                    "storage": {PLANT: "STO"},
                },
                "policy": {"deadline_s": self.deadlines_s.get("erp", 20.0), "concurrency": 4},
            }
        }
        for name, url in rest_urls.items():
            options = {"url": url, "mapping": str(_PLANT_FILES / "mappings" / f"{name}.yaml")}
            if name == "cmms":
                options["webhook_secret"] = self._secret("webhook_secret", self.webhook_secret)
            systems[name] = {
                "connector": "rest",
                "title": titles[name],
                "options": options,
                "policy": {"deadline_s": self.deadlines_s.get(name, 5.0)},
            }
        systems["calendar"] = {
            "connector": "calendar",
            "title": "Shift calendar",
            "options": {"file": str(_PLANT_FILES / "calendar.yaml")},
        }
        settings = {
            "enterprise": ENTERPRISE,
            "plant": PLANT,
            "time_zone": "Europe/Berlin",
            "data": "data",
            "store": {"url": self.store_url},
            "backbone": {
                "mqtt_port": self.mqtt_port,
                "mqtt_user": self.mqtt_user,
                "mqtt_password": self._secret("mqtt_password", self.mqtt_password),
            },
            "console": {"port": self.console_port},
            "systems": {**systems, **self.systems},
            "telemetry": {
                "tags": str(_PLANT_FILES / self.tags),
                "rules": str(_PLANT_FILES / self.rules),
            },
            "processes": self.processes,
        }
        if self.access is not None:
            settings["access"] = "access.yaml"
            (self.folder / "access.yaml").write_text(yaml.safe_dump(dict(self.access), sort_keys=False))
        self.settings_path.write_text(yaml.safe_dump(settings, sort_keys=False))

    def _secret(self, name: str, value: str) -> str:
        """Kept in a file that only its owner reads; the settings hold the reference."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(value)
        return f"${{file:{name}}}"

    async def start(self) -> None:
        """Returns when the node is up.

        raises  TransientFault with the end of its log when it does not come up
        """
        self.starts += 1
        (self.data_dir / "node.json").unlink(missing_ok=True)
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "lineshaft.app",
                "run",
                "--config",
                str(self.settings_path),
                stdout=log,
                stderr=log,
                stdin=asyncio.subprocess.DEVNULL,
                preexec_fn=_die_with_parent,
            )
        try:
            async with asyncio.timeout(_START_S):
                while not self._is_up():
                    if self._process.returncode is not None:
                        raise TransientFault(f"the product ended at once:\n{self._log_tail()}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise TransientFault(f"the product is not up after {_START_S:g} s:\n{self._log_tail()}") from None

    def _is_up(self) -> bool:
        path = self.data_dir / "node.json"
        if not path.exists():
            return False
        return self._process is not None and self.address().pid == self._process.pid

    def address(self) -> NodeAddress:
        return msgspec.json.decode((self.data_dir / "node.json").read_bytes(), type=NodeAddress)

    async def kill(self) -> None:
        """SIGKILL: no goodbye to anybody."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, name: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(name)
        try:
            async with asyncio.timeout(15):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def _log_tail(self) -> str:
        lines = self.log_path.read_text(errors="replace").splitlines()
        return "\n".join(lines[-25:])


def _die_with_parent() -> None:
    """On Linux the child ends with its parent; elsewhere Ctrl-C reaches the whole group."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == 1:
            os._exit(1)
