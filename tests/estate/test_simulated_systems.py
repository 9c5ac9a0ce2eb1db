"""The simulated systems themselves: faults, effects, restarts, children, the technician and the webhooks."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from estate.plant import MACHINES, machine
from estate.systems.child import PROJECT, SystemProcess
from estate.systems.cmms import CmmsSystem
from estate.systems.inventory import InventorySystem
from estate.systems.mes import MesSystem
from estate.systems.planning import PlanningSystem
from estate.systems.webhooks_out import WebhookTarget
from estate.technician import Technician

REQUEST = {"assetNo": "FIL-01", "symptom": "leak", "priority": "2-HIGH", "externalRef": "key-1"}
LINE = {"pos": 1, "partNo": "SEAL-KIT-01", "qty": 1, "uom": "EA", "reservationRef": "AL-5001"}
RESERVED = {"status": "PARTS_RESERVED", "partLines": [LINE]}
AWAITED = {"status": "PARTS_AWAITED", "partLines": [LINE]}


class Api:
    """JSON over HTTP: (status, document)."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        async with self._session.request(method, path, json=body) as answer:
            text = await answer.read()
            return answer.status, (await answer.json() if text else None)


@pytest.fixture
async def cmms(tmp_path: Path) -> AsyncIterator[CmmsSystem]:
    async with CmmsSystem(tmp_path / "cmms") as system:
        yield system


@pytest.fixture
async def api(cmms: CmmsSystem) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession(cmms.url) as session:
        yield Api(session)


async def test_faults_over_http(api: Api) -> None:
    status, _ = await api.ask("POST", "/_faults", {"kind": "http_503", "times": None, "path": "^POST /api"})
    assert status == 201
    assert (await api.ask("POST", "/_faults", {"kind": "earthquake"}))[0] == 422
    assert (await api.ask("POST", "/_faults", {"kind": "outage", "path": "("}))[0] == 422
    for _ in range(2):
        assert (await api.ask("POST", "/api/work-requests", REQUEST))[0] == 503
    assert (await api.ask("GET", "/api/assets/FIL-01"))[0] == 200
    assert len((await api.ask("GET", "/_faults"))[1]) == 1
    assert (await api.ask("DELETE", "/_faults"))[0] == 204
    assert (await api.ask("POST", "/api/work-requests", REQUEST))[0] == 201


async def test_a_counted_fault_ends_by_itself_and_health_does_not_use_it_up(api: Api) -> None:
    await api.ask("POST", "/_faults", {"kind": "outage", "times": 1})
    for _ in range(2):
        with pytest.raises(aiohttp.ClientError):
            await api.ask("GET", "/health")
    with pytest.raises(aiohttp.ClientError):
        await api.ask("POST", "/api/work-requests", REQUEST)  # aiohttp repeats a GET by itself
    assert (await api.ask("GET", "/health"))[0] == 200
    assert (await api.ask("GET", "/api/assets/FIL-01"))[0] == 200


async def test_effects_show_that_a_repeated_post_is_a_second_document(api: Api) -> None:
    for _ in range(2):
        await api.ask("POST", "/api/work-requests", REQUEST)
    _, effects = await api.ask("GET", "/_effects")
    assert effects["counts"]["work_requests"] == 2
    assert [row["request_no"] for row in effects["rows"]["work_requests"]] == ["WR-1001", "WR-1002"]
    _, found = await api.ask("GET", "/api/work-requests?externalRef=key-1")
    assert found["total"] == 2


async def test_the_same_data_after_a_restart(tmp_path: Path) -> None:
    system = CmmsSystem(tmp_path)
    for expected in ("WO-2001", "WO-2002"):
        async with system, aiohttp.ClientSession(system.url) as session:
            port = system.port
            _, answer = await Api(session).ask("POST", "/api/work-requests", REQUEST)
            assert answer["workOrderNo"] == expected
    assert system.port == port


async def test_refusals_change_nothing(api: Api, cmms: CmmsSystem) -> None:
    for body in ({}, {**REQUEST, "assetNo": "X"}, {**REQUEST, "priority": "HIGH"}, []):
        status, answer = await api.ask("POST", "/api/work-requests", body)
        assert status in {400, 404, 422}
        assert answer["error"]["code"]
    assert sum(cmms.effect_counts().values()) == 0


@pytest.mark.parametrize("kind", [CmmsSystem, InventorySystem, MesSystem, PlanningSystem])
async def test_every_system_knows_the_same_plant(kind: type, tmp_path: Path) -> None:
    async with kind(tmp_path) as system, aiohttp.ClientSession(system.url) as session:
        api = Api(session)
        assert (await api.ask("GET", "/_ping"))[1] == {"system": system.name}
        assert set((await api.ask("GET", "/_effects"))[1]["counts"].values()) <= {0}
        for known in MACHINES:
            if kind is CmmsSystem:
                assert (await api.ask("GET", f"/api/assets/{known.asset}"))[0] == 200
            if kind is MesSystem:
                assert (await api.ask("GET", f"/mes/machines/{known.equipment}/situation"))[0] == 200


def test_an_unknown_machine_is_named() -> None:
    with pytest.raises(KeyError, match="FILLER-01"):
        machine("FILLER-02")


async def test_a_child_survives_its_own_death_with_its_data(tmp_path: Path) -> None:
    async with SystemProcess("cmms", tmp_path) as child:
        async with aiohttp.ClientSession(child.url) as session:
            assert (await Api(session).ask("POST", "/api/work-requests", REQUEST))[0] == 201
        await child.kill()
        await child.start()
        async with aiohttp.ClientSession(child.url) as session:
            _, effects = await Api(session).ask("GET", "/_effects")
    assert effects["counts"]["work_requests"] == 1


async def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(  # noqa: ASYNC220 - it is killed while we wait for its child
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, cwd=PROJECT
    )
    assert parent.stdout is not None
    pid = int(await asyncio.to_thread(parent.stdout.readline))
    watch = os.pidfd_open(pid)
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(watch, gone.set)
    parent.kill()
    await asyncio.to_thread(parent.wait)
    parent.stdout.close()
    try:
        async with asyncio.timeout(60):
            await gone.wait()
    finally:
        asyncio.get_running_loop().remove_reader(watch)
        if not gone.is_set():
            signal.pidfd_send_signal(watch, signal.SIGKILL)
        os.close(watch)


PARENT = """
import asyncio, sys
from pathlib import Path
from estate.systems.child import SystemProcess
async def main():
    async with SystemProcess("planning", Path(sys.argv[1])) as child:
        print(child.pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


class Receiver:
    """Takes webhooks, refusing the first `refuse` of them."""

    def __init__(self) -> None:
        self.taken: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self.refuse = 0
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.refuse:
            self.refuse -= 1
            return web.Response(status=503)
        await self.taken.put((request.headers["X-Signature"], body))
        return web.Response(status=202)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = web.Application()
    app.router.add_post("/hook", found.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield found
    await runner.cleanup()


async def test_the_technician_completes_an_order_whose_parts_are_reserved(
    tmp_path: Path, receiver: Receiver
) -> None:
    target = WebhookTarget(url=receiver.url, secret="s")
    receiver.refuse = 2
    system = CmmsSystem(tmp_path, webhook=target, technician=Technician(delay_s=0.05), retry_base_s=0.02)
    async with system, aiohttp.ClientSession(system.url) as session, asyncio.timeout(60):
        api = Api(session)
        await api.ask("POST", "/api/work-requests", REQUEST)
        assert (await api.ask("PATCH", "/api/work-orders/WO-2001/task", RESERVED))[0] == 200
        signature, body = await receiver.taken.get()
        _, order = await api.ask("GET", "/api/work-orders/WO-2001")
        assert (await api.ask("PATCH", "/api/work-orders/WO-2001/task", RESERVED))[0] == 409
        await system.webhooks.idle.wait()
        (delivery,) = system.database.rows("SELECT * FROM deliveries")
    assert signature == "sha256=" + hmac.new(b"s", body, hashlib.sha256).hexdigest()
    assert order["status"] == "DONE"
    assert order["completion"]["labour"][0]["personNo"] == "T-117"
    assert order["completion"]["partsUsed"][0]["partNo"] == "SEAL-KIT-01"
    assert (delivery["state"], delivery["attempts"]) == ("DELIVERED", 3)


async def test_without_parts_the_technician_waits_until_they_arrive(
    tmp_path: Path, receiver: Receiver
) -> None:
    target = WebhookTarget(url=receiver.url, secret="s")
    system = CmmsSystem(tmp_path, webhook=target, technician=Technician(delay_s=0.01))
    async with system, aiohttp.ClientSession(system.url) as session, asyncio.timeout(60):
        api = Api(session)
        await api.ask("POST", "/api/work-requests", REQUEST)
        await api.ask("PATCH", "/api/work-orders/WO-2001/task", AWAITED)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await receiver.taken.get()
        assert (await api.ask("GET", "/api/work-orders/WO-2001"))[1]["status"] == "WAITING_PARTS"
        assert (await api.ask("POST", "/api/work-orders/WO-2001/parts-arrived"))[0] == 204
        await receiver.taken.get()


async def test_parts_can_arrive_by_themselves_and_work_goes_on_after_a_restart(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with CmmsSystem(tmp_path) as system, aiohttp.ClientSession(system.url) as session:
        api = Api(session)
        await api.ask("POST", "/api/work-requests", REQUEST)
        await api.ask("PATCH", "/api/work-orders/WO-2001/task", AWAITED)
        target = {"url": receiver.url, "secret": "s", "duplicates": 3}
        assert (await api.ask("PUT", "/api/webhook", target))[0] == 204
    worker = Technician(delay_s=0.05, parts_arrive_after_s=0.05)
    async with CmmsSystem(tmp_path, technician=worker), asyncio.timeout(60):
        copies = [await receiver.taken.get() for _ in range(3)]
    assert len({body for _, body in copies}) == 3


async def test_the_good_quantity_grows(tmp_path: Path) -> None:
    async with MesSystem(tmp_path) as system, aiohttp.ClientSession(system.url) as session:
        api = Api(session)
        with system.database.transaction():
            system.database.execute(
                "UPDATE jobs SET started_at = '2026-01-01T00:00:00Z', units_per_s = 0.001"
            )
        _, first = await api.ask("GET", "/mes/machines/FILLER-01/situation")
        assert 31_200 < first["running"]["good"]["qty"] <= 120_000
        await api.ask("PUT", "/_running", {"running": False})
        assert (await api.ask("GET", "/mes/machines/FILLER-01/situation"))[1]["running"] is None
