"""From a stop that is over to its classified segments: who is asked, who is waited for, what is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from lineshaft.contracts.catalogue import DOWNTIME_CLASSIFIED, DOWNTIME_ENDED
from lineshaft.core.errors import BusinessFault
from lineshaft.core.ids import business_key
from lineshaft.core.values import Event
from lineshaft.model.calendar import CalendarEntries, CalendarEntry
from lineshaft.model.downtime import ClassifiedStop, StopClass, StopReason
from lineshaft.model.equipment_state import Downtime
from lineshaft.model.maintenance import PlannedOrder, PlannedWork
from lineshaft.model.production import ProductionContext
from lineshaft.processes import SHIPPED
from lineshaft.processes.downtime import DowntimeOutcome, classify_downtime
from lineshaft.store import Store
from lineshaft.store.schema import outbox
from tests.clocks import ManualClock
from tests.facts import ASSET, AT, EQUIPMENT, shift, stop
from tests.rows import rows
from tests.waiting import until

from .plant import Answers, House

ASKED = ["production.context", "calendar.entries", "maintenance.planned_work", "production.stop_reason"]
LATE = AT + timedelta(minutes=10)
"""The early shift ends and the late one begins within the stop."""


class Story:
    """What the systems say can be changed while the process waits."""

    def __init__(self, store: Store) -> None:
        self.reason = StopReason(equipment_id=EQUIPMENT, code="MECH-JAM", leaf=True, erp_postable=True)
        self.job: str | None = "JOB-9"
        self.entries: list[CalendarEntry] = [shift(LATE - timedelta(hours=8)), shift(LATE, name="late")]
        self.planned: list[PlannedOrder] = []
        self.answers = Answers(
            {
                "production.context": lambda request: ProductionContext(
                    equipment_id=request.equipment_id, work_center_id="LINE-2", job_order_id=self.job
                ),
                "production.stop_reason": lambda request: self.reason,
                "calendar.entries": lambda request: CalendarEntries(
                    equipment_id=request.equipment_id, entries=self.entries
                ),
                "maintenance.planned_work": lambda request: PlannedWork(orders=self.planned),
            }
        )
        clock = ManualClock(at=AT + timedelta(minutes=21), tick_s=0.001)
        self.house = House(store, [classify_downtime], self.answers, clock)

    async def begin(self, ended: Downtime) -> None:
        await self.house.engine.handle(ended_event(ended))

    async def told(self) -> list[tuple[str, ClassifiedStop]]:
        """Events with their ids, in order."""
        found = sorted(await rows(self.house.store, outbox), key=lambda row: int(row["seq"]))
        events = [msgspec.json.decode(row["event"], type=Event) for row in found]
        return [(event.id, DOWNTIME_CLASSIFIED.decode(event)) for event in events]

    async def outcome(self) -> DowntimeOutcome:
        await self.house.in_state("completed")
        return msgspec.json.decode((await self.house.instance())["result"], type=DowntimeOutcome)

    def asked(self) -> list[str]:
        return [command.operation for command in self.answers.commands]

    def looks(self) -> int:
        return self.asked().count("production.stop_reason")

    async def look_again(self, times: int = 1) -> None:
        """Let the pauses pass, and wait for the looks after them."""
        for _ in range(times):
            await self.house.in_state("waiting")
            looks = self.looks()
            self.house.pass_time(4 * 86_400)

            async def looked(before: int = looks) -> bool:
                return self.looks() > before

            await until(looked)


def ended_event(ended: Downtime) -> Event:
    identity = (ended.equipment_id, ended.rule, ended.start_time.isoformat())
    return DOWNTIME_ENDED.make(ended, plant="NSP", source="/nsp/telemetry", identity=identity, time=AT)


@pytest_asyncio.fixture
async def story(store: Store) -> AsyncIterator[Story]:
    told = Story(store)
    async with told.house.running():
        yield told


async def test_each_segment_is_told_under_an_identity_of_its_own_facts(story: Story) -> None:
    await story.begin(stop())
    outcome = await story.outcome()
    assert outcome == DowntimeOutcome(equipment_id=EQUIPMENT, segments=2, postable=2, revision=0)
    assert story.asked() == ASKED
    period: Any = story.answers.commands[1].request
    assert (period.work_center_id, period.start_time, period.end_time) == (
        "LINE-2",
        AT,
        AT + timedelta(minutes=20),
    )
    assert story.answers.commands[2].request.physical_asset_id == ASSET  # type: ignore[attr-defined]
    asked: Any = story.answers.commands[3].request
    assert (asked.reason_code, asked.start_time) == ("JAM", AT)
    told = await story.told()
    assert [(each.shift_id, each.erp_postable) for _, each in told] == [("early", True), ("late", True)]
    name = (DOWNTIME_CLASSIFIED.type, "/acme/NSP/lineshaft/1/classify_downtime", EQUIPMENT, "line-state")
    assert [event_id for event_id, _ in told] == [
        business_key(*name, "2026-03-02T06:00:00.000000Z", segment, "0") for segment in ("0", "1")
    ]


async def test_a_stop_that_is_told_twice_is_classified_once(story: Story) -> None:
    for _ in range(2):
        await story.begin(stop())
    await story.outcome()
    assert len(await story.told()) == 2


async def test_a_reason_that_comes_while_it_waits_is_taken(story: Story) -> None:
    given, story.reason = story.reason, StopReason(equipment_id=EQUIPMENT)
    await story.begin(stop())
    await story.look_again()
    await story.house.in_state("waiting")
    assert await story.told() == []
    story.reason = given
    await story.look_again()
    assert (await story.outcome()).revision == 0
    assert [each.classification for _, each in await story.told()] == [StopClass.DOWNTIME] * 2


@pytest.mark.parametrize("code", ["", "MECH"])
async def test_without_a_leaf_reason_it_is_unclassified_and_never_postable(story: Story, code: str) -> None:
    story.reason = StopReason(equipment_id=EQUIPMENT, code=code)
    await story.begin(stop())
    await story.look_again(3)
    await story.house.in_state("waiting")
    told = await story.told()
    assert [(each.classification, each.erp_postable) for _, each in told] == [("unclassified", False)] * 2
    await story.look_again(3)
    assert await story.outcome() == DowntimeOutcome(
        equipment_id=EQUIPMENT, segments=2, postable=0, revision=0
    )
    assert await story.told() == told


async def test_a_reason_that_comes_late_corrects_what_waited_for_it_as_the_next_revision(
    story: Story,
) -> None:
    given, story.reason = story.reason, StopReason(equipment_id=EQUIPMENT)
    story.planned = [
        PlannedOrder(id="PM-1", physical_asset_id=ASSET, start_time=LATE, end_time=AT + timedelta(minutes=20))
    ]
    await story.begin(stop())
    await story.look_again(3)
    await story.house.in_state("waiting")
    story.reason, story.job = given, None  # the job is that of the stop, not of the moment
    await story.look_again()
    assert await story.outcome() == DowntimeOutcome(
        equipment_id=EQUIPMENT, segments=2, postable=1, revision=1
    )
    told = [
        (each.segment, each.revision, each.classification, each.erp_postable)
        for _, each in await story.told()
    ]
    assert told == [(0, 0, "unclassified", False), (1, 0, "planned", False), (0, 1, "downtime", True)]
    assert len({event_id for event_id, _ in await story.told()}) == 3


@pytest.mark.parametrize("change", [{"upstream": "FILLER-1"}, {"minor_stop_s": 3600.0}])
async def test_nobody_is_waited_for_where_a_reason_would_change_nothing(
    story: Story, change: dict[str, object]
) -> None:
    story.reason = StopReason(equipment_id=EQUIPMENT)
    await story.begin(stop(**change))
    assert (await story.outcome()).postable == 0
    assert story.asked() == ASKED


async def test_what_a_system_refuses_parks_it_with_the_owner(story: Story) -> None:
    refused = BusinessFault("no machine FILLER-2", code="unknown_equipment", owner="master-data")
    story.answers.faults["production.context"] = [refused]
    await story.begin(stop())
    await story.house.in_state("parked")
    assert await story.told() == []


async def test_a_stop_without_an_end_parks(story: Story) -> None:
    await story.begin(stop(end_time=None))
    await story.house.in_state("parked")
    assert story.asked() == []


def test_it_is_shipped_and_asks_only_for_what_it_declares() -> None:
    assert SHIPPED["classify_downtime"] == (classify_downtime,)
    assert set(ASKED) <= classify_downtime.operations.keys()
