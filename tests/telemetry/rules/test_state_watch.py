from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.core.errors import PermanentFault
from lineshaft.core.values import Value
from lineshaft.model.equipment_state import Downtime, PackMLState, StateChange
from lineshaft.telemetry.rules.watch import Watch
from tests.telemetry.taken import at, facts, faults, taken, us, watches

RULE = {
    "id": "line-state",
    "property": "state",
    "applies_to": {"tags": ["FIL.STATE", "CAP.STATE"]},
    "kind": "state",
    "packml": True,
}
FILLER = {**RULE, "applies_to": {"asset_class": "filler"}}
EXECUTE, STOPPED, HELD, ABORTED, RESETTING = 6, 2, 11, 9, 15


def filler(**changes: object) -> Watch:
    (watch,) = watches({**FILLER, **changes})
    return watch


def run(watch: Watch, *steps: tuple[float, str, float] | tuple[float]) -> list[Value]:
    """(seconds, role, value) is a reading, (seconds, "lost role", …) a loss, (seconds,) a tick."""
    found: list[Value] = []
    for seconds, *what in steps:
        if not what:
            found += facts(watch.tick(us(seconds)))
        elif str(what[0]).startswith("lost "):
            found += facts(watch.lost(str(what[0])[5:], us(seconds)))
        else:
            found += facts(watch.take(str(what[0]), taken(seconds, float(what[1]))))
    return found


def changes(found: list[Value]) -> list[tuple[int | None, int, float]]:
    return [
        (fact.previous, fact.state, (fact.start_time - at(0)).total_seconds())
        for fact in found
        if isinstance(fact, StateChange)
    ]


def downtimes(found: list[Value]) -> list[tuple[float, float | None]]:
    stops = [fact for fact in found if isinstance(fact, Downtime)]
    return [
        (
            (fact.start_time - at(0)).total_seconds(),
            fact.end_time and (fact.end_time - at(0)).total_seconds(),
        )
        for fact in stops
    ]


def test_each_change_of_state_is_told_once() -> None:
    found = run(filler(), (0, "state", 6), (1, "state", 6), (5, "state", 7), (6, "state", 2), (7, "state", 2))
    assert changes(found) == [(None, 6, 0), (6, 7, 5), (7, 2, 6)]
    last = found[-1]
    assert isinstance(last, StateChange)
    assert last.previous_start_time == at(5)
    assert (last.equipment_id, last.physical_asset_id, last.mode) == ("FIL-01", "FILLER-7", None)
    assert last.evidence.position == "RAW:7"
    assert not downtimes(found)


def test_a_downtime_is_told_by_a_tick_and_again_when_it_is_over() -> None:
    found = run(
        filler(), (0, "state", 6), (100, "state", 2), (399,), (400,), (401,), (700, "state", 6), (710,)
    )
    assert downtimes(found) == [(100, None), (100, 700)]
    started = next(fact for fact in found if isinstance(fact, Downtime))
    assert (started.state, started.mode, started.detected_at) == (PackMLState.STOPPED, None, at(400))


def test_a_downtime_is_told_by_the_reading_that_ends_it_where_no_tick_came_before() -> None:
    found = run(filler(), (0, "state", 6), (100, "state", 11), (400, "state", 6), (410, "state", 6))
    assert changes(found) == [(None, 6, 0), (6, 11, 100), (11, 6, 400)]
    assert downtimes(found) == [(100, None), (100, 400)]


def test_the_thresholds_are_declared_and_overridden() -> None:
    watch = filler(minor_stop_s=60, split_run_s=0, overrides={"FILLER-7": {"minor_stop_s": 30}})
    assert downtimes(run(watch, (0, "state", 2), (30, "state", 6))) == [(0, None)]
    assert downtimes(run(watch, (30,))) == [(0, 30)]


def test_the_device_s_clock_is_what_counts_at_a_tick() -> None:
    watch = filler()
    watch.take("state", taken(100, 2, late_s=50))  # it is 50 s behind, or the message took that long
    assert downtimes(run(watch, (449,))) == []
    assert downtimes(run(watch, (450,))) == [(100, None)]


def test_only_production_has_downtime() -> None:
    watch = filler(mode="unit_mode")
    assert downtimes(run(watch, (0, "state", 2), (999,))) == []  # mode not known yet
    assert downtimes(run(watch, (1000, "mode", 1), (1299,))) == []
    found = run(watch, (1300,), (1500, "mode", 2), (2500,))
    assert downtimes(found) == [(1000, None), (1000, 1500)]
    assert [fact.mode for fact in found if isinstance(fact, Downtime)] == [1, 1]
    assert downtimes(run(watch, (3000, "mode", 1), (3300,))) == [(3000, None)]


def test_modes_of_the_machine_builder_are_mapped() -> None:
    watch = filler(mode="unit_mode", modes={10: "Production", 20: "Maintenance"})
    found = run(watch, (0, "mode", 10), (0, "state", 2), (300,))
    assert downtimes(found) == [(0, None)]
    assert found[0].mode == 1  # type: ignore[attr-defined]
    (fault,) = faults(watch.take("mode", taken(310, 30)))
    assert (
        fault
        == "rule 'line-state': mode of 'FIL-01' is a number without a meaning; add it to `modes` of the rule"
    )


def test_a_number_without_a_meaning_is_a_fault_once_and_the_state_unknown() -> None:
    watch = filler(packml=False, states={0: "Stopped", 5: "Execute"})
    run(watch, (0, "state", 0))
    (fault,) = faults(watch.take("state", taken(250, 3)))
    assert "state of 'FIL-01'" in fault
    assert watch.take("state", taken(260, 3)) == []
    assert len(faults(watch.take("state", taken(270, 0.5)))) == 1
    assert run(watch, (900,)) == []
    found = run(watch, (1000, "state", 0), (1001,))
    assert changes(found) == []
    assert downtimes(found) == [(0, None)]  # it goes on as if nothing had happened


def test_a_stop_of_which_the_end_was_not_seen_ended_when_it_was_last_seen() -> None:
    found = run(filler(), (0, "state", 2), (310,), (320, "lost state"), (900, "state", 6), (910,))
    assert downtimes(found) == [(0, None), (0, 320)]
    assert changes(found) == [(None, 2, 0), (2, 6, 900)]


def test_a_state_that_is_confirmed_was_never_gone() -> None:
    watch = filler()
    watch.take("state", taken(0, 2, late_s=3))
    found = run(watch, (100, "lost state"))
    found += facts(watch.confirmed("state", taken(0, 2, late_s=203)))  # by the device's clock at 200
    assert run(watch, (302.9,)) == []
    found += run(watch, (303,), (900, "state", 6), (910,))
    assert downtimes(found) == [(0, None), (0, 900)]
    assert changes(found) == [(2, 6, 900)]


def test_a_state_is_not_known_by_what_it_was_before_or_means_nothing() -> None:
    watch = filler()
    run(watch, (0, "state", 6), (10, "state", 2), (20, "lost state"))
    assert facts(watch.confirmed("state", taken(10, 6, late_s=20))) == []
    assert run(watch, (900,)) == []
    assert facts(filler().confirmed("state", taken(0, 2))) == []


def test_mode_and_reason_are_confirmed_too() -> None:
    watch = filler(mode="unit_mode", reason="stop_reason", reasons={12: "JAM-01"})
    run(watch, (0, "mode", 1), (0, "state", 2), (0, "reason", 12))
    run(watch, (100, "lost mode"), (100, "lost reason"), (100, "lost state"))
    for role, value in (("mode", 1), ("reason", 12), ("state", 2)):
        assert facts(watch.confirmed(role, taken(0, value, late_s=200))) == []
    (found,) = run(watch, (400,))
    assert isinstance(found, Downtime)
    assert (found.mode, found.reason_code, found.start_time) == (1, "JAM-01", at(0))


def test_a_lost_mode_neither_starts_nor_ends() -> None:
    watch = filler(mode="unit_mode")
    found = run(watch, (0, "mode", 1), (0, "state", 2), (200, "lost mode"), (500,), (600, "mode", 1), (600,))
    assert downtimes(found) == [(0, None)]
    assert downtimes(run(watch, (700, "lost mode"), (900, "mode", 2))) == [(0, 700)]


def test_the_reason_of_a_stop_is_the_last_that_was_told_while_it_stood() -> None:
    watch = filler(reason="stop_reason", reasons={12: "JAM-01", 13: "JAM-02"})
    found = run(
        watch,
        (0, "state", 6),
        (100, "state", 11),
        (101, "reason", 12),
        (400,),
        (450, "reason", 13),
        (500, "reason", 0),
        (500, "state", 6),
        (505, "reason", 12),
        (510,),
    )
    assert [fact.reason_code for fact in found if isinstance(fact, Downtime)] == ["JAM-01", "JAM-02"]
    (fault,) = faults(watch.take("reason", taken(600, 99)))
    assert "add it to `reasons`" in fault


def test_a_reason_that_comes_before_the_state_belongs_to_it() -> None:
    watch = filler(reason="stop_reason", reasons={12: "JAM-01"})
    found = run(watch, (0, "state", 6), (100, "reason", 12), (100, "state", 11), (400,))
    assert [fact.reason_code for fact in found] == ["", "JAM-01", "JAM-01"]  # type: ignore[attr-defined]


def test_equipment_that_starves_names_what_had_stopped_before_it() -> None:
    fil, cap = watches({**RULE, "upstream": {"CAPPER-2": ["FIL-01"]}})
    run(fil, (0, "state", 6), (90, "state", 11))
    found = run(cap, (0, "state", 6), (100, "state", 5), (400,))
    assert [fact.upstream for fact in found if isinstance(fact, Downtime)] == ["FIL-01"]
    run(fil, (500, "state", 6))
    found = run(cap, (510, "state", 6), (520,))
    assert [fact.upstream for fact in found if isinstance(fact, Downtime)] == ["FIL-01"]


def test_equipment_that_stops_for_itself_names_none() -> None:
    for filler_steps in (
        [(0, "state", 6), (101, "state", 11)],  # stopped after it
        [(0, "state", 6), (50, "state", 11), (80, "state", 6)],  # ran again before
    ):
        fil, cap = watches({**RULE, "upstream": {"CAP-01": ["FIL-01"]}})
        run(fil, *filler_steps)  # type: ignore[arg-type]
        found = run(cap, (0, "state", 6), (100, "state", 5), (400,))
        assert [fact.upstream for fact in found if isinstance(fact, Downtime)] == [""]


def test_what_was_upstream_when_it_stopped_is_kept() -> None:
    fil, cap = watches({**RULE, "upstream": {"CAP-01": ["FIL-01"]}})
    run(fil, (0, "state", 6), (90, "state", 11))
    run(cap, (0, "state", 6), (100, "state", 5))
    run(fil, (120, "state", 6), (140, "state", 11), (150, "state", 6), (160,))
    assert [fact.upstream for fact in run(cap, (400,))] == ["FIL-01"]  # type: ignore[attr-defined]


def test_times_do_not_go_back_where_inputs_come_out_of_order() -> None:
    watch = filler(mode="unit_mode")
    found = run(watch, (0, "mode", 1), (0, "state", 2), (500, "state", 2), (450, "mode", 2))
    assert downtimes(found) == [(0, None), (0, 500)]


def test_a_device_is_gone_by_its_own_clock() -> None:
    watch = filler()
    watch.take("state", taken(0, 2, late_s=50))
    found = run(watch, (400, "lost state"), (500, "state", 6), (510,))
    assert downtimes(found) == [(0, None), (0, 350)]


def test_a_message_of_the_upstream_equipment_may_come_later() -> None:
    fil, cap = watches({**RULE, "upstream": {"CAP-01": ["FIL-01"]}})
    run(cap, (0, "state", 6), (100, "state", 5))
    run(fil, (0, "state", 6), (90, "state", 11), (300, "state", 6), (310,))
    assert [fact.upstream for fact in run(cap, (400,))] == ["FIL-01"]  # type: ignore[attr-defined]


def test_a_state_that_cannot_be_read_names_its_key() -> None:
    with pytest.raises(PermanentFault, match="state/line-state/FIL-01"):
        filler().restore(b"\xc1")


STEPS = st.lists(
    st.tuples(
        st.sampled_from([1, 9, 10, 150, 300]),
        st.sampled_from(
            ["state", "mode", "reason", "lost state", "lost mode", "back state", "back mode", "tick"]
        ),
        st.sampled_from([0, 1, 2, 6, 7, 11, 99]),
    ),
    max_size=25,
)


@given(STEPS, st.sets(st.integers(0, 25)))
def test_going_on_from_what_was_saved_changes_nothing(
    steps: list[tuple[int, str, float]], restarts: set[int]
) -> None:
    options = {"mode": "unit_mode", "reason": "stop_reason", "reasons": {12: "JAM-01"}}
    steady, again = filler(**options), filler(**options)
    seconds = 0
    for index, (later, what, value) in enumerate(steps):
        seconds += later
        if index in restarts:
            saved, again = again.saved(), filler(**options)
            again.restore(saved)
        for_both = []
        for watch in (steady, again):
            if what == "tick":
                for_both.append(list(watch.tick(us(seconds))))
            elif what.startswith("lost "):
                for_both.append(list(watch.lost(what[5:], us(seconds))))
            elif what.startswith("back "):
                for_both.append(list(watch.confirmed(what[5:], taken(0, value, late_s=seconds))))
            else:
                for_both.append(list(watch.take(what, taken(seconds, value))))
        assert msgspec.json.encode(for_both[0]) == msgspec.json.encode(for_both[1])
    assert steady.saved() == again.saved()
