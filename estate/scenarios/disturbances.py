"""What goes wrong while S2 plays: kills, outages, duplicates, bad input."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from paho.mqtt import publish

from estate.plant import PLANT
from estate.running import ASSET, RunningEstate
from estate.scenarios.event_copier import EventCopier
from estate.scenarios.protocol import Protocol
from lineshaft.core.errors import LineshaftError

__all__ = ["AROUND", "EXCEPTIONS", "around", "bad_input", "open_order"]

EXCEPTIONS = {"bad-input": ["contract_violation", "malformed_reading", "unknown_tag"]}
"""Kinds of the exceptions that a variant must leave for a person."""
_ERP_DOWN_S = 4.0
_LOOK_EVERY_S = 0.005
Look = Callable[[], Awaitable[bool]]


@asynccontextmanager
async def around(variant: str, estate: RunningEstate, protocol: Protocol) -> AsyncIterator[None]:
    """Play the variant's disturbance beside the story; its end is awaited."""
    disturb = AROUND.get(variant)
    if disturb is None:
        yield
        return
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(disturb(estate, protocol))
            yield
            if variant == "duplicate":
                task.cancel()
    except ExceptionGroup as faults:
        raise faults.exceptions[0] from faults


async def _restart(estate: RunningEstate, protocol: Protocol) -> None:
    """SIGKILL at ten moments of the story, each as soon as its effect is seen in the target system."""
    chance = random.Random(4711)
    cmms, inventory = estate.cmms.effect_counts, estate.inventory.effect_counts

    async def books(rows: Callable[[], Awaitable[list[dict[str, object]]]]) -> bool:
        try:
            return bool(await rows())
        except (LineshaftError, OSError):
            return False

    def seen(counts: Callable[[], dict[str, int]], kind: str) -> Look:
        async def look() -> bool:
            return counts()[kind] > 0

        return look

    async def at_once() -> bool:
        return True

    moments: list[tuple[str, Look, float]] = [
        ("while the pressure rises", at_once, 0.6),
        ("about when the breach settles", at_once, 0.4),
        ("when the CMMS has the request", seen(cmms, "work_requests"), 0.0),
        ("when the kit is reserved", seen(inventory, "allocations"), 0.0),
        ("when the task is updated", seen(cmms, "task_updates"), 0.0),
        ("while the process waits", at_once, 0.3),
        ("when the order is completed", seen(cmms, "completions"), chance.uniform(0, 0.05)),
        ("when ERP has the movement", lambda: books(estate.books.consumptions), 0.0),
        ("when ERP has the labour cost", lambda: books(estate.books.labour_costs), 0.0),
        ("when the balance is synchronised", seen(inventory, "ledger_updates"), 0.0),
    ]
    for name, look, rest_s in moments:
        while not await look():  # noqa: ASYNC110 - the target systems send no events
            await asyncio.sleep(_LOOK_EVERY_S)
        await asyncio.sleep(rest_s)
        await estate.product.kill()
        await estate.product.start()
        protocol.note(f"product killed and restarted {name}")


async def _erp_outage(estate: RunningEstate, protocol: Protocol) -> None:
    while not estate.cmms.effect_counts()["task_updates"]:  # noqa: ASYNC110 - as above
        await asyncio.sleep(_LOOK_EVERY_S)
    await estate.erp.kill()
    protocol.note("ERP is down")
    while not estate.cmms.effect_counts()["completions"]:  # noqa: ASYNC110 - as above
        await asyncio.sleep(_LOOK_EVERY_S)
    await asyncio.sleep(_ERP_DOWN_S)
    await estate.restart_erp()
    protocol.note("ERP is back")


async def _nats_kill(estate: RunningEstate, protocol: Protocol) -> None:
    """The backbone's server is killed while devices publish, while the process runs, while events are due."""
    for name, kind in (
        ("while the pressure rises", ""),
        ("while the parts are provided", "work_requests"),
        ("when the order is completed", "completions"),
    ):
        while kind and not estate.cmms.effect_counts()[kind]:  # noqa: ASYNC110 - as above
            await asyncio.sleep(_LOOK_EVERY_S)
        if not kind:
            await asyncio.sleep(0.8)
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(estate.product.pid).children(recursive=True):
                if "nats-server" in Path(child.exe()).name:
                    child.kill()
        protocol.note(f"NATS killed {name}")


async def _copy_events(estate: RunningEstate, protocol: Protocol) -> None:
    """Every event comes three times, with message ids of its own, so that the stream takes each copy."""
    copier = EventCopier(estate.product, copies=2)
    try:
        await copier.run()
    finally:
        protocol.note("every event was sent three times", copier.copied > 0, f"{copier.copied} copies")


AROUND: dict[str, Callable[[RunningEstate, Protocol], Coroutine[Any, Any, None]]] = {
    "duplicate": _copy_events,
    "restart": _restart,
    "erp-outage": _erp_outage,
    "nats-kill": _nats_kill,
}


async def open_order(estate: RunningEstate, protocol: Protocol) -> None:
    """A person has reported the asset already."""
    body = {"assetNo": ASSET, "symptom": "drips at valve 12", "priority": "3-NORMAL", "origin": "MANUAL"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{estate.cmms.url}/api/work-requests", json=body) as answer,
    ):
        answer.raise_for_status()
        number = (await answer.json())["workOrderNo"]
    protocol.note("an order is open on the filler", detail=number)


async def bad_input(estate: RunningEstate, protocol: Protocol) -> None:
    """A malformed reading, an unknown tag, and a webhook with a wrong schema; each becomes an exception."""
    product = estate.product
    login = {"username": product.mqtt_user, "password": product.mqtt_password}
    base = f"plant/{PLANT}/bottling/l1"
    await asyncio.to_thread(
        publish.multiple,
        [
            {"topic": f"{base}/filler-01/pressure", "payload": '{"value": "high"}', "qos": 1},
            {"topic": f"{base}/filler-99/pressure", "payload": '{"value": 3.1}', "qos": 1},
        ],
        hostname="127.0.0.1",
        port=product.mqtt_port,
        auth=login,
    )
    status = await estate.cmms.webhooks.post_raw(
        b'{"eventKind": "WORK_ORDER_DONE", "order": {"workOrderNo": 7}}'
    )
    protocol.expect("a webhook with a wrong schema is refused", status, 400)

    async def reported() -> list[str]:
        kinds = sorted(row["kind"] for row in await estate.reads.open_exceptions())
        return kinds if kinds == EXCEPTIONS["bad-input"] else []

    await protocol.until(
        "each piece of bad input is an exception with an owner",
        reported,
        detail=", ".join,
    )
