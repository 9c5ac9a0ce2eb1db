"""The demo: S2 over and over on a plant that looks alive, until Ctrl-C."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from estate.erp.books import Row
from estate.machines.plant_life import PlantLife
from estate.running import SEAL_KIT, RunningEstate
from estate.technician import Technician
from lineshaft.app.last_run import cache_dir
from lineshaft.core.errors import LineshaftError

__all__ = ["play"]

_QUIET_S = 12.0
_PATIENCE_S = 180.0
_CONSOLE_PORT = 8600
_MQTT_PORT = 1883


async def play(say: Callable[[str], None]) -> None:
    """Until cancelled; then every child process is stopped."""
    folder = _folder()
    technician = Technician(delay_s=6.0, people=2)
    say("starting ERP, CMMS, inventory, MES, planning and the product …")
    async with RunningEstate(
        folder,
        technician=technician,
        interval_s=0.5,
        console_port=_free_or_any(_CONSOLE_PORT),
        mqtt_port=_free_or_any(_MQTT_PORT),
        say=say,
    ) as estate:
        product = estate.product
        say(f"\nconsole   [bold]{product.url}[/]")
        say(f"ERP       {estate.erp.url}")
        say(f"MQTT      127.0.0.1:{product.mqtt_port}")
        say(f"settings  {product.settings_path}")
        say("Ctrl-C stops everything\n")
        async with (
            PlantLife(
                host="127.0.0.1",
                port=product.mqtt_port,
                username=product.mqtt_user,
                password=product.mqtt_password,
            ),
            asyncio.TaskGroup() as tasks,
        ):
            estate.filler.start()
            tasks.create_task(_supplier(estate, say))
            await _stories(estate, say)


async def _stories(estate: RunningEstate, say: Callable[[str], None]) -> None:
    number = 0
    while True:
        await asyncio.sleep(_QUIET_S)
        number += 1
        done = await estate.stories()
        estate.filler.breach()
        say(f"#{number} the filler's pressure rises beyond its limit")
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while await estate.stories() <= done:  # noqa: ASYNC110 - the scene runs in seconds
                    await asyncio.sleep(0.5)
        except TimeoutError:
            say(f"#{number} is not settled after {_PATIENCE_S:g} s: the console tells why")
        estate.filler.recover()
        costs = await _asked(estate.books.labour_costs())
        if costs:
            last = costs[-1]
            say(f"#{number} settled; explain it: lineshaft trace {last['number']}")


async def _supplier(estate: RunningEstate, say: Callable[[str], None]) -> None:
    """Delivers each requisition some seconds after it was approved; waiting orders get their parts."""
    delivered: set[str] = set()
    while True:
        await asyncio.sleep(5.0)
        for requisition in await _asked(estate.books.requisitions()):
            number = str(requisition["number"])
            if number in delivered:
                continue
            delivered.add(number)
            await asyncio.sleep(5.0)
            quantity = float(requisition["quantity"])
            receipt = await estate.books.receive(SEAL_KIT, quantity)
            say(f"the supplier delivers {quantity:g} {SEAL_KIT} for {number}: goods receipt {receipt}")
            estate.inventory.database.execute(
                "UPDATE stock SET on_hand = on_hand + ? WHERE sku = ?", quantity, SEAL_KIT
            )
            for order in estate.cmms.book.waiting_orders():
                if not order.ready:
                    estate.cmms.book.parts_arrived(order.number)


async def _asked(question: Awaitable[list[Row]]) -> list[Row]:
    try:
        return await question
    except (LineshaftError, OSError):
        return []


def _folder() -> Path:
    folder = cache_dir() / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _free_or_any(port: int) -> int:
    """The well-known port if it is free, else 0 for any."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return 0
    return port
