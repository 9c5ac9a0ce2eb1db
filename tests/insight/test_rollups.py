"""Rollups: what they count equals what happened, whoever counts it and however often."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS
from lineshaft.core.clock import rfc3339
from lineshaft.core.standing import Flow
from lineshaft.insight.rollups import HOUR, Rollups, marks
from lineshaft.insight.rollups_reads import flows, percentile
from lineshaft.insight.service_levels import service_levels
from lineshaft.store import Store
from lineshaft.store.schema import LATENCY_BOUNDS_S, activity, calls, events, processes
from lineshaft.store.statements import put
from tests.clocks import ManualClock
from tests.rows import rows

NOW = datetime(2026, 3, 9, 14, 2, 30, tzinfo=UTC)
BREACH, CONFIRMATION = "equipment.condition.threshold_exceeded.v1", "orders.post_confirmation"
LEVELS = service_levels(EVENTS, CAPABILITIES, given={"accept_count": 60.0})


def ago(seconds: float) -> str:
    return rfc3339(NOW - timedelta(seconds=seconds))


def event(number: int, recorded_s: float, *, took_s: float = 1.0, plant: str = "hamburg") -> dict[str, Any]:
    times = {"time": ago(recorded_s + took_s), "recorded_at": ago(recorded_s)}
    return {"event_id": f"e{number}", "type": BREACH, "plant": plant, **times}


def call(number: int, state: str, created_s: float, finished_s: float | None) -> dict[str, Any]:
    finished = "" if finished_s is None else ago(finished_s)
    times = {"created_at": ago(created_s), "finished_at": finished}
    told = {"operation": CONFIRMATION, "plant": "hamburg", "state": state}
    return {"call_id": f"c{number}", "idempotency_key": f"k{number}", **told, **times}


def process(number: int, state: str, started_s: float, updated_s: float) -> dict[str, Any]:
    key = {"process_id": f"p{number}", "type": "accept_count", "version": 1, "business_key": f"b{number}"}
    ended = ago(updated_s) if state == "completed" else ""
    times = {"started_at": ago(started_s), "updated_at": ago(updated_s), "finished_at": ended}
    return {**key, "plant": "hamburg", "state": state, **times}


class Counting:
    def __init__(self, store: Store, at: datetime = NOW) -> None:
        self.store = store
        self.clock = ManualClock(at)
        self.rollups = Rollups(store, LEVELS, self.clock)

    async def put(self, table: Any, *given: dict[str, Any]) -> None:
        await self.store.write(lambda connection: put(connection, table, list(given)))

    async def everything(self) -> None:
        while not await self.rollups.look() or await self.rollups.look_back() or await self.rollups.fold():
            pass

    async def flows(self, *, hours: float = 3, step_s: int = 60, plants: Any = None) -> Sequence[Flow]:
        ends = int(self.clock.now().timestamp()) + 60
        begins = int(ends - hours * HOUR)
        courses, sums = await self.store.read(
            lambda connection: flows(connection, plants, begins, ends, step_s)
        )
        assert sum(flow.count for flow in courses) == sum(flow.count for flow in sums)
        return courses


@pytest.fixture
def counting(store: Store) -> Counting:
    return Counting(store)


async def test_each_minute_tells_what_was_recorded_ended_and_parked(counting: Counting) -> None:
    await counting.put(events, event(1, 20), event(2, 10, took_s=5.001), event(3, 5, plant="leipzig"))
    await counting.put(
        calls,
        call(1, "posted", 20, 15),
        call(2, "posted", 100, 12),
        call(3, "rejected", 20, 15),
        call(4, "sending", 20, None),
        call(5, "sending", 90, 20),  # tried again: its first end does not count
    )
    await counting.put(processes, process(1, "completed", 80, 10), process(2, "parked", 300, 12))
    await counting.put(processes, process(3, "running", 300, 12))
    await counting.everything()
    leaves = {
        (row["plant"], row["kind"], row["subject"], row["outcome"]): (row["count"], row["late"])
        for row in await rows(counting.store, activity)
        if row["plant"] and row["subject"]
    }
    assert leaves == {
        ("hamburg", "event", BREACH, "recorded"): (2, 1),
        ("leipzig", "event", BREACH, "recorded"): (1, 0),
        ("hamburg", "call", CONFIRMATION, "posted"): (2, 1),
        ("hamburg", "call", CONFIRMATION, "rejected"): (1, 0),
        ("hamburg", "process", "accept_count", "completed"): (1, 1),
        ("hamburg", "process", "accept_count", "parked"): (1, 0),
    }
    (call_flow, event_flow, process_flow) = await counting.flows()
    assert (call_flow.kind, call_flow.count, call_flow.failed, call_flow.late) == ("call", 3, 1, 1)
    assert (event_flow.kind, event_flow.count, event_flow.late) == ("event", 3, 1)
    assert (process_flow.count, process_flow.failed, process_flow.late) == (2, 1, 1)
    assert process_flow.p50_s is not None
    assert 60 < process_flow.p50_s <= 120
    assert [flow.count for flow in await counting.flows(plants={"leipzig"})] == [1]
    assert await counting.flows(plants=set()) == []


async def test_counting_again_changes_nothing_and_a_later_outcome_replaces_an_earlier(
    counting: Counting,
) -> None:
    await counting.put(events, *(event(number, number * 7) for number in range(30)))
    await counting.put(calls, call(1, "failed", 60, 50))
    await counting.everything()
    before = await rows(counting.store, activity)
    await counting.everything()
    await Counting(counting.store).everything()  # another node
    assert await rows(counting.store, activity) == before
    await counting.put(calls, call(1, "posted", 60, 20))
    await counting.everything()
    outcomes = {row["outcome"] for row in await rows(counting.store, activity) if row["kind"] == "call"}
    assert outcomes == {"posted"}


async def test_what_was_there_before_is_counted_backwards_hour_by_hour(counting: Counting) -> None:
    ages = (30, 3_000, 9_000, 86_400, 5 * 86_400, 40 * 86_400, 399 * 86_400, 500 * 86_400)
    await counting.put(events, *(event(number, age) for number, age in enumerate(ages)))
    await counting.rollups.look()
    assert sum(flow.count for flow in await counting.flows(hours=24 * 450, step_s=HOUR)) == 1
    await counting.rollups.look_back()
    assert sum(flow.count for flow in await counting.flows(hours=24 * 450, step_s=HOUR)) == 2
    await counting.everything()
    assert sum(flow.count for flow in await counting.flows(hours=24 * 450, step_s=HOUR)) == 7
    assert (await counting.store.read(marks))["from"] == 0
    spans = Counter(row["span"] for row in await rows(counting.store, activity) if not row["plant"])
    assert spans == {60: 4 * 2, 3600: 3 * 2}


async def test_minutes_become_hours_after_two_days_and_hours_go_after_four_hundred(
    counting: Counting,
) -> None:
    await counting.put(events, *(event(number, number * 60) for number in range(60)))
    await counting.everything()
    counting.clock.advance(2 * 86_400 + 2 * HOUR)
    await counting.everything()
    found = await rows(counting.store, activity)
    assert {row["span"] for row in found} == {HOUR}
    assert sum(row["count"] for row in found if row["plant"] and row["subject"]) == 60
    assert sum(flow.count for flow in await counting.flows(hours=72, step_s=HOUR)) == 60
    counting.clock.advance(400 * 86_400)
    for _ in range(3):
        await counting.rollups.fold()
    assert await rows(counting.store, activity) == []


async def test_after_a_stop_of_the_node_the_time_between_is_counted(counting: Counting) -> None:
    await counting.put(events, event(1, 20))
    await counting.everything()
    counting.clock.advance(26 * HOUR)
    await counting.put(events, event(2, -3 * HOUR), event(3, -25 * HOUR))
    assert not await counting.rollups.look()
    await counting.everything()
    assert sum(flow.count for flow in await counting.flows(hours=48, step_s=HOUR)) == 3


async def test_the_task_counts_until_it_is_cancelled(counting: Counting) -> None:
    await counting.put(events, event(1, 20), event(2, 86_400))
    task = asyncio.create_task(counting.rollups.run())
    async with asyncio.timeout(60):
        while sum(flow.count for flow in await counting.flows(hours=48, step_s=HOUR)) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@given(st.lists(st.floats(0.001, 86_000), min_size=1, max_size=200), st.sampled_from([0.5, 0.95]))
def test_a_percentile_lies_between_the_bounds_of_the_true_one(latencies: list[float], share: float) -> None:
    counts = [0] * (len(LATENCY_BOUNDS_S) + 1)
    for latency in latencies:
        counts[sum(latency > bound for bound in LATENCY_BOUNDS_S)] += 1
    found = percentile(counts, share)
    ordered = sorted(latencies)
    true = ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
    number = sum(true > bound for bound in LATENCY_BOUNDS_S)
    assert found is not None
    assert (LATENCY_BOUNDS_S[number - 1] if number else 0) <= found <= LATENCY_BOUNDS_S[number]


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentile([0] * (len(LATENCY_BOUNDS_S) + 1), 0.5) is None
