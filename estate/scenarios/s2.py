"""S2: a bottling line's pressure breach becomes a maintenance request, parts, and costs posted in ERP."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog

from estate.chaos.run import run_chaos
from estate.erp.books import Row
from estate.running import SEAL_KIT, RunningEstate
from estate.scenarios import disturbances
from estate.scenarios.demo import play
from estate.scenarios.protocol import Protocol, StepFailed
from estate.technician import Technician
from lineshaft.app.last_run import cache_dir
from lineshaft.app.scenarios import ChaosPlan, ChaosResult, ScenarioResult, ScenarioStep
from lineshaft.core.errors import LineshaftError

__all__ = ["SCENARIO", "PressureBreach"]

_NOTHING = {
    "maintenance_requests": 0,
    "maintenance_orders": 0,
    "observations": 0,
    "task_updates": 0,
    "reservations": 0,
    "withdrawals": 0,
    "balance_updates": 0,
    "capacity_constrained": 0,
    "capacity_restored": 0,
    "requisitions": 0,
    "consumptions": 0,
    "labour_costs": 0,
}
_IN_STOCK = _NOTHING | {
    "maintenance_requests": 1,
    "maintenance_orders": 1,
    "task_updates": 1,
    "reservations": 1,
    "withdrawals": 1,
    "balance_updates": 1,
    "consumptions": 1,
    "labour_costs": 1,
}
_BELOW_THRESHOLD = _IN_STOCK | {
    "reservations": 0,
    "withdrawals": 0,
    "requisitions": 1,
    "capacity_constrained": 1,
    "capacity_restored": 1,
}
_JOINED = _NOTHING | {"maintenance_requests": 1, "maintenance_orders": 1, "observations": 1}
_KEPT_RUNS = 5
_SETTLE_S = 1.5
_PATIENCE_S = 120.0


class PressureBreach:
    id = "S2"
    title = "Bottling-line pressure breach → maintenance, spare parts, costs and stock in ERP"
    variants: Sequence[str] = (
        "in-stock",
        "below-threshold",
        "duplicate",
        "restart",
        "open-order",
        "sparkplug",
        "erp-outage",
        "nats-kill",
        "bad-input",
    )

    async def run(
        self, variant: str, on_step: Callable[[ScenarioStep], None], store_url: str = ""
    ) -> ScenarioResult:
        """On data of its own, kept for `lineshaft trace` until five later runs are there."""
        folder = _fresh_folder(variant)
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
        protocol, started = Protocol(on_step), time.perf_counter()
        effects: Mapping[str, int] = {}
        documents: dict[str, list[str]] = {}
        try:
            async with RunningEstate(
                folder,
                technician=Technician(delay_s=1.5 if variant == "restart" else 0.5),
                duplicates=3 if variant == "duplicate" else 1,
                sparkplug=variant == "sparkplug",
                store_url=store_url,
                say=protocol.note,
            ) as estate:
                protocol.note(
                    "ERP, CMMS, inventory, MES, planning and the product are up", detail=str(folder)
                )
                await self._play(variant, estate, protocol)
                effects = await estate.effects()
                documents = await _documents(estate)
        except StepFailed:
            pass
        except (LineshaftError, OSError) as error:
            protocol.note("the estate did not run", False, str(error))
        return ScenarioResult(
            scenario=self.id,
            variant=variant,
            passed=protocol.passed,
            steps=protocol.steps,
            effects=dict(effects),
            documents=documents,
            duration_s=round(time.perf_counter() - started, 1),
            data=str(folder),
        )

    async def demo(self, say: Callable[[str], None]) -> None:
        await play(say)

    async def chaos(self, plan: ChaosPlan, say: Callable[[str], None]) -> ChaosResult:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
        return await run_chaos(plan, _fresh_folder("chaos"), say)

    async def _play(self, variant: str, estate: RunningEstate, protocol: Protocol) -> None:
        wanted = _IN_STOCK
        if variant == "below-threshold":
            wanted = _BELOW_THRESHOLD
            await estate.set_stock(0)
            protocol.note("seal kits are out of stock in ERP and inventory")
        if variant == "open-order":
            wanted = _JOINED
            await disturbances.open_order(estate, protocol)
        if variant == "bad-input":
            await disturbances.bad_input(estate, protocol)
        async with disturbances.around(variant, estate, protocol):
            estate.filler.start()
            estate.filler.breach()
            protocol.note("the filler's pressure rises beyond 4.5 bar")
            if variant == "open-order":
                await _joined(estate, protocol)
            else:
                await _maintained(variant, estate, protocol)
        estate.filler.recover()
        await _completed(estate, protocol)
        await asyncio.sleep(_SETTLE_S)  # time for a second effect to show, should there be one
        if variant == "duplicate":
            async with asyncio.timeout(60):
                await estate.cmms.webhooks.idle.wait()
        protocol.expect("effects counted in the target systems", await estate.effects(), wanted)
        exceptions = await estate.reads.open_exceptions()
        protocol.expect(
            "exceptions for a person",
            sorted(row["kind"] for row in exceptions),
            disturbances.EXCEPTIONS.get(variant, []),
        )
        await _explained(variant, estate, protocol)


async def _joined(estate: RunningEstate, protocol: Protocol) -> None:
    async def noted() -> int:
        return estate.cmms.effect_counts()["notes"]

    await protocol.until("the finding is joined to the open order", noted)


async def _maintained(variant: str, estate: RunningEstate, protocol: Protocol) -> None:
    cmms, inventory = estate.cmms, estate.inventory

    async def count(counts: Callable[[], Mapping[str, int]], kind: str) -> int:
        return counts()[kind]

    async def until(name: str, counts: Callable[[], Mapping[str, int]], kind: str) -> None:
        await protocol.until(name, lambda: count(counts, kind), within_s=_PATIENCE_S)

    await until("the CMMS has the maintenance request", cmms.effect_counts, "work_requests")
    if variant == "below-threshold":
        requisitions = await protocol.until(
            "ERP has the purchase requisition",
            estate.books.requisitions,
            detail=lambda rows: ", ".join(str(row["number"]) for row in rows),
        )
        await until(
            "planning knows of the constrained capacity", estate.planning.effect_counts, "capacity_notices"
        )
        await _deliver(estate, protocol, float(requisitions[0]["quantity"]))
    else:
        await until("the seal kit is reserved", inventory.effect_counts, "allocations")
    await until("the technician's task is updated", cmms.effect_counts, "task_updates")
    await until("the technician has completed the order", cmms.effect_counts, "completions")
    for name, rows in (
        ("ERP has the stock movement", estate.books.consumptions),
        ("ERP has the labour cost", estate.books.labour_costs),
    ):
        await protocol.until(
            name,
            _patient(rows),
            within_s=_PATIENCE_S,
            detail=lambda found: ", ".join(str(row["number"]) for row in found),
        )
    await until("the stock balance is synchronised", inventory.effect_counts, "ledger_updates")


def _patient(look: Callable[[], Awaitable[list[Row]]]) -> Callable[[], Awaitable[list[Row]]]:
    """Books that cannot be read now, since ERP is down, are empty."""

    async def rows() -> list[Row]:
        try:
            return await look()
        except (LineshaftError, OSError):
            return []

    return rows


async def _deliver(estate: RunningEstate, protocol: Protocol, quantity: float) -> None:
    """The supplier delivers: a goods receipt in ERP, and the technician hears of it."""
    order = (await _waiting_order(estate, protocol))["work_order_no"]
    number = await estate.books.receive(SEAL_KIT, quantity)
    protocol.note("the supplier has delivered", detail=f"goods receipt {number}")
    estate.cmms.book.parts_arrived(order)


async def _waiting_order(estate: RunningEstate, protocol: Protocol) -> Mapping[str, str]:
    async def waiting() -> list[Mapping[str, str]]:
        return list(estate.cmms.effect_rows()["task_updates"])

    return (await protocol.until("the technician waits for parts", waiting))[0]


async def _completed(estate: RunningEstate, protocol: Protocol) -> None:
    async def done() -> bool:
        processes = await estate.reads.recent_processes()
        counts = await estate.reads.counts()
        return bool(processes) and all(p["state"] == "completed" for p in processes) and not counts["outbox"]

    await protocol.until("the process has completed and its events are out", done)


async def _explained(variant: str, estate: RunningEstate, protocol: Protocol) -> None:
    """From the number of the story's last document back to the device reading."""
    if variant == "open-order":
        number = str(estate.cmms.effect_rows()["notes"][0]["note_no"])
    else:
        number = (await _documents(estate))["labour_costs"][0]
    kinds = {"reading", "event", "process", "step", "call", "document"}

    async def whole() -> bool:
        stories = (await estate.reads.trace(number))["stories"]
        found = [{node["kind"] for node in story["nodes"]} for story in stories]
        return len(found) == 1 and kinds <= found[0]

    await protocol.until(f"the trace of {number} leads from the device reading to the document", whole)


async def _documents(estate: RunningEstate) -> dict[str, list[str]]:
    """Document numbers in the target systems, by kind."""
    return {
        "maintenance_requests": [row["request_no"] for row in estate.cmms.effect_rows()["work_requests"]],
        "requisitions": [str(row["number"]) for row in await estate.books.requisitions()],
        "consumptions": [str(row["number"]) for row in await estate.books.consumptions()],
        "labour_costs": [str(row["number"]) for row in await estate.books.labour_costs()],
    }


def runs_dir() -> Path:
    return cache_dir() / "runs"


def _fresh_folder(variant: str) -> Path:
    runs = runs_dir()
    runs.mkdir(parents=True, exist_ok=True)
    for old in sorted(path for path in runs.iterdir() if path.is_dir())[: -_KEPT_RUNS + 1]:
        if time.time() - old.stat().st_mtime > 3600 or len(list(runs.iterdir())) > 4 * _KEPT_RUNS:
            shutil.rmtree(old, ignore_errors=True)
    folder = runs / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-S2-{variant}"
    folder.mkdir()
    return folder


SCENARIO = PressureBreach()
