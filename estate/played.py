"""S2 behind a log-in, with something for people to decide: what browser tests and screenshots look at."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from estate.held_lot import LABORATORY
from estate.machines.plant_life import PlantLife
from estate.people import ACCESS
from estate.running import RunningEstate
from estate.scenarios.disturbances import bad_input
from estate.scenarios.protocol import Protocol, StepFailed
from estate.technician import Technician
from lineshaft.core.clock import rfc3339

__all__ = ["PlayedPlant", "played_plant"]

_LOOK_EVERY_S, _PATIENCE_S = 0.05, 120.0


class PlayedPlant:
    """estate: running. What is asked over HTTP is asked by accounts of estate.people."""

    def __init__(self, estate: RunningEstate, http: aiohttp.ClientSession) -> None:
        self.estate = estate
        self._http = http
        self._holds = 0

    @property
    def url(self) -> str:
        return self.estate.product.url

    async def ask(self, path: str, account: str = "ada") -> Any:
        """A GET of the API."""
        headers = {"Authorization": f"Bearer {self.estate.keys[account]}"}
        async with self._http.get(self.url + path, headers=headers) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def decide(self, path: str, account: str = "ole", **body: Any) -> Any:
        """A POST of the API."""
        headers = {"Authorization": f"Bearer {self.estate.keys[account]}"}
        async with self._http.post(self.url + path, json=body, headers=headers) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def hold(self, material: str = "SEAL-KIT-01") -> str:
        """A lot of parts is held; the id of the process that looks after it."""
        self._holds += 1
        number = f"H-{self._holds:04}"
        told = {
            "id": number,
            "scope": {"material_lot_id": f"{material}/{number}"},
            "reason_code": "CERT-MISSING",
            "placed_time": rfc3339(datetime.now(UTC)),
            "placed_by": "lab",
            "state": "active",
        }
        headers = {"Authorization": f"Bearer {self.estate.keys['lab']}", "Idempotency-Key": str(uuid4())}
        async with self._http.post(
            f"{self.url}/api/process/held_lot/v1", json=told, headers=headers
        ) as answer:
            if answer.status != HTTPStatus.ACCEPTED:
                raise StepFailed(await answer.text())
            return str((await answer.json())["process_id"])

    async def process(self, process_id: str) -> Mapping[str, Any]:
        return dict(await self.ask(f"/api/processes/{process_id}"))

    async def in_state(self, process_id: str, *states: str) -> Mapping[str, Any]:
        """The process, as soon as it is in one of these states."""
        found: dict[str, Any] = {}

        async def is_so() -> bool:
            with contextlib.suppress(aiohttp.ClientResponseError):  # not started yet
                found.update(await self.process(process_id))
            return found.get("state") in states

        await _until(is_so)
        return found

    async def held(self, *states: str, material: str = "SEAL-KIT-01") -> str:
        """As hold, when the process is in one of these states."""
        process_id = await self.hold(material)
        await self.in_state(process_id, *states)
        return process_id

    async def breach(self) -> None:
        """The filler's pressure rises, and falls again when the technician is done with the last order."""
        before = await self.estate.stories()
        self.estate.filler.breach()

        async def settled() -> bool:
            return await self.estate.stories() > before

        await _until(settled)
        self.estate.filler.recover()

    def inventory(self, table: str) -> int:
        """How many effects of this kind there are in the target system."""
        return self.estate.inventory.effect_counts()[table]


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    """raises  TimeoutError"""
    async with asyncio.timeout(_PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 - the plant's systems send no events
            await asyncio.sleep(_LOOK_EVERY_S)


@asynccontextmanager
async def played_plant(folder: Path) -> AsyncIterator[PlayedPlant]:
    """After one whole story, with three exceptions open and one held lot undecided."""
    estate = RunningEstate(
        folder,
        technician=Technician(delay_s=0.3),
        access=ACCESS,
        processes=["estate.held_lot:held_lot"],
        systems=LABORATORY,
        is_noted=False,
    )
    each_anew = aiohttp.TCPConnector(force_close=True)  # the product closes what is idle, maybe just now
    async with estate, aiohttp.ClientSession(connector=each_anew) as http:
        product = estate.product
        life = PlantLife(
            host="127.0.0.1",
            port=product.mqtt_port,
            username=product.mqtt_user,
            password=product.mqtt_password,
        )
        async with life:
            estate.filler.start()
            plant = PlayedPlant(estate, http)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(plant.breach())
                tasks.create_task(bad_input(estate, Protocol(lambda _: None)))
                tasks.create_task(plant.held("waiting"))
            yield plant
