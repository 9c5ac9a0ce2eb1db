"""What a stop was: one row per condition, and what holds of any stop in any calendar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.core.errors import BusinessFault
from lineshaft.model.calendar import CalendarEntry, EntryType
from lineshaft.model.downtime import ClassifiedStop, StopClass, StopReason
from lineshaft.model.equipment_state import STOP_STATES, Downtime, PackMLState, UnitMode
from lineshaft.model.maintenance import PlannedOrder
from lineshaft.model.production import ProductionContext
from lineshaft.processes.downtime_rules import classify, waits_for_reason
from tests.facts import ASSET, AT, EQUIPMENT, shift, stop

BREAK, PLANNED, HOLIDAY = EntryType.BREAK, EntryType.PLANNED_DOWNTIME, EntryType.HOLIDAY
JOB = ProductionContext(equipment_id=EQUIPMENT, work_center_id="LINE-2", job_order_id="JOB-9")
ORDER = ProductionContext(equipment_id=EQUIPMENT, work_center_id="LINE-2", operations_request_id="PO-9")
IDLE = ProductionContext(equipment_id=EQUIPMENT, work_center_id="LINE-2")


def reason(code: str = "MECH-JAM", leaf: bool = True, postable: bool = True) -> StopReason:
    return StopReason(equipment_id=EQUIPMENT, code=code, leaf=leaf, erp_postable=postable)


def later(minutes: float) -> datetime:
    return AT + timedelta(minutes=minutes)


def work(start: float, end: float) -> PlannedOrder:
    return PlannedOrder(id="PM-1", physical_asset_id=ASSET, start_time=later(start), end_time=later(end))


def classified(
    over: Downtime,
    entries: Sequence[CalendarEntry] = (shift(),),
    context: ProductionContext = JOB,
    given: StopReason | None = None,
    planned: Sequence[PlannedOrder] = (),
) -> list[ClassifiedStop]:
    return classify(over, entries, context, given or reason(), planned)


def test_what_may_be_posted_says_all_that_a_posting_needs() -> None:
    (segment,) = classified(stop(minutes=20))
    assert segment == ClassifiedStop(
        equipment_id=EQUIPMENT,
        physical_asset_id=ASSET,
        rule="line-state",
        rule_version="1",
        stop_start_time=AT,
        segment=0,
        start_time=AT,
        end_time=later(20),
        duration=Decimal(1200),
        classification=StopClass.DOWNTIME,
        erp_postable=True,
        reason_code="MECH-JAM",
        work_center_id="LINE-2",
        job_order_id="JOB-9",
        shift_id="early",
        shift_date=AT.date(),
    )


@pytest.mark.parametrize(
    ("over", "context", "given", "expected", "cause"),
    [
        (stop(minutes=5), JOB, reason(), "downtime", ""),
        (stop(minutes=4.99), JOB, reason(), "minor_stop", ""),
        (stop(minutes=4.99, minor_stop_s=299.0), JOB, reason(), "downtime", ""),
        (stop(minutes=5, minor_stop_s=301.0), JOB, reason(), "minor_stop", ""),
        (stop(upstream="FILLER-1"), JOB, reason(), "blocked_or_starved", ""),
        (stop(minutes=1, upstream="FILLER-1"), JOB, reason(), "minor_stop", ""),
        (stop(mode=UnitMode.MAINTENANCE), JOB, reason(), "unclassified", "not_in_production"),
        (stop(mode=None), JOB, reason(), "downtime", ""),
        (stop(state=PackMLState.EXECUTE), JOB, reason(), "unclassified", "not_in_production"),
        (stop(state=PackMLState.STOPPING), JOB, reason(), "unclassified", "not_in_production"),
        (stop(), ORDER, reason(), "downtime", ""),
        (stop(), IDLE, reason(), "not_scheduled", "no_active_job"),
        (stop(), JOB, reason(""), "unclassified", "no_reason"),
        (stop(), JOB, reason("MECH", leaf=False), "unclassified", "reason_is_a_group"),
        (stop(), JOB, reason("CLEAN", postable=False), "downtime", "reason_not_postable"),
    ],
)
def test_within_a_shift(
    over: Downtime, context: ProductionContext, given: StopReason, expected: str, cause: str
) -> None:
    (segment,) = classified(over, context=context, given=given)
    assert (segment.classification, segment.cause) == (expected, cause)
    assert segment.erp_postable is (expected == "downtime" and not cause)
    assert waits_for_reason([segment]) is (cause in {"no_reason", "reason_is_a_group"})
    assert segment.root_cause_equipment_id == (over.upstream or None)


@pytest.mark.parametrize("state", list(PackMLState))
def test_only_settled_stop_states_are_downtime(state: PackMLState) -> None:
    (segment,) = classified(stop(state=state))
    assert (segment.classification is StopClass.DOWNTIME) is (state in STOP_STATES)


@pytest.mark.parametrize(
    ("entries", "planned", "expected"),
    [
        ([], [], ["0-20 not_scheduled outside_of_shifts"]),
        ([shift(later(-480))], [], ["0-20 not_scheduled outside_of_shifts"]),
        ([shift(kind=HOLIDAY)], [], ["0-20 not_scheduled holiday"]),
        ([shift(), shift(kind=EntryType.NOT_SCHEDULED)], [], ["0-20 not_scheduled outside_of_shifts"]),
        ([shift(later(15))], [], ["0-15 not_scheduled outside_of_shifts", "15-20 downtime"]),
        ([shift(later(-475))], [], ["0-5 downtime", "5-20 not_scheduled outside_of_shifts"]),
        ([shift(), shift(hours=0.25, kind=BREAK)], [], ["0-15 planned break", "15-20 downtime"]),
        (
            [shift(), shift(later(6), 0.1, BREAK)],
            [],
            ["0-6 downtime", "6-12 planned break", "12-20 downtime"],
        ),
        ([shift(), shift(later(-60), 2, PLANNED)], [], ["0-20 planned planned_downtime"]),
        ([shift(later(-60), 9, PLANNED)], [], ["0-20 not_scheduled outside_of_shifts"]),
        ([shift()], [work(-60, 60)], ["0-20 planned planned_maintenance"]),
        ([shift()], [work(-60, 10)], ["0-10 planned planned_maintenance", "10-20 downtime"]),
        ([shift()], [work(-60, 0)], ["0-20 downtime"]),
        ([shift()], [work(20, 60)], ["0-20 downtime"]),
        ([], [work(5, 10)], ["0-20 not_scheduled outside_of_shifts"]),
        ([shift(later(-470)), shift(later(10), name="late")], [], ["0-10 downtime", "10-20 downtime"]),
    ],
)
def test_a_stop_is_cut_where_something_begins_or_ends(
    entries: list[CalendarEntry], planned: list[PlannedOrder], expected: list[str]
) -> None:
    segments = classified(stop(minutes=20), entries, planned=planned)
    told = [
        f"{(each.start_time - AT) // timedelta(minutes=1)}-{(each.end_time - AT) // timedelta(minutes=1)}"
        f" {each.classification} {each.cause}".strip()
        for each in segments
    ]
    assert told == expected
    assert [each.erp_postable for each in segments] == [" downtime" in line for line in expected]


def test_a_stop_over_a_shift_border_has_a_segment_in_each_shift_and_neither_is_a_minor_stop() -> None:
    night = shift(later(-6), name="late")
    early = shift(later(-486), name="early")
    segments = classified(stop(later(-8), minutes=6), [early, night])
    assert [(each.segment, each.shift_id, each.duration) for each in segments] == [
        (0, "early", 120),
        (1, "late", 240),
    ]
    assert {each.classification for each in segments} == {StopClass.DOWNTIME}
    assert {each.stop_start_time for each in segments} == {later(-8)}


def test_a_minor_stop_in_a_break_is_in_the_break() -> None:
    (segment,) = classified(stop(minutes=1), [shift(), shift(kind=BREAK)])
    assert segment.classification is StopClass.PLANNED


@pytest.mark.parametrize("end", [None, AT, later(-1)])
def test_a_stop_that_is_not_over_is_refused(end: datetime | None) -> None:
    with pytest.raises(BusinessFault) as refused:
        classified(stop(end_time=end))
    assert (refused.value.code, refused.value.owner) == ("stop_without_end", "production")


minutes = st.integers(-600, 600)
kinds = st.sampled_from(list(EntryType))
calendars = st.lists(
    st.builds(
        lambda start, length, kind, name: shift(later(start), length / 60, kind, name),
        minutes,
        st.integers(1, 600),
        kinds,
        st.sampled_from(["early", "late"]),
    ),
    max_size=6,
)
works = st.lists(st.builds(lambda start, length: work(start, start + length), minutes, st.integers(1, 300)))


@given(
    calendar=calendars,
    planned=works,
    length=st.integers(1, 600),
    context=st.sampled_from([JOB, ORDER, IDLE]),
    given=st.sampled_from(
        [reason(), reason(""), reason("MECH", leaf=False), reason("CLEAN", postable=False)]
    ),
    upstream=st.sampled_from(["", "FILLER-1"]),
)
def test_segments_cover_the_stop_once_and_only_clear_ones_are_postable(
    calendar: list[CalendarEntry],
    planned: list[PlannedOrder],
    length: int,
    context: ProductionContext,
    given: StopReason,
    upstream: str,
) -> None:
    over = stop(minutes=length, upstream=upstream)
    segments = classified(over, calendar, context, given, planned)
    assert (segments[0].start_time, segments[-1].end_time) == (over.start_time, over.end_time)
    assert sum(each.duration for each in segments) == length * 60
    assert [each.segment for each in segments] == list(range(len(segments)))
    for one, other in pairwise(segments):
        assert one.end_time == other.start_time
    for each in segments:
        if not each.erp_postable:
            continue
        assert (context is not IDLE, given, upstream, length >= 5) == (True, reason(), "", True)
        assert not any(
            order.start_time < each.end_time and order.end_time > each.start_time for order in planned
        )
        over_it = [
            entry
            for entry in calendar
            if entry.start_date_time < each.end_time and entry.finish_date_time > each.start_time
        ]
        assert {entry.entry_type for entry in over_it} == {EntryType.SHIFT}
