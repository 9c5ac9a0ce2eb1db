from __future__ import annotations

from lineshaft.console.step_flow import Branches, flow_of


def test_steps_follow_each_other() -> None:
    assert flow_of(["0", "1", "10"]).line == ("0", "1", "10")
    assert flow_of([]).line == ()


def test_branches_stand_beside_each_other_within_each_other() -> None:
    flow = flow_of(["0", "1.0.0", "1.0.1", "1.2.0.0.0", "1.2.0.1.0", "2"])
    within = Branches((("1.2.0.0.0",), ("1.2.0.1.0",)))
    assert flow.line == ("0", Branches((("1.0.0", "1.0.1"), (within,))), "2")


def test_undos_come_in_the_order_in_which_they_ran() -> None:
    flow = flow_of(["0", "0u.0", "0u.1", "1.0.0", "1.0.0u.0", "1.0.0uu.0"])
    assert flow.line == ("0", Branches((("1.0.0",),)))
    assert flow.undos == (("1.0.0uu.0",), ("1.0.0u.0",), ("0u.0", "0u.1"))
    assert flow.paths() == ["0", "1.0.0", "1.0.0uu.0", "1.0.0u.0", "0u.0", "0u.1"]
