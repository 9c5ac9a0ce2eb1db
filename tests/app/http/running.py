"""A node as it is run: settings, access file, systems, and `lineshaft run` in a process of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import yaml

from estate.people import PASSWORD, give_credentials
from estate.plant import ENTERPRISE, PLANT
from estate.product import Product
from estate.systems.cmms import CmmsSystem
from estate.systems.inventory import InventorySystem
from estate.systems.mes import MesSystem
from estate.systems.planning import PlanningSystem
from lineshaft.gateway.identity.roles import BUILT_IN

__all__ = ["ANYWHERE", "ELSEWHERE", "PASSWORD", "ROLES", "HttpNode", "matrix_accounts"]

T = TypeVar("T")
ROOT = Path(__file__).parents[3]
MAPPINGS = ROOT / "estate" / "plants" / "leipzig"
ELSEWHERE, ANYWHERE = "lyon", "*"
ROLES = (*BUILT_IN, "nobody")
_FREE = {"rate_per_s": 0}
_WAIT_S = 60.0


def matrix_accounts() -> dict[str, dict[str, Any]]:
    """One for each role at this plant, at another one, and everywhere."""
    places = {"here": [PLANT], "there": [ELSEWHERE], "all": "*"}
    return {
        f"{role}-{where}": {"roles": [role], "plants": plants, "limits": _FREE}
        for role in ROLES
        for where, plants in places.items()
    }


class HttpNode:
    """`with HttpNode(folder) as node:`; the simulated systems run in a thread of this process.

    accounts   of the access file, each with a key under `keys`; None: without an access file
    settings   over those that every node here has; access: likewise, of the access file
    serves     False: everything is made ready, and somebody else runs the node
    """

    def __init__(
        self,
        folder: Path,
        *,
        accounts: Mapping[str, Mapping[str, Any]] | None = None,
        settings: Mapping[str, Any] | None = None,
        access: Mapping[str, Any] | None = None,
        serves: bool = True,
    ) -> None:
        self.folder = folder
        self._serves = serves
        self.product = Product(folder)
        self.keys: dict[str, str] = {}
        self._accounts = accounts
        self._access = access or {}
        self._more = settings or {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        return self.product.url

    @property
    def port(self) -> int:
        return self.product.console_port

    @property
    def settings_path(self) -> Path:
        return self.product.settings_path

    def key(self, account: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[account]}"}

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.run(self._start())
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WAIT_S)
        self._loop.close()

    def command(self, *arguments: str, stdin: str = "", ok: bool = True) -> str:
        """`lineshaft …` as one types it in the node's folder; its standard output."""
        ended = subprocess.run(
            [sys.executable, "-m", "lineshaft.app", *arguments, "--config", str(self.settings_path)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_WAIT_S,
            cwd=self.folder,
            check=False,
        )
        assert (ended.returncode == 0) is ok, f"{arguments}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def told(self, *arguments: str) -> Any:
        return json.loads(self.command(*arguments, "--json"))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """In the thread of the simulated systems."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_WAIT_S * 2)

    async def _start(self) -> None:
        systems = {
            "cmms": CmmsSystem(self.folder / "cmms"),
            "inventory": InventorySystem(self.folder / "inventory"),
            "mes": MesSystem(self.folder / "mes"),
            "planning": PlanningSystem(self.folder / "planning"),
        }
        for system in systems.values():
            await self._stack.enter_async_context(system)
        self._write({name: system.url for name, system in systems.items()})
        if self._accounts:
            self.keys = await give_credentials(self.settings_path, self._accounts)
        if not self._serves:
            return
        await self.product.start()
        self._stack.push_async_callback(self.product.stop)

    def _write(self, urls: Mapping[str, str]) -> None:
        quick = {"attempts": 1, "deadline_s": 30, "settle_s": 0.1}
        systems: dict[str, Any] = {
            name: {
                "connector": "rest",
                "options": {"url": url, "mapping": str(MAPPINGS / "mappings" / f"{name}.yaml")},
                "policy": quick,
            }
            for name, url in urls.items()
        }
        systems["cmms"]["options"]["webhook_secret"] = "s" * 24
        systems["calendar"] = {
            "connector": "calendar",
            "options": {"file": str(MAPPINGS / "calendar.yaml")},
        }
        systems["erp"] = {  # away: nobody listens there
            "connector": "tryton",
            "options": {
                "url": "http://127.0.0.1:9",
                "database": "erp",
                "key": "k",
                "storage": {PLANT: "STO"},
            },
            "policy": quick | {"deadline_s": 1},
        }
        settings = {
            "enterprise": ENTERPRISE,
            "plant": PLANT,
            "time_zone": "Europe/Berlin",
            "backbone": {"mqtt_port": self.product.mqtt_port, "storage_gib": 1},
            "console": {"port": self.port},
            "systems": systems,
            "processes": ["corrective_maintenance", "classify_downtime", "accept_count"],
        }
        if self._accounts is not None:
            settings["access"] = "access.yaml"
            access = {"accounts": dict(self._accounts), **self._access}
            access["roles"] = {"nobody": {"may": []}, **access.get("roles", {})}
            (self.folder / "access.yaml").write_text(yaml.safe_dump(access))
        self.settings_path.write_text(yaml.safe_dump({**settings, **self._more}, sort_keys=False))
