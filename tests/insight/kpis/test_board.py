"""Asking for KPIs: periods, one or all, and what an empty plant says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from lineshaft.core.errors import ContractViolation, TransientFault
from lineshaft.insight.kpis import KPIS
from lineshaft.insight.kpis.periods import edges, period
from lineshaft.model.calendar import CalendarEntry, EntryType
from lineshaft.store import Store
from tests.insight.kpis.evening import AT, END, Evening

BERLIN = ZoneInfo("Europe/Berlin")


def no_calendar(start: datetime, end: datetime) -> None:
    return None


@pytest.fixture
def evening(store: Store) -> Evening:
    return Evening(store)


async def test_an_empty_ledger_says_what_each_kpi_needs_and_divides_by_nothing(evening: Evening) -> None:
    board = await evening.reads.board(None)
    assert [figure.id for figure in board.figures] == [kpi.id for kpi in KPIS]
    for figure in board.figures:
        assert figure.says
        if figure.value is None:
            assert figure.says.startswith("Not measured yet: needs ")
        else:
            assert figure.value == 0
    assert board.end_time - board.start_time == timedelta(hours=24)


async def test_the_whole_board_tells_what_each_alone_does(evening: Evening) -> None:
    await evening.filler()
    board = await evening.reads.board(None, start=AT, end=END)
    for figure in board.figures:
        assert await evening.figure(figure.id) == figure


async def test_the_answer_is_kept_for_ten_seconds(evening: Evening) -> None:
    first = await evening.figure("unresolved_downtime")
    await evening.filler()
    evening.clock.advance(9)
    assert await evening.figure("unresolved_downtime") == first
    evening.clock.advance(2)
    assert (await evening.figure("unresolved_downtime")).value == 1


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"kpi": "oe"}, "there is no KPI 'oe'"),
        ({"span": "week"}, "there is no period 'week'"),
        ({"start": END}, "is no period"),
        ({"start": END - timedelta(days=93)}, "is no period of up to 92 days"),
    ],
)
async def test_what_cannot_be_asked(evening: Evening, changes: dict[str, object], what: str) -> None:
    with pytest.raises(ContractViolation, match=what):
        await evening.reads.board(None, **changes)  # type: ignore[arg-type]


async def test_too_many_at_once_are_refused_and_old_answers_forgotten(evening: Evening) -> None:
    """Each begins at another moment, so that no answer is there yet."""
    asked = [
        evening.reads.board(None, start=AT + timedelta(seconds=number), end=END, kpi="unresolved_downtime")
        for number in range(80)
    ]
    told = await asyncio.gather(*asked, return_exceptions=True)
    refused = [each for each in told if isinstance(each, TransientFault)]
    assert 0 < len(refused) < 80
    assert "too many" in str(refused[0])
    assert not [each for each in told if isinstance(each, BaseException) and each not in refused]
    for number in range(100, 200):
        await evening.reads.board(None, start=AT + timedelta(seconds=number), end=END, kpi="oee")
    assert len(evening.reads._known) <= 66


def test_points_of_a_series_are_whole_hours_or_days_of_the_site() -> None:
    now = datetime(2026, 4, 1, 9, 30, tzinfo=UTC)
    start, end = period("24h", now, BERLIN, no_calendar)
    found = edges(start, end, BERLIN)
    assert (found[0], found[-1], len(found)) == (start, now, 26)
    assert {edge.minute for edge in found[1:-1]} == {0}
    start, end = period("7d", now, BERLIN, no_calendar)
    found = edges(start, end, BERLIN)  # the clock is changed on the fourth day
    assert {edge.astimezone(BERLIN).hour for edge in found[1:-1]} == {0, 6, 12, 18}
    start, end = period("30d", now, BERLIN, no_calendar)
    assert {edge.astimezone(BERLIN).hour for edge in edges(start, end, BERLIN)[1:-1]} == {0}
    start, _ = period("today", now, BERLIN, no_calendar)
    assert start == datetime(2026, 3, 31, 22, tzinfo=UTC)


def test_a_shift_is_that_of_the_calendar_else_eight_hours() -> None:
    now = datetime(2026, 4, 1, 9, 30, tzinfo=UTC)
    early = CalendarEntry(
        id="early",
        entry_type=EntryType.SHIFT,
        start_date_time=now - timedelta(hours=3),
        finish_date_time=now + timedelta(hours=5),
        shift_date=now.date(),
    )

    def calendar(start: datetime, end: datetime) -> Sequence[CalendarEntry]:
        return [early]

    assert period("shift", now, BERLIN, calendar) == (now - timedelta(hours=3), now)
    assert period("shift", now, BERLIN, no_calendar) == (now - timedelta(hours=8), now)
