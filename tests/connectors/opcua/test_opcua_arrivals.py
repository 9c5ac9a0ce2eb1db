"""From a change to a reading: times, qualities, and what is no number."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from opcua_facts import Sink

from lineshaft.connectors.opcua.arrivals import Arrivals, quality_of
from lineshaft.connectors.opcua.notifications import Change, Notification
from lineshaft.core.outgoing_readings import OutgoingReadings
from lineshaft.core.values import Quality
from tests.clocks import ManualClock

NOW = datetime(2024, 5, 1, 6, tzinfo=UTC)
NOW_MS = 1714543200000.0
TICKS = 116_444_736_000_000_000 + 1714543200000 * 10_000


class Told:
    def __init__(self, *metrics: str) -> None:
        self.outgoing = OutgoingReadings("opcua/line1", gather_s=0)
        self.arrivals = Arrivals(metrics, self.outgoing, ManualClock(NOW))

    def take(self, *changes: Change, sent: int = TICKS) -> None:
        self.arrivals.take(Notification(1, [], 1, sent, False, list(changes)))

    async def readings(self) -> list[tuple[str, float, float | None, str]]:
        sink = Sink()
        task = asyncio.create_task(self.outgoing.run(sink))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return [tuple(got) for got in sink.readings]


async def test_a_change_counts_from_its_source_else_from_the_server_else_from_when_it_was_told() -> None:
    told = Told("a")
    told.take(
        Change(0, 1.5, 0, TICKS - 20_000_000, TICKS - 10_000_000),
        Change(0, 2, 0, 0, TICKS - 10_000_000),
        Change(0, 3, 0, 0, 0),
    )
    assert await told.readings() == [
        ("a", NOW_MS - 2000, 1.5, "good"),
        ("a", NOW_MS - 1000, 2, "good"),
        ("a", NOW_MS, 3, "good"),
    ]


async def test_the_first_value_is_newer_than_what_came_before_the_loss() -> None:
    told = Told("unchanged", "changed", "old")
    before = TICKS - 30_000_000
    for handle in range(2):
        told.take(Change(handle, 1.0, 0, before, before))
    told.arrivals.begin(range(3))
    told.take(
        Change(0, 1.0, 0, before, before),
        Change(1, 2.0, 0, before + 10_000, 0),
        Change(2, 3.0, 0, before - 10**12, before),
    )
    told.take(Change(2, 4.0, 0, before, before))
    assert (await told.readings())[2:] == [
        ("unchanged", NOW_MS, 1.0, "good"),
        ("changed", NOW_MS - 2999, 2.0, "good"),
        ("old", NOW_MS, 3.0, "good"),
        ("old", NOW_MS - 3000, 4.0, "good"),
    ]


async def test_a_loss_is_told_once_for_every_metric() -> None:
    told = Told("a", "b")
    told.arrivals.lost()
    told.arrivals.lost()
    assert await told.readings() == [("a", NOW_MS, None, "stale"), ("b", NOW_MS, None, "stale")]
    told.arrivals.begin([0, 1])
    told.arrivals.lost()
    assert len(await told.readings()) == 2


@pytest.mark.parametrize(
    ("status", "quality"),
    [
        (0, Quality.GOOD),
        (0x00960000, Quality.GOOD),
        (0x40930000, Quality.UNCERTAIN),
        (0x808C0000, Quality.BAD),
        (0x809D0000, Quality.BAD),
        (0xC0000000, Quality.BAD),
        (0x80310000, Quality.STALE),
        (0x808A0000, Quality.STALE),
        (0x408F0480, Quality.STALE),
    ],
)
def test_quality_follows_the_severity_and_a_lost_device_is_stale(status: int, quality: Quality) -> None:
    assert quality_of(status) is quality


async def test_bad_values_are_none_uncertain_ones_stay() -> None:
    told = Told("a")
    told.take(Change(0, 1.5, 0x808C0000, TICKS, 0), Change(0, 2.5, 0x40930000, TICKS, 0))
    assert [each[2:] for each in await told.readings()] == [(None, "bad"), (2.5, "uncertain")]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "text", [1.0, 2.0], None])
async def test_what_is_no_number_is_bad_and_named(value: object) -> None:
    told = Told("a")
    told.take(Change(0, value, 0, TICKS, 0))
    assert [each[2:] for each in await told.readings()] == [(None, "bad")]
    assert list(told.arrivals.odd) == ([] if value is None else ["a"])


async def test_a_full_queue_of_the_server_is_counted_and_the_value_taken() -> None:
    told = Told("a")
    told.take(Change(0, 5, 0x0480, TICKS, 0), Change(0, 6, 0, TICKS, 0))
    assert [each[2:] for each in await told.readings()] == [(5, "good"), (6, "good")]
    assert told.arrivals.overflowed == 1
