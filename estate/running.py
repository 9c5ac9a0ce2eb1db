"""The whole estate, running: real ERP, four simulated systems, the product, and the machines of the line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import func, select

from estate.erp.books import Books
from estate.erp.server import TrytonServer
from estate.machines.mqtt_device import FillerDevice
from estate.machines.sparkplug_filler import SparkplugFiller
from estate.people import give_credentials
from estate.plant import MACHINES, Machine
from estate.product import PROCESSES, Product
from estate.systems.cmms import CmmsSystem
from estate.systems.inventory import InventorySystem
from estate.systems.mes import MesSystem
from estate.systems.planning import PlanningSystem
from estate.systems.webhooks_out import WebhookTarget
from estate.technician import Technician
from lineshaft.app.last_run import note_last_run
from lineshaft.ledger import Reads
from lineshaft.store import Store
from lineshaft.store.schema import processes

__all__ = ["RunningEstate"]

ASSET = "FIL-01"
SEAL_KIT = "SEAL-KIT-01"


class RunningEstate:
    """`async with RunningEstate(folder) as estate:` brings everything up but the machines.

    duplicates  copies of each MQTT message and each webhook
    technician  who works in the CMMS
    sparkplug   the filler speaks Sparkplug B instead of JSON
    machines    those that CMMS and MES know; tags, rules: the files that fit them
    between     what stands between the product and a system: of its name and address, the address to be told
    access      of the product, see Product; its accounts get credentials, their keys are in `keys`
    processes, systems   as in the settings, beside those of the plant
    is_noted    as the run that `lineshaft trace` looks into
    """

    def __init__(
        self,
        folder: Path,
        *,
        technician: Technician,
        duplicates: int = 1,
        sparkplug: bool = False,
        interval_s: float = 0.2,
        store_url: str = "",
        console_port: int = 0,
        mqtt_port: int = 0,
        machines: Sequence[Machine] = MACHINES,
        tags: str = "",
        rules: str = "rules.yaml",
        deadlines_s: Mapping[str, float] | None = None,
        between: Callable[[str, str], Awaitable[str]] | None = None,
        access: Mapping[str, Any] | None = None,
        processes: Sequence[str] = (),
        systems: Mapping[str, Any] | None = None,
        is_noted: bool = True,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.folder = folder
        self._between = between
        self._is_noted = is_noted
        self._say = say
        self._stack = AsyncExitStack()
        self.product = Product(
            folder / "product",
            tags=tags or ("tags-sparkplug.csv" if sparkplug else "tags.csv"),
            rules=rules,
            store_url=store_url,
            console_port=console_port,
            mqtt_port=mqtt_port,
            deadlines_s=deadlines_s,
            access=access,
            processes=[*PROCESSES, *processes],
            systems=systems,
        )
        self.keys: dict[str, str] = {}
        target = WebhookTarget(
            url=f"{self.product.url}/webhooks/cmms/order-completed",
            secret=self.product.webhook_secret,
            duplicates=duplicates,
        )
        self.cmms = CmmsSystem(folder / "cmms", webhook=target, technician=technician, machines=machines)
        self.inventory = InventorySystem(folder / "inventory")
        self.mes = MesSystem(folder / "mes", machines=machines)
        self.planning = PlanningSystem(folder / "planning")
        self.technician = technician
        link: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.product.mqtt_port,
            "username": self.product.mqtt_user,
            "password": self.product.mqtt_password,
            "interval_s": interval_s,
        }
        self.filler: FillerDevice | SparkplugFiller = (
            SparkplugFiller(**link) if sparkplug else FillerDevice(duplicates=duplicates, **link)
        )
        self.erp: TrytonServer
        self.books: Books
        self.store: Store

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def _start(self) -> None:
        self.erp = await TrytonServer.start(self.folder / "erp", on_progress=self._say)
        self._stack.push_async_callback(self._stop_erp)
        self.books = Books(self.erp)
        systems = {
            "cmms": self.cmms,
            "inventory": self.inventory,
            "mes": self.mes,
            "planning": self.planning,
        }
        for system in systems.values():
            await self._stack.enter_async_context(system)
        urls = {name: await self._told(name, system.url) for name, system in systems.items()}
        self.product.write_settings(await self._told("erp", self.erp.url), self.erp.key, urls)
        if self._is_noted:
            note_last_run(self.product.settings_path)
        if self.product.access is not None:
            accounts = self.product.access["accounts"]
            self.keys = await give_credentials(self.product.settings_path, accounts)
        await self.product.start()
        self._stack.push_async_callback(self.product.stop)
        self.store = Store.open(self.product.store_url or f"sqlite:///{self.product.data_dir}/lineshaft.db")
        self._stack.push_async_callback(self.store.close)
        self._stack.push_async_callback(lambda: asyncio.to_thread(self.filler.stop))

    async def _told(self, name: str, url: str) -> str:
        return url if self._between is None else await self._between(name, url)

    async def _stop_erp(self) -> None:
        await self.erp.stop()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def reads(self) -> Reads:
        return Reads(self.store)

    async def stories(self) -> int:
        """How many breaches are settled: what stops of machines begin completes besides."""
        of_breaches = processes.c.type == "corrective_maintenance", processes.c.state == "completed"
        asked = select(func.count()).select_from(processes).where(*of_breaches)
        return await self.store.read(lambda connection: int(connection.execute(asked).scalar_one()))

    async def restart_erp(self) -> None:
        """Up again on the same data and address."""
        self.erp = await TrytonServer.start(self.erp.data_dir, self.erp.port)
        self.books = Books(self.erp)

    async def set_stock(self, quantity: float) -> None:
        """Seal kits in ERP's books and in the inventory system alike."""
        await self.books.set_stock(SEAL_KIT, quantity)
        self.inventory.database.execute("UPDATE stock SET on_hand = ? WHERE sku = ?", quantity, SEAL_KIT)

    async def effects(self) -> dict[str, int]:
        """What was effected in the target systems so far, by kind: counted there, not here."""
        cmms, inventory = self.cmms.effect_counts(), self.inventory.effect_counts()
        notices = self.planning.effect_rows()["capacity_notices"]
        return {
            "maintenance_requests": cmms["work_requests"],
            "maintenance_orders": cmms["work_orders"],
            "observations": cmms["notes"],
            "task_updates": cmms["task_updates"],
            "reservations": inventory["allocations"],
            "withdrawals": inventory["picks"],
            "balance_updates": inventory["ledger_updates"],
            "capacity_constrained": sum(notice["kind"] == "REDUCED" for notice in notices),
            "capacity_restored": sum(notice["kind"] == "FULL" for notice in notices),
            "requisitions": len(await self.books.requisitions()),
            "consumptions": len(await self.books.consumptions()),
            "labour_costs": len(await self.books.labour_costs()),
        }
