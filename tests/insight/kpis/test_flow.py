"""What arrives in time, what fails and what waits, from rollups and rows on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Table

from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS
from lineshaft.insight.rollups import Rollups
from lineshaft.insight.service_levels import service_levels
from lineshaft.store import Store
from lineshaft.store.schema import calls, exceptions, processes
from lineshaft.store.statements import put
from tests.insight.kpis.evening import AT, END, Evening, hour

LEVELS = service_levels(EVENTS, CAPABILITIES, given={"accept_count": 60.0})
POSTING, RECEIPT = "orders.post_confirmation", "goods.receive_count"


class Ledger(Evening):
    """With processes and calls whose rollups have been counted."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, levels=LEVELS)
        self.made = 0

    async def put(self, table: Table, **row: Any) -> None:
        await self.store.write(lambda connection: put(connection, table, [row]))

    async def process(self, at: float, took_s: float, state: str = "completed", **changes: Any) -> None:
        self.made += 1
        is_over = state != "parked"
        row = {"process_id": f"p{self.made}", "business_key": f"b{self.made}", "version": 1}
        row |= {"type": "accept_count", "state": state, "plant": "leipzig", "started_at": hour(at)}
        row |= {"updated_at": hour(at + took_s / 3600)}
        row |= {"finished_at": row["updated_at"] if is_over else ""}
        await self.put(processes, **(row | changes))

    async def call(self, at: float, took_s: float | None, state: str = "posted", **changes: Any) -> None:
        self.made += 1
        row = {"call_id": f"c{self.made}", "idempotency_key": f"k{self.made}", "operation": POSTING}
        row |= {"state": state, "plant": "leipzig", "created_at": hour(at)}
        row |= {"finished_at": "" if took_s is None else hour(at + took_s / 3600)}
        await self.put(calls, **(row | changes))

    async def counted(self) -> None:
        rollups = Rollups(self.store, LEVELS, self.clock)
        while not await rollups.look() or await rollups.look_back() or await rollups.fold():
            pass


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store)


async def test_synchronisation_is_told_by_process_and_posting_against_its_level(ledger: Ledger) -> None:
    for at in (1.1, 1.2, 1.3):
        await ledger.process(at, 10)
    await ledger.process(6.1, 90)
    await ledger.call(6.2, 3)
    await ledger.call(6.3, None, "sending")
    await ledger.counted()
    figure = await ledger.figure("synchronisation_latency")
    assert (figure.value, figure.is_met) == (0.8, False)
    assert figure.says == "1 of 5 later than agreed"
    assert [row[:3] + row[5:] for row in figure.tables[0].rows] == [
        ["accept_count", "process", 4, 60, 1, 0.75],
        [POSTING, "posting", 1, 60, 0, 1],
    ]
    assert [point.value for point in figure.series] == [None, 1, None, None, None, None, 0.5, None]
    assert (await ledger.figure("synchronisation_latency", plants=frozenset({"linz"}))).value is None


async def test_an_error_budget_burns_by_what_is_late(ledger: Ledger) -> None:
    for number in range(19):
        await ledger.process(1 + number / 60, 10)
    await ledger.process(7.5, 90)
    await ledger.counted()
    figure = await ledger.figure("slo_burn")
    assert figure.value == pytest.approx(0.05 / 0.01)
    (row,) = figure.tables[0].rows
    assert row[:4] == ["accept_count", "process", 20, 1]
    assert row[5:] == pytest.approx([100, 100])  # in the last hours there was only the late one


async def test_failed_workflows_are_those_that_parked_or_were_broken_off(ledger: Ledger) -> None:
    for number, state in enumerate(("completed", "parked", "aborted", "cancelled", "completed")):
        await ledger.process(0.8 + number / 4, 10, state)
    await ledger.counted()
    figure = await ledger.figure("failed_workflows")
    assert figure.value == 0.5
    assert figure.tables[0].rows == [["accept_count", 4, 1, 1, 0, 0.5]]
    earlier = await ledger.figure("failed_workflows", end=AT.replace(hour=7))
    assert (earlier.value, earlier.is_met) == (0, True)


async def test_the_backlog_is_what_waits_now_by_plant_and_domain(ledger: Ledger) -> None:
    await ledger.process(1, 10, "parked")
    await ledger.call(2, None, "unknown")
    await ledger.call(3, 5, "rejected")
    await ledger.put(
        exceptions, exception_id="x1", plant="linz", owner="warehouse", state="open", first_at=hour(7)
    )
    figure = await ledger.figure("backlog")
    assert figure.value == 3
    assert figure.says == "waiting now, the oldest for 7 h 00 min"
    assert len(figure.tables[0].rows) == 3
    assert ["linz", "warehouse", 0, 0, 1, hour(7)] in figure.tables[0].rows
    assert (await ledger.figure("backlog", plants=frozenset({"linz"}))).value == 1


async def test_receipts_that_failed(ledger: Ledger) -> None:
    await ledger.call(1, 5, operation=RECEIPT)
    await ledger.call(2, 5, "rejected", operation=RECEIPT)
    await ledger.call(3, 5, "posted")
    await ledger.counted()
    figure = await ledger.figure("failed_receipts")
    assert (figure.value, figure.says) == (1, "of 2 goods receipts")
    assert figure.tables[0].rows == [[RECEIPT, 1, 1, 0, 0]]
    assert figure.series[2].value == 1
    assert ledger.clock.now() == END


async def test_value_at_risk_is_money_where_amounts_are_known_and_quantities_beside_it(
    ledger: Ledger,
) -> None:
    labour = '{"amount": "120.50", "currency": "EUR"}'
    await ledger.call(1, None, "failed", operation="erp.post_labour_cost", request=labour)
    await ledger.call(
        2, None, "unknown", operation=RECEIPT, request='{"quantity": {"value": "40", "unit": "C62"}}'
    )
    await ledger.call(3, 1, "rejected", operation="erp.post_labour_cost", request=labour)
    await ledger.call(4, 1, "rejected", operation="erp.post_labour_cost", request=labour)
    await ledger.call(5, 1, operation="erp.post_labour_cost", request=labour)
    refused = {"plant": "leipzig", "owner": "finance", "state": "open", "first_at": hour(3), "ref": "c3"}
    await ledger.put(exceptions, exception_id="x1", **refused)
    figure = await ledger.figure("valuation_at_risk")
    assert (figure.value, figure.unit, figure.target) == (241, "EUR", None)
    assert ["leipzig", RECEIPT, "unknown", 1, "40.00 C62"] in figure.tables[0].rows
    nothing = await ledger.figure("valuation_at_risk", plants=frozenset({"linz"}))
    assert (nothing.value, nothing.says, nothing.is_met) == (0, "everything is posted", None)
