"""Many fillers that break their pressure limit, each again as soon as its last breach has been dealt with."""

from __future__ import annotations

import asyncio
import csv
import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from paho.mqtt import client as mqtt

from estate.chaos.checker import Fact, noted_since
from estate.plant import LINE, PLANT, Machine, SparePart
from estate.product import Product
from estate.systems.cmms import CmmsSystem
from estate.systems.inventory import InventorySystem
from estate.systems.planning import PlanningSystem
from lineshaft.core.clock import rfc3339
from lineshaft.core.errors import TransientFault

__all__ = ["Fleet", "Progress", "fillers", "write_rules", "write_tags"]

KIT, VALVE = "SEAL-KIT-01", "VALVE-02"
_PLANT_RULES = Path(__file__).parents[1] / "plants" / "leipzig" / "rules.yaml"
_RULE = "filler-pressure-high"
_LOOK_EVERY_S = 0.1
_EPISODE = (timedelta(seconds=1.2), timedelta(seconds=1.1), timedelta(0))
_NEXT_EPISODE_S = 1.3
_WITHIN_BAR, _BEYOND_BAR = 3.2, 4.9
_SECOND_BREACH = 0.2
_RECONNECT_S = 1
_BEAT_EVERY_S = 0.5
_CONFIRM_S = 60.0


def fillers(count: int) -> tuple[Machine, ...]:
    """Every fourth needs a valve, of which none is free: parts are awaited there, and reserved elsewhere."""
    return tuple(
        Machine(
            equipment=f"FILLER-{number:03}",
            asset=f"FIL-{number:03}",
            name="Rotary filler, 48 valves",
            criticality=2,
            cost_center="CC-4100",
            repair_kit=(SparePart(material=KIT if number % 4 else VALVE, quantity=1),),
            units_per_min=360,
        )
        for number in range(1, count + 1)
    )


def write_tags(path: Path, machines: Sequence[Machine]) -> None:
    """The tag list of such a plant: one pressure per filler."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        head = "tag,topic,metric,property,equipment_id,physical_asset_id,unit,target_unit,asset_class"
        rows.writerow(head.split(","))
        for each in machines:
            place = (f"{each.equipment}.pressure".lower(), f"{each.topic}/pressure", "")
            rows.writerow([*place, "pressure", each.equipment, each.asset, "BAR", "", "filler"])


def write_rules(path: Path) -> None:
    """The rule of the example plant that such tags can break."""
    rules = yaml.safe_load(_PLANT_RULES.read_text(encoding="utf-8"))["rules"]
    path.write_text(yaml.safe_dump({"rules": [rule for rule in rules if rule["id"] == _RULE]}))


class Progress:
    """How far the findings have come, read from the target systems as they grow."""

    def __init__(self, cmms: CmmsSystem, inventory: InventorySystem, planning: PlanningSystem) -> None:
        self._cmms, self._inventory, self._planning = cmms, inventory, planning
        self._seen = dict.fromkeys(("work_requests", "notes", "picks", "capacity_notices"), 0)
        self._order_of: dict[Fact, str] = {}
        self._asset_of: dict[str, str] = {}
        self._noted: set[Fact] = set()
        self._through: set[str] = set()

    def look(self) -> None:
        for row in self._new(self._cmms, "work_requests"):
            fact = Fact(row["asset_no"], datetime.fromisoformat(row["broken_since"]))
            self._order_of[fact] = row["work_order_no"]
            self._asset_of[row["work_order_no"]] = row["asset_no"]
        for row in self._new(self._cmms, "notes"):
            if since := noted_since(row["text"]):
                self._noted.add(Fact(self._asset_of[row["work_order_no"]], since))
        for row in self._new(self._inventory, "picks"):
            asked = "SELECT demand_ref FROM allocations WHERE allocation_id = ?"
            found = self._inventory.database.row(asked, row["allocation_id"])
            self._through.add(found["demand_ref"] if found else "")
        for row in self._new(self._planning, "capacity_notices"):
            if row["kind"] == "FULL":
                self._through.add(row["reference"])

    def is_found(self, fact: Fact) -> bool:
        """It is a request or a note in the CMMS."""
        return fact in self._order_of or fact in self._noted

    def is_through(self, fact: Fact) -> bool:
        """It is a note, or the last supply step of its order is done."""
        return self._order_of.get(fact) in self._through or fact in self._noted

    def _new(self, system: CmmsSystem | InventorySystem | PlanningSystem, table: str) -> list[dict[str, str]]:
        question = f"SELECT rowid AS place, * FROM {table} WHERE rowid > ? ORDER BY rowid"  # noqa: S608
        rows = system.database.rows(question, self._seen[table])
        if rows:
            self._seen[table] = rows[-1]["place"]
        return rows


class Fleet:
    """The last machine never breaks its limit: its readings show that the backbone takes messages.

    asked     every fact that the machines have told or will go on telling until it is taken
    on_taken  called at each reading that the backbone has confirmed
    """

    def __init__(
        self,
        machines: Sequence[Machine],
        product: Product,
        progress: Progress,
        chance: random.Random,
        on_taken: Callable[[], None] = lambda: None,
    ) -> None:
        self.asked: list[Fact] = []
        self._machines = machines
        self._progress = progress
        self._chance = chance
        self._on_taken = on_taken
        self._published = self._confirmed = 0
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._client = mqtt.Client(client_id=f"fleet-{PLANT}-{LINE}", clean_session=True)
        self._client.username_pw_set(product.mqtt_user, product.mqtt_password)
        self._client.max_queued_messages_set(0)
        self._client.max_inflight_messages_set(200)
        self._client.reconnect_delay_set(_RECONNECT_S, _RECONNECT_S)
        self._client.on_publish = lambda *_: self._loop.call_soon_threadsafe(self._taken)
        self._port = product.mqtt_port

    async def run(self, seconds: float) -> None:
        """Breaches for so long; returns when the backbone has confirmed every reading.

        raises  TransientFault when it does not within a minute
        """
        self._client.connect_async("127.0.0.1", self._port, keepalive=15)
        self._client.loop_start()
        try:
            async with asyncio.TaskGroup() as tasks:
                looking = tasks.create_task(self._look())
                beating = tasks.create_task(self._beat(self._machines[-1]))
                lives = [tasks.create_task(self._live(each)) for each in self._machines[:-1]]
                await asyncio.sleep(seconds)
                self._stopping.set()
                await asyncio.wait(lives)
                looking.cancel()
                beating.cancel()
            await self._confirmed_all()
        finally:
            self._client.disconnect()
            await asyncio.to_thread(self._client.loop_stop)

    async def _confirmed_all(self) -> None:
        give_up_at = self._loop.time() + _CONFIRM_S
        while self._confirmed < self._published:
            if self._loop.time() > give_up_at:
                raise TransientFault(
                    f"the backbone has not confirmed {self._published - self._confirmed} of"
                    f" {self._published} readings after {_CONFIRM_S:g} s",
                    hint="see lineshaft.log and data/nats/nats.log in the folder of the product",
                )
            await asyncio.sleep(_LOOK_EVERY_S)

    def _taken(self) -> None:
        self._confirmed += 1
        self._on_taken()

    async def _look(self) -> None:
        while True:
            self._progress.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _beat(self, machine: Machine) -> None:
        while True:
            self._tell(machine, _WITHIN_BAR, datetime.now(UTC))
            await asyncio.sleep(_BEAT_EVERY_S)

    async def _live(self, machine: Machine) -> None:
        await self._rest(self._chance.uniform(0, 2))
        while not self._stopping.is_set():
            fact = self._breach(machine)
            last = fact
            if self._chance.random() < _SECOND_BREACH:
                await self._until(self._progress.is_found, fact)
                await self._rest(_NEXT_EPISODE_S)
                if self._stopping.is_set():
                    return
                last = self._breach(machine)
            await self._until(self._progress.is_through, fact, last)
            await self._rest(_NEXT_EPISODE_S + self._chance.uniform(0, 1))

    def _breach(self, machine: Machine) -> Fact:
        """Three readings: within the limit, beyond it, still beyond it after the debounce time."""
        now = datetime.now(UTC)
        values = (_WITHIN_BAR, _BEYOND_BAR, _BEYOND_BAR)
        for ago, value in zip(_EPISODE, values, strict=True):
            self._tell(machine, value, now - ago)
        fact = Fact(machine.asset, now - _EPISODE[1])
        self.asked.append(fact)
        return fact

    def _tell(self, machine: Machine, bar: float, at: datetime) -> None:
        reading = {"value": bar, "time": rfc3339(at)}
        self._client.publish(f"{machine.topic}/pressure", json.dumps(reading), qos=1)
        self._published += 1

    async def _until(self, holds: Callable[[Fact], bool], *facts: Fact) -> None:
        """Or until the fleet stops."""
        while not all(map(holds, facts)) and not self._stopping.is_set():
            await self._rest(_LOOK_EVERY_S)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
