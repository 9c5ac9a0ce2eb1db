"""A disturbance hits the system that it names, is counted and lifted, and the recovery after it is timed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from estate.chaos.disturber import Disturber, Recovery
from estate.chaos.proxy import FaultProxy
from estate.chaos.schedule import FAULTS, REFUSED, Disturbance
from estate.product import Product
from estate.systems.mes import MesSystem
from tests.waiting import PATIENCE_S, until

SITUATION = "/mes/machines/FILLER-01/situation"


class Scene:
    """over: until then a disturbance lasts"""

    def __init__(self, product: Product, proxy: FaultProxy, recovery: Recovery) -> None:
        self.proxy, self.recovery = proxy, recovery
        self.over = asyncio.Event()
        self.said: list[str] = []
        self.disturber = Disturber(product, {"mes": proxy}, None, recovery, self.said.append, self._rest)

    async def _rest(self, seconds: float) -> None:
        if seconds:
            await self.over.wait()

    async def status(self, within_s: float = PATIENCE_S) -> int | None:
        """None for a broken connection."""
        timeout = aiohttp.ClientTimeout(total=within_s)
        try:
            async with (
                aiohttp.ClientSession(self.proxy.url, timeout=timeout) as session,
                session.get(SITUATION) as answer,
            ):
                await answer.json()
                return answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    recovery = Recovery()
    async with (
        MesSystem(tmp_path / "mes") as mes,
        FaultProxy(mes.url, on_passed=lambda: recovery.heard("mes", "any")) as proxy,
    ):
        yield Scene(Product(tmp_path / "product"), proxy, recovery)


@pytest.mark.parametrize("kind", FAULTS)
async def test_a_lasting_fault_hits_until_it_is_lifted(kind: str, scene: Scene) -> None:
    planned = [Disturbance(at_s=0, kind=kind, target="mes", lasts_s=0.6)]
    running = asyncio.create_task(scene.disturber.run(planned))
    await until(lambda: scene.disturber.done[kind] == 1)
    assert await scene.status(within_s=0.2) != 200
    assert await scene.status(within_s=0.2) != 200
    scene.over.set()
    await running
    assert await scene.status() == 200
    assert scene.disturber.done == {kind: 1}
    assert (kind == REFUSED) is (scene.proxy.hits.total() == 0)
    assert len(scene.recovery.seconds["all faults"]) == 1
    assert scene.said == [f"    0.0 s  {kind} mes for 0.6 s"]


async def test_a_fault_for_some_requests_spares_the_next(scene: Scene) -> None:
    planned = [Disturbance(at_s=0, kind="http_500", target="mes", lasts_s=0.6, times=1)]
    running = asyncio.create_task(scene.disturber.run(planned))
    await until(lambda: scene.disturber.done["http_500"] == 1)
    assert [await scene.status(), await scene.status()] == [500, 200]
    scene.over.set()
    await running


async def test_everything_is_lifted_when_a_run_is_given_up(scene: Scene) -> None:
    planned = [
        Disturbance(at_s=0, kind=REFUSED, target="mes", lasts_s=60),
        Disturbance(at_s=0, kind="http_500", target="mes", lasts_s=60),
    ]
    running = asyncio.create_task(scene.disturber.run(planned))
    await until(lambda: scene.disturber.done.total() == 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await scene.status() == 200


async def test_recovery_counts_from_the_first_of_several_disturbances() -> None:
    recovery = Recovery()
    recovery.begin("any", "kill node", 0.0)
    recovery.begin("any", "kill postgres", 1.0)
    recovery.heard("mes")
    assert recovery.seconds == {}
    recovery.heard("mes", "any")
    recovery.heard("mes", "any")
    assert list(recovery.seconds) == ["kill node"]
    assert len(recovery.seconds["kill node"]) == 1
