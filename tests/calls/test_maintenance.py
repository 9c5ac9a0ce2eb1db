"""Windows in the plant's time, over midnight and over changes of the clock; pauses; who comes back when."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from lineshaft.calls.maintenance import Maintenance
from lineshaft.core.call_policy import Window
from lineshaft.core.errors import TransientFault
from tests.clocks import ManualClock

BERLIN = ZoneInfo("Europe/Berlin")


def windows(*given: dict[str, Any]) -> list[Window]:
    return msgspec.convert(list(given), list[Window])


SATURDAY = {"days": ["sat"], "from": "22:00", "to": "02:00"}


def closed_for(maintenance: Maintenance) -> float | None:
    """Seconds until one may come back; None when it is open."""
    try:
        maintenance.check()
    except TransientFault as fault:
        return fault.retry_after_s
    return None


@pytest.mark.parametrize(
    ("local", "rest"),
    [
        ("2026-03-07T21:59:59", None),
        ("2026-03-07T22:00", timedelta(hours=4)),
        ("2026-03-08T01:59", timedelta(minutes=1)),
        ("2026-03-08T02:00", None),
        ("2026-03-08T22:30", None),
        # the clock goes from 02:00 to 03:00: what ends at 02:00 ends at that moment
        ("2026-03-29T01:30", timedelta(minutes=30)),
        # it goes from 03:00 to 02:00: what ends at 02:00 ends at the second
        ("2026-10-25T01:30", timedelta(minutes=90)),
    ],
)
def test_a_window_over_midnight_in_the_time_of_the_plant(local: str, rest: timedelta | None) -> None:
    clock = ManualClock(datetime.fromisoformat(local).replace(tzinfo=BERLIN).astimezone(UTC))
    found = closed_for(Maintenance("erp", windows(SATURDAY), BERLIN, clock))
    if rest is None:
        assert found is None
    else:
        assert found is not None
        assert 0 <= found - rest.total_seconds() <= 10


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 1.5), ("2026-10-24", 1.5), ("2026-10-25", 2.5)])
def test_where_the_clock_is_changed_the_window_is_the_longer_one(day: str, hours: float) -> None:
    (window,) = windows({"from": "01:00", "to": "02:30"})
    span = window.on(date.fromisoformat(day), BERLIN)
    assert span is not None
    assert span[1] - span[0] == timedelta(hours=hours)


def test_windows_that_touch_are_one() -> None:
    clock = ManualClock(datetime(2026, 3, 7, 12, 30, tzinfo=UTC))
    given = windows(
        {"days": ["sat"], "from": "12:00", "to": "14:00"}, {"days": ["sat"], "from": "14:00", "to": "15:00"}
    )
    found = closed_for(Maintenance("erp", given, ZoneInfo("UTC"), clock))
    assert found is not None
    assert found >= 2.5 * 3600


def test_it_opens_and_closes_by_the_clock() -> None:
    clock = ManualClock(datetime(2026, 3, 7, 11, 0, tzinfo=UTC))
    maintenance = Maintenance("erp", windows({"from": "12:00", "to": "13:00"}), ZoneInfo("UTC"), clock)
    seen = []
    for _ in range(7 * 24 * 2):
        seen.append(closed_for(maintenance) is not None)
        clock.advance(1800)
    assert seen == [11 + step / 2 >= 12 and (11 + step / 2) % 24 in (12, 12.5) for step in range(len(seen))]


def test_those_who_wait_come_back_at_different_moments() -> None:
    clock = ManualClock(datetime(2026, 3, 7, 22, 0, tzinfo=UTC))
    maintenance = Maintenance("erp", windows(SATURDAY), ZoneInfo("UTC"), clock)
    assert len({closed_for(maintenance) for _ in range(50)}) > 40


def test_a_pause_ends_by_itself_or_by_a_person_and_is_looked_at_again_meanwhile() -> None:
    clock = ManualClock()
    maintenance = Maintenance("erp", [], ZoneInfo("UTC"), clock)
    maintenance.pause(clock.now() + timedelta(hours=3), "jo paused it (upgrade)")
    with pytest.raises(TransientFault, match=r"erp is not called: jo paused it \(upgrade\), until") as caught:
        maintenance.check()
    assert caught.value.code == "maintenance"
    assert 300 <= (caught.value.retry_after_s or 0) <= 310
    maintenance.resume()
    assert closed_for(maintenance) is None
    maintenance.pause(clock.now() + timedelta(seconds=30), "short")
    clock.advance(30)
    assert closed_for(maintenance) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"from": "24:00", "to": "02:00"},
        {"from": "22:00"},
        {"days": ["someday"], "from": "22:00", "to": "02:00"},
        {"days": [], "from": "22:00", "to": "02:00"},
        {"from": 1320, "to": "02:00"},
    ],
)
def test_a_window_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        windows(wrong)


@pytest.mark.parametrize(
    ("local", "window"),
    [
        ("2026-03-05T12:00", ("2026-03-07T22:00", "2026-03-08T02:00")),
        ("2026-03-07T23:00", ("2026-03-07T22:00", "2026-03-08T02:00")),
        ("2026-03-08T02:00", ("2026-03-14T22:00", "2026-03-15T02:00")),
    ],
)
def test_the_window_that_is_open_or_comes_next_is_known(local: str, window: tuple[str, str]) -> None:
    clock = ManualClock(datetime.fromisoformat(local).replace(tzinfo=BERLIN).astimezone(UTC))
    found = Maintenance("erp", windows(SATURDAY), BERLIN, clock).window()
    assert found == tuple(datetime.fromisoformat(text).replace(tzinfo=BERLIN) for text in window)
    assert Maintenance("erp", [], BERLIN, clock).window() is None
