from __future__ import annotations

import pytest

from lineshaft.telemetry.rules.state_watch import StateWatch
from lineshaft.telemetry.tags import parse_tags
from tests.telemetry.taken import LINE, findings, watches

RULE = {
    "id": "line-state",
    "property": "state",
    "applies_to": {"asset_class": "filler"},
    "kind": "state",
    "states": {0: "Stopped", 5: "execute"},
}


def test_a_rule_comes_to_one_watch_for_each_equipment() -> None:
    found = watches(
        {
            **RULE,
            "applies_to": {"tags": ["FIL.STATE", "CAP.STATE"]},
            "upstream": {"CAP-01": ["FIL-01"]},
            "overrides": {"CAPPER-2": {"minor_stop_s": 60, "states": {1: "Held"}}},
        }
    )
    fil, cap = (watch.spec for watch in found if isinstance(watch, StateWatch))
    assert [watch.key for watch in found] == ["state/line-state/FIL-01", "state/line-state/CAP-01"]
    assert (fil.states, cap.states) == ({0: 2, 5: 6}, {1: 11})
    assert (fil.limits.minor_us, fil.limits.split_us) == (300_000_000, 10_000_000)
    assert (cap.limits.minor_us, cap.limits.split_us) == (60_000_000, 10_000_000)
    assert (fil.upstream, cap.upstream) == ((), ("FIL-01",))


def test_mode_and_reason_are_found_on_the_same_equipment() -> None:
    (watch,) = watches(
        {**RULE, "mode": "unit_mode", "reason": "stop_reason", "reasons": {12: "JAM-01", 0: "NONE"}}
    )
    assert watch.inputs == {"FIL.STATE": "state", "FIL.MODE": "mode", "FIL.REASON": "reason"}
    assert isinstance(watch, StateWatch)
    assert watch.spec.reasons == {0: "NONE", 12: "JAM-01"}


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"states": {0: "Stoped"}}, "states: 0: 'Stoped' is unknown; did you mean 'Stopped'?"),
        ({"states": {"zero": "Stopped"}}, "states: 'zero': 'Stopped' is no whole number with a name"),
        ({"states": {}}, "states: is {}; expected a mapping from the device's numbers to names"),
        ({"packml": True}, "states: and packml: true contradict each other; drop one"),
        ({"packml": "yes"}, "packml: is 'yes'; expected true or false"),
        (
            {"mode": "unit_mod"},
            "mode: 'unit_mod' is no property of another tag of equipment 'FIL-01'; did you mean",
        ),
        ({"modes": {1: "Production"}}, "modes: says what the numbers of `mode` mean; name that property"),
        (
            {"mode": "unit_mode", "modes": {1: "Produce"}},
            "modes: 1: 'Produce' is unknown; did you mean 'Prod",
        ),
        ({"reason": "stop_reason", "reasons": {12: ""}}, "reasons: 12: '' is no whole number with a name"),
        ({"minor_stop_s": -1}, "minor_stop_s: is -1; expected a number from 0 to 86400"),
        (
            {"upstream": {"FIL-1": ["CAP-01"]}},
            "upstream: the rule applies to no tag of 'FIL-1'; did you mean",
        ),
        (
            {"upstream": {"FIL-01": ["CAP-1"]}},
            "upstream: FIL-01: 'CAP-1' is no equipment of the tag list; did",
        ),
        ({"upstream": {"FIL-01": ["FIL-01"]}}, "upstream: FIL-01: equipment cannot feed itself"),
        ({"severity": 5}, "severity: is unknown"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(changes: dict[str, object], finding: str) -> None:
    assert any(found.startswith(finding) for found in findings({**RULE, **changes})), findings(
        {**RULE, **changes}
    )


def test_an_equipment_has_one_state() -> None:
    tags = parse_tags(LINE + "FIL.STATE2,l1/fil,state2,state,FIL-01,FILLER-7,C62,,filler\n", file="tags.csv")
    assert findings(RULE, tags=tags) == [
        "id: tags 'FIL.STATE' and 'FIL.STATE2' are both of equipment 'FIL-01'; write a rule for each"
    ]
