"""The same seed disturbs in the same way; every kind has its turn, and no system has two faults at once."""

from __future__ import annotations

import pytest

from estate.chaos.schedule import FAULTS, KILLS, SYSTEMS, schedule


def test_the_same_seed_is_the_same_schedule() -> None:
    assert schedule(7, 60, FAULTS, KILLS) == schedule(7, 60, FAULTS, KILLS)
    assert schedule(7, 60, FAULTS, KILLS) != schedule(8, 60, FAULTS, KILLS)


def test_kills_stay_where_they_are_when_faults_are_left_out() -> None:
    kills = [each for each in schedule(7, 60, FAULTS, KILLS) if each.kind == "kill"]
    assert schedule(7, 60, [], KILLS) == kills
    assert schedule(7, 60, [], []) == []


@pytest.mark.parametrize("seed", range(5))
def test_every_kind_has_its_turn_on_any_system_within_a_minute(seed: int) -> None:
    planned = schedule(seed, 60, FAULTS, KILLS)
    faults = [each for each in planned if each.kind != "kill"]
    assert {each.kind for each in faults} == set(FAULTS)
    assert {each.target for each in faults} == set(SYSTEMS)
    assert {each.target for each in planned if each.kind == "kill"} == set(KILLS)
    assert {each.times is None for each in faults} == {True, False}
    assert [each.at_s for each in planned] == sorted(each.at_s for each in planned)
    assert max(each.at_s + each.lasts_s for each in planned) <= 60


@pytest.mark.parametrize("seed", range(5))
def test_a_system_has_one_fault_at_a_time(seed: int) -> None:
    over_at = dict.fromkeys(SYSTEMS, 0.0)
    for each in schedule(seed, 300, FAULTS, []):
        assert each.at_s >= over_at[each.target]
        over_at[each.target] = each.at_s + each.lasts_s
