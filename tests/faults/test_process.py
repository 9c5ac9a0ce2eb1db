"""The whole process under a fault of every system at once, twice: every effect once, and nobody is asked."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from estate.chaos.checker import Fact, Held, check
from estate.chaos.schedule import REFUSED
from estate.systems.faults import FaultKind
from estate.technician import Technician
from lineshaft.calls import Door, System
from lineshaft.contracts.catalogue import CAPABILITIES, THRESHOLD_EXCEEDED
from lineshaft.core.values import Event
from lineshaft.ledger import Audit, Claims, Desk
from lineshaft.model.condition import Evidence, LimitKind, ThresholdExceeded
from lineshaft.processes import SHIPPED, Engine
from lineshaft.processes.actions import Actions
from lineshaft.store import Outbox, Store
from lineshaft.store.schema import exceptions, processes
from tests.clocks import ManualClock
from tests.faults.conftest import SECRET, Targets
from tests.faults.test_matrix import policy
from tests.rows import rows
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASSET, EQUIPMENT, PART = "CAP-01", "CAPPER-01", "GREASE-FG"
BEGINNINGS = count(1)


class House:
    """One start of the product's processes and calls on the real connectors."""

    def __init__(self, store: Store, targets: Targets, kind: str) -> None:
        self.store, self.targets, self.kind, self.clock = store, targets, kind, ManualClock()
        systems = [
            System(name, targets.whole[name], CAPABILITIES, policy(name, kind), self.clock)
            for name in targets.whole
        ]
        definitions = SHIPPED["corrective_maintenance"]
        claims = Claims(store, Outbox(store), Audit("node", self.clock), self.clock)
        self.engine = Engine(
            store,
            Door(
                claims,
                systems,
                {each.actor: each.operations for each in definitions},
                plant="leipzig",
                source="/northspring/leipzig/lineshaft",
                clock=self.clock,
            ),
            definitions,
            Desk(store, self.clock).add,
            self.clock,
            plant="leipzig",
            zone=ZoneInfo("Europe/Berlin"),
            source="/northspring/leipzig/lineshaft",
        )
        self.actions = Actions(
            store, definitions, lambda connection, action: None, self.clock, zone=ZoneInfo("Europe/Berlin")
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.engine.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def under_fault(self, work: Awaitable[None], then: str) -> None:
        """Do it while every system is at fault; lift that when the instance rests."""
        proxies = self.targets.fronts.values()
        for proxy in proxies:
            if self.kind == REFUSED:
                await proxy.refuse()
            else:
                proxy.faults.add(self.kind, times=None)
        await work
        await self.in_state("retrying")
        for proxy in proxies:
            proxy.faults.clear()
            await proxy.admit()
        await self.in_state(then)

    async def in_state(self, state: str) -> None:
        """Time passes while it is looked for: pauses end, breakers let probes through."""

        async def reached() -> bool:
            self.clock.advance(2)
            self.engine.look_by(float("-inf"))
            return [row["state"] for row in await rows(self.store, processes)] == [state]

        await until(reached, timeout_s=120)


@pytest.mark.parametrize(
    "kind", [REFUSED, FaultKind.RESET_AFTER_COMMIT, FaultKind.HTTP_500_AFTER_COMMIT, FaultKind.MALFORMED]
)
async def test_each_effect_once_though_every_system_fails_twice(
    kind: str, store: Store, targets: Targets
) -> None:
    start = datetime(2026, 3, 2, 6, 0, tzinfo=UTC) + timedelta(seconds=next(BEGINNINGS))
    house, cmms = House(store, targets, kind), targets.requests.cmms
    async with house.running():
        await house.under_fault(house.engine.handle(_breach(start)), "waiting")
        ours = [order["workOrderNo"] for order in cmms.book.orders(ASSET, open_only=True)]
        (waiting,) = (order for order in cmms.book.waiting_orders() if order.number in ours)
        await cmms.complete(waiting.number, Technician().report(waiting))
        await house.under_fault(house.engine.handle(_completed(targets, waiting.number)), "completed")
    assert await rows(store, exceptions) == []
    verdict = check([Fact(ASSET, start)], await _held(targets, waiting.number))
    assert verdict.single, verdict
    assert verdict.by_effect["consumption"] == verdict.by_effect["labour_cost"] == (1, 1)


@pytest.mark.parametrize("short", [True, False], ids=["short", "reserved"])
async def test_an_abort_frees_planning_and_stock_once_though_every_system_fails(
    short: bool, store: Store, targets: Targets
) -> None:
    start = datetime(2026, 3, 2, 6, 0, tzinfo=UTC) + timedelta(seconds=next(BEGINNINGS))
    house, requests = House(store, targets, FaultKind.RESET_AFTER_COMMIT), targets.requests
    stock = requests.inventory.database
    (was,) = stock.rows("SELECT on_hand FROM stock WHERE sku = ?", PART)
    if short:
        stock.execute("UPDATE stock SET on_hand = 0 WHERE sku = ?", PART)
    async with house.running():
        await house.engine.handle(_breach(start))
        await house.in_state("waiting")
        stock.execute("UPDATE stock SET on_hand = ? WHERE sku = ?", was["on_hand"], PART)
        (instance,) = await rows(store, processes)
        abort = house.actions.abort(instance["process_id"], by="kim", reason="the sensor was wrong")
        await house.under_fault(abort, "aborted")
    assert await rows(store, exceptions) == []
    (order,) = requests.cmms.book.orders(ASSET, open_only=True)
    held = await _held(targets, order["workOrderNo"])
    requests.cmms.database.execute(
        "UPDATE work_orders SET status = 'CANCELLED' WHERE work_order_no = ?", order["workOrderNo"]
    )
    assert [row["kind"] for row in held.notices] == (["REDUCED", "FULL"] if short else [])
    assert [row["status"] for row in held.allocations] == ([] if short else ["CANCELLED"])
    promised = {row["allocation_id"] for row in held.allocations}
    releases = requests.inventory.effect_rows()["releases"]
    assert sum(row["allocation_id"] in promised for row in releases) == len(promised)


def _breach(start: datetime) -> Event:
    found = ThresholdExceeded(
        equipment_id=EQUIPMENT,
        physical_asset_id=ASSET,
        rule="torque-high",
        rule_version="1",
        property="torque_current",
        kind=LimitKind.HIGH,
        value=9.5,
        limit=8.0,
        unit="AMP",
        severity=700,
        episode_start=start,
        detected_at=start,
        evidence=Evidence(topic="plant/leipzig/capper-01", position="RAW:1", time=start, value=9.5),
    )
    source = "/northspring/leipzig/telemetry/main"
    return THRESHOLD_EXCEEDED.make(
        found, plant="leipzig", source=source, identity=(start.isoformat(),), time=start
    )


def _completed(targets: Targets, order: str) -> Event:
    """As the CMMS's webhook tells it."""
    rows = targets.requests.cmms.database.rows("SELECT body FROM deliveries ORDER BY rowid DESC LIMIT 1")
    body = rows[0]["body"].encode()
    assert order.encode() in body
    signature = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    translate: Any = targets.whole["cmms"].translate  # type: ignore[attr-defined]
    (event,) = translate("order-completed", {"X-Signature": f"sha256={signature}"}, body)
    return event


async def _held(targets: Targets, order: str) -> Held:
    """What has to do with this one order; the matrix has left much beside it."""
    cmms, inventory = targets.requests.cmms.effect_rows(), targets.requests.inventory.effect_rows()
    notices = targets.requests.planning.effect_rows()["capacity_notices"]
    orders = [row for row in cmms["work_orders"] if row["work_order_no"] == order]
    allocations = [row for row in inventory["allocations"] if row["demand_ref"] == order]
    promised = {row["allocation_id"] for row in allocations}
    books = targets.books
    return Held(
        requests=[row for row in cmms["work_requests"] if row["work_order_no"] == order],
        orders=orders,
        notes=[row for row in cmms["notes"] if row["work_order_no"] == order],
        task_updates=[row for row in cmms["task_updates"] if row["work_order_no"] == order],
        completions=[row for row in cmms["completions"] if row["work_order_no"] == order],
        allocations=allocations,
        picks=[row for row in inventory["picks"] if row["allocation_id"] in promised],
        ledger_updates=[row for row in inventory["ledger_updates"] if row["sku"] == PART],
        notices=[row for row in notices if row["reference"] == order],
        requisitions=[row for row in await books.requisitions() if row["reference"] == order],
        consumptions=[row for row in await books.consumptions() if row["reference"] == order],
        labour_costs=[row for row in await books.labour_costs() if row["reference"] == order],
    )
