"""OEE and downtime as events tell them, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from lineshaft.model.calendar import CalendarEntry, EntryType, EquipmentPeriod
from lineshaft.store import Store
from tests.insight.kpis.evening import (
    AT,
    END,
    FILLER,
    Evening,
    confirmed,
    hour,
    planned,
    states,
    stopped,
)
from tests.ledger.projections.plant_events import pieces, told


@pytest.fixture
def evening(store: Store) -> Evening:
    return Evening(store)


async def test_oee_of_an_evening_with_its_losses(evening: Evening) -> None:
    await evening.filler()
    figure = await evening.figure("oee")
    assert figure.value == pytest.approx(13_000 / 28_800, abs=1e-6)  # 1300 good ones of 10 s in 8 h
    assert figure.is_met is False
    assert {loss.what: loss.seconds for loss in figure.losses} == {
        "down": 3_000,
        "minor": 120,
        "blocked": 0,
        "other": 1_800,
        "speed": 23_880 - 13_240,
        "scrap": 240,
        "good": 13_000,
    }
    (row,) = figure.tables[0].rows
    assert row[:2] == ["leipzig", FILLER]
    assert row[3:6] == pytest.approx([23_880 / 28_800, 13_240 / 23_880, 13_000 / 13_240], abs=1e-6)
    assert row[8:] == [1324, 1300]
    assert any("calendar" in note for note in figure.notes)


async def test_the_series_adds_up_to_the_value(evening: Evening) -> None:
    await evening.filler()
    figure = await evening.figure("oee")
    hours = [point.value or 0.0 for point in figure.series]
    assert len(hours) == 8
    assert sum(hours) / 8 == pytest.approx(figure.value)


async def test_two_halves_come_to_the_whole(evening: Evening) -> None:
    """Halves ask at other borders: for what began before them, and for what ended after them."""
    await evening.filler()
    noon = AT + timedelta(hours=3.2)
    whole, first, second = [
        await evening.figure("unplanned_downtime", start=start, end=end)
        for start, end in ((AT, END), (AT, noon), (noon, END))
    ]
    assert (first.value, second.value, whole.value) == (720.0, 480.0 + 1800.0, 3_000.0)
    assert whole.tables[0].rows == [
        ["leipzig", FILLER, 2.0, 3000.0, pytest.approx(3000 / 28_800, abs=1e-6), 1800.0]
    ]


async def test_what_stands_still_now(evening: Evening) -> None:
    await evening.filler()
    await evening.hears(*stopped(5, 6, equipment="LABELLER-1"), *states((0, 6), equipment="LABELLER-1"))
    figure = await evening.figure("unresolved_downtime")
    assert (figure.value, figure.is_met) == (1, False)
    assert figure.says == f"the longest, {FILLER}, for 30 min"
    assert figure.tables[0].rows[0][:4] == ["leipzig", FILLER, hour(7.5), 1800.0]


async def test_a_state_that_lasts_all_through_the_period_counts(evening: Evening) -> None:
    await evening.hears(*states((-30, 6), (20, 2)), *planned(), confirmed(0, 8, "1000"))
    evening.clock.advance(24 * 3600)
    figure = await evening.figure("oee")
    assert figure.tables[0].rows[0][3] == 1.0
    assert figure.value == pytest.approx(10_000 / 28_800, abs=1e-6)


async def test_classified_stops_are_what_they_were_classified_as(evening: Evening) -> None:
    """The last revision holds: of a stop that was planned after all, nothing is lost."""

    def segment(number: int, start: float, end: float, what: str, revision: int = 0) -> dict[str, Any]:
        return {
            "equipment_id": FILLER,
            "stop_start_time": hour(1),
            "segment": number,
            "revision": revision,
            "start_time": hour(start),
            "end_time": hour(end),
            "classification": what,
        }

    await evening.hears(*states((0, 6), (1, 2), (3, 6)), *stopped(1, 3))
    for number, told_of in enumerate(
        (
            segment(0, 1, 2, "unclassified"),
            segment(1, 2, 3, "blocked_or_starved"),
            segment(0, 1, 2, "planned", revision=1),
        )
    ):
        await evening.hears(told("equipment.downtime.classified", 3 * 3600 + number, **told_of))
    figure = await evening.figure("oee")
    lost = {loss.what: loss.seconds for loss in figure.losses}
    assert (lost["down"], lost["blocked"]) == (0, 3600)
    assert figure.tables[0].rows[0][6] == 7 * 3600


async def test_only_the_time_of_shifts_is_planned(store: Store) -> None:
    def entry(kind: EntryType, start: float, finish: float) -> CalendarEntry:
        return CalendarEntry(
            id=f"{kind}-{start}",
            entry_type=kind,
            start_date_time=AT + timedelta(hours=start),
            finish_date_time=AT + timedelta(hours=finish),
            shift_date=AT.date(),
        )

    def working(plant: str, asked: EquipmentPeriod) -> Sequence[CalendarEntry]:
        return [
            entry(EntryType.SHIFT, -1, 4),
            entry(EntryType.BREAK, 2, 2.5),
            entry(EntryType.PLANNED_DOWNTIME, 3, 3.5),
        ]

    evening = Evening(store, working=working)
    await evening.filler()
    figure = await evening.figure("oee")
    assert figure.tables[0].rows[0][6] == 3 * 3600
    assert not any("calendar" in note for note in figure.notes)


async def test_counts_stand_in_where_nothing_is_confirmed_and_say_nothing_of_scrap(evening: Evening) -> None:
    window: dict[str, Any] = {"equipment_id": FILLER, "start_time": hour(0), "end_time": hour(2)}
    window |= {"operations_segment_id": "FILL"}
    for revision, counted in enumerate(("300", "360")):
        await evening.hears(
            told(
                "production.count.accepted",
                7200 + revision,
                revision=revision,
                quantity=pieces(counted),
                **window,
            )
        )
    await evening.hears(*planned(), *states((0, 6)))
    figure = await evening.figure("oee")
    assert figure.value is None
    assert figure.tables[0].rows[0][2:6] == [None, 1.0, pytest.approx(3600 / 28_800), None]
    assert figure.says == "availability 100% × effectiveness 12% × quality not known"


async def test_a_confirmation_without_equipment_counts_where_its_job_ran(evening: Evening) -> None:
    job: dict[str, Any] = {"start_time": hour(0), "end_time": hour(2), "quantity": pieces("720")}
    await evening.hears(
        told("production.job.dispatched", -60, **job),
        *states((0, 6)),
        confirmed(0, 4, "900", "100", equipment_actual=[], id="C-1"),
        confirmed(0, 4, "900", "100", id="C-2"),
        told("production.confirmation.reversed", 5 * 3600, id="R-1", reversal_of="C-2"),
    )
    figure = await evening.figure("oee")
    assert figure.value == pytest.approx(900 * 10 / 28_800, abs=1e-6)  # 10 s each, as dispatched


async def test_other_plants_are_not_seen(evening: Evening) -> None:
    await evening.filler()
    figure = await evening.figure("oee", plants=frozenset({"linz"}))
    assert figure.value is None
    assert figure.says.startswith("Not measured yet: needs events")
    assert (await evening.figure("unresolved_downtime", plants=frozenset({"linz"}))).value is None
