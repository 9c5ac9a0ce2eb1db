"""Only a completion that is right in every part is posted; a wrong one tells all that is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.core.errors import BusinessFault
from lineshaft.model.maintenance import MaterialActual, OrderCompletion, PartRequirement, PersonnelActual
from lineshaft.processes.completion import hours_of, validated
from tests.facts import AT, KIT, completion, pieces, requirement, work

PLANNED = [requirement(count=2)]


def part(count: str = "2", unit: str = "C62", material: str = KIT, id: str = "C-1") -> MaterialActual:
    return MaterialActual(id=id, line=1, material_definition_id=material, quantity=pieces(count, unit))


def findings(checked: OrderCompletion, planned: list[PartRequirement] | None = None) -> str:
    with pytest.raises(BusinessFault) as caught:
        validated(checked, PLANNED if planned is None else planned)
    assert (caught.value.code, caught.value.owner) == ("invalid_completion", "maintenance")
    return str(caught.value)


def test_a_right_one_passes_unchanged() -> None:
    assert validated(completion(), PLANNED) == completion()
    nothing = completion(personnel_actual=[], material_actual=[])
    assert validated(nothing, []) == nothing


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"personnel_actual": [work(hours=-1)]}, "ends before it starts"),
        ({"personnel_actual": [work(hours=0)]}, "ends before it starts"),
        (
            {"personnel_actual": [work(hours=17)], "actual_end_time": AT + timedelta(hours=20)},
            "more than 16 h",
        ),
        ({"personnel_actual": [work(hours=5)]}, "outside the order's actual times"),
        ({"personnel_actual": [work(start=AT - timedelta(seconds=1))]}, "outside the order's actual times"),
        ({"personnel_actual": [msgspec.structs.replace(work(), hourly_rate=Decimal(-1))]}, "rate -1"),
        ({"personnel_actual": [msgspec.structs.replace(work(), hourly_rate=Decimal("NaN"))]}, "rate NaN"),
        ({"personnel_actual": [work(), work(start=AT + timedelta(hours=1))]}, "booked twice"),
        (
            {"personnel_actual": [work(), msgspec.structs.replace(work("P-2"), currency="USD")]},
            "more than one currency",
        ),
        ({"material_actual": [part("0")]}, "not positive"),
        ({"material_actual": [part("-1")]}, "not positive"),
        ({"material_actual": [part("3")]}, "3 used, 2 planned"),
        ({"material_actual": [part("1"), part("2", id="C-2")]}, "3 used, 2 planned"),
        ({"material_actual": [part("1"), part("1")]}, "same id"),
        ({"material_actual": [part(material="OTHER")]}, "OTHER was not planned"),
        ({"material_actual": [part(unit="KGM")]}, "cannot become"),
        ({"material_actual": [part(unit="???")]}, "not a known UNECE Rec 20 code"),
    ],
)
def test_each_rule(changes: dict[str, object], said: str) -> None:
    assert said in findings(completion(**changes))


def test_everything_that_is_wrong_is_told_at_once() -> None:
    said = findings(
        completion(
            personnel_actual=[work(hours=-1), work("P-2", hours=9)],
            material_actual=[part("9"), part(material="OTHER", id="C-2")],
        )
    )
    for expected in ("P-77 on 0010 ends", "P-2 on 0010 lies outside", "9 used, 2 planned", "OTHER was not"):
        assert expected in said


def test_a_kit_may_name_a_material_on_several_lines() -> None:
    planned = [requirement(1, count=2), requirement(2, count=1)]
    validated(completion(material_actual=[part("3")]), planned)
    assert "4 used, 3 planned" in findings(completion(material_actual=[part("4")]), planned)


def test_units_of_one_dimension_are_compared() -> None:
    planned = [PartRequirement(line=1, material_definition_id=KIT, quantity=pieces("0.5", "KGM"))]
    validated(completion(material_actual=[part("500", "GRM")]), planned)
    assert "used" in findings(completion(material_actual=[part("501", "GRM")]), planned)


def test_people_may_work_at_the_same_time_and_one_after_the_other() -> None:
    validated(
        completion(personnel_actual=[work(), work("P-2"), work(start=AT + timedelta(hours=1.5))]), PLANNED
    )


@pytest.mark.parametrize(("day", "hours"), [(29, "7"), (28, "8")])
def test_the_night_of_the_change_to_summer_time_is_an_hour_shorter(day: int, hours: str) -> None:
    """29 March 2026, Berlin: from 22:00 to 06:00 are seven hours."""
    berlin = ZoneInfo("Europe/Berlin")
    shift = PersonnelActual(
        operation="0010",
        person_id="P",
        start_time=datetime(2026, 3, day - 1, 22, tzinfo=berlin),
        end_time=datetime(2026, 3, day, 6, tzinfo=berlin),
        hourly_rate=Decimal(1),
        currency="EUR",
    )
    assert hours_of(shift) == Decimal(hours)


SPANS = st.tuples(st.integers(-60, 300), st.integers(-60, 300))


@given(st.lists(SPANS, max_size=5))
def test_labour_passes_exactly_when_it_lies_inside_and_apart(spans: list[tuple[int, int]]) -> None:
    bookings = [
        msgspec.structs.replace(
            work(), start_time=AT + timedelta(minutes=start), end_time=AT + timedelta(minutes=end)
        )
        for start, end in spans
    ]
    right = all(0 <= start < end <= 240 for start, end in spans) and all(
        one[1] <= other[0] or other[1] <= one[0]
        for index, one in enumerate(spans)
        for other in spans[index + 1 :]
    )
    checked = completion(personnel_actual=bookings)
    if right:
        assert validated(checked, PLANNED) is checked
    else:
        findings(checked)


@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.integers(-1, 4)), max_size=5),
    st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 5)), max_size=3),
)
def test_parts_pass_exactly_when_all_were_planned(
    used: list[tuple[str, int]], planned: list[tuple[str, int]]
) -> None:
    actual = [part(str(count), material=name, id=f"C-{n}") for n, (name, count) in enumerate(used)]
    allowed = [requirement(n, name, count) for n, (name, count) in enumerate(planned)]
    right = all(count > 0 for _, count in used) and all(
        sum(count for name, count in used if name == material)
        <= sum(count for name, count in planned if name == material)
        for material in "AB"
    )
    checked = completion(material_actual=actual)
    if right:
        assert validated(checked, allowed) is checked
    else:
        findings(checked, allowed)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(1, 16 * 3600),
)
def test_hours_are_the_difference_to_four_places(start: datetime, seconds: int) -> None:
    booked = msgspec.structs.replace(work(), start_time=start, end_time=start + timedelta(seconds=seconds))
    assert abs(hours_of(booked) - Decimal(seconds) / 3600) <= Decimal("0.00005")
    assert hours_of(booked).as_tuple().exponent == -4
