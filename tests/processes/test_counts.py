"""From a counted window to what may be received, and what parks or ends quietly instead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from lineshaft.contracts.catalogue import COUNT_ACCEPTED, COUNT_AGGREGATED
from lineshaft.core.values import Event
from lineshaft.model.aggregates import CountAggregate
from lineshaft.model.counting import AcceptedCount, CountedOrder, CountedQuantity, OperationsRequestState
from lineshaft.processes import SHIPPED
from lineshaft.processes.counts import CountOutcome, accept_count
from lineshaft.store import Store
from lineshaft.store.schema import exceptions, outbox
from tests.clocks import ManualClock
from tests.facts import AT, EQUIPMENT, count, counted_order, pieces
from tests.rows import rows

from .plant import Answers, House


class Story:
    """made: what the MES says."""

    def __init__(self, store: Store) -> None:
        self.made = CountedQuantity(equipment_id=EQUIPMENT, is_count_point=True, order=counted_order())
        self.answers = Answers({"production.counted": lambda request: self.made})
        self.house = House(store, [accept_count], self.answers, ManualClock(tick_s=0.001))

    async def tell(self, counted: CountAggregate) -> None:
        identity = (counted.equipment_id, counted.start_time.isoformat(), str(counted.revision))
        event = COUNT_AGGREGATED.make(
            counted, plant="NSP", source="/nsp/telemetry", identity=identity, time=AT
        )
        await self.house.engine.handle(event)

    async def told(self) -> list[tuple[str, AcceptedCount]]:
        found = sorted(await rows(self.house.store, outbox), key=lambda row: int(row["seq"]))
        events = [msgspec.json.decode(row["event"], type=Event) for row in found]
        return [(event.id, COUNT_ACCEPTED.decode(event)) for event in events]

    async def outcome(self) -> CountOutcome:
        await self.house.in_state("completed")
        return msgspec.json.decode((await self.house.instance())["result"], type=CountOutcome)

    def order(self, **changes: object) -> None:
        self.made = msgspec.structs.replace(self.made, order=counted_order(**changes))


@pytest_asyncio.fixture
async def story(store: Store) -> AsyncIterator[Story]:
    told = Story(store)
    async with told.house.running():
        yield told


async def test_the_quantity_of_the_mes_is_told_with_what_a_receipt_needs(story: Story) -> None:
    story.order(on_hold=True, lot_managed=True, material_lot_id="LOT-9")
    await story.tell(count(301))
    assert (await story.outcome()).disposition == "accepted"
    asked: Any = story.answers.commands[0].request
    assert (asked.equipment_id, asked.property) == (EQUIPMENT, "good_count")
    assert asked.end_time - asked.start_time == timedelta(minutes=1)
    ((_, accepted),) = await story.told()
    assert (accepted.quantity, accepted.counted_quantity) == (pieces(300), pieces(301))
    assert (accepted.restricted, accepted.material_lot_id) == (True, "LOT-9")


async def test_a_window_is_accepted_once_and_its_revision_and_the_next_are_facts_of_their_own(
    story: Story,
) -> None:
    minute = timedelta(minutes=1)
    windows = [
        count(),
        count(),
        count(revision=1),
        count(start_time=AT + minute, end_time=AT + 2 * minute),
        count(epoch=AT),
    ]
    for each in windows:
        await story.tell(each)
    await story.house.in_state("completed", 4)
    assert len({event_id for event_id, _ in await story.told()}) == len(await story.told()) == 4


async def test_a_revision_to_nothing_is_told(story: Story) -> None:
    await story.tell(count())
    await story.house.in_state("completed")
    story.order(good=0)
    await story.tell(count(0, revision=1))
    await story.house.in_state("completed", 2)
    told = [(each.revision, each.quantity) for _, each in await story.told()]
    assert told == [(0, pieces(300)), (1, pieces(0))]


@pytest.mark.parametrize(
    ("is_count_point", "order", "disposition"),
    [
        (False, counted_order(), "no_count_point"),
        (True, None, "no_order"),
        (True, counted_order(0), "nothing_made"),
    ],
)
async def test_what_is_not_transactional_ends_quietly(
    story: Story, store: Store, is_count_point: bool, order: CountedOrder | None, disposition: str
) -> None:
    story.made = CountedQuantity(equipment_id=EQUIPMENT, is_count_point=is_count_point, order=order)
    await story.tell(count(0, complete=order is not None))
    outcome = await story.outcome()
    assert (outcome.disposition, outcome.operations_request_id) == (disposition, "PO-9" if order else None)
    assert await story.told() == []
    assert await rows(store, exceptions) == []


async def test_a_mismatch_parks_for_production_and_a_corrected_count_goes_on(
    story: Story, store: Store
) -> None:
    await story.tell(count(200))
    await story.house.in_state("parked")
    (row,) = await rows(store, exceptions)
    assert (row["owner"], row["kind"]) == ("production", "business_fault")
    assert "counted 200 C62, the MES has 300 for order PO-9" in row["cause"]
    corrected = msgspec.json.encode(count(300))
    process_id = (await story.house.instance())["process_id"]
    assert (
        await story.house.actions.correct(
            process_id, corrected, by="kim", reason="counted by hand", dry_run=False
        )
        == []
    )
    story.house.pass_time(1)
    assert (await story.outcome()).disposition == "accepted"


@pytest.mark.parametrize(
    ("counted", "changes", "cause"),
    [
        (count(complete=False), {}, "a step that nothing explains"),
        (count(), {"request_state": OperationsRequestState.COMPLETED}, "order PO-9 is Completed"),
        (count(), {"cumulative_quantity": pieces(130_000)}, "130000 C62 of 120000 planned"),
        (count(), {"lot_managed": True}, "WATER-05 is lot-managed"),
    ],
)
async def test_what_cannot_be_received_parks(
    story: Story, store: Store, counted: CountAggregate, changes: dict[str, object], cause: str
) -> None:
    story.order(**changes)
    await story.tell(counted)
    await story.house.in_state("parked")
    (row,) = await rows(store, exceptions)
    assert cause in row["cause"]
    assert await story.told() == []


def test_it_is_shipped() -> None:
    assert SHIPPED["accept_count"] == (accept_count,)
