from __future__ import annotations

from collections.abc import Mapping

import pytest

from lineshaft.core.errors import ConfigError
from lineshaft.telemetry.rules.rule_set import read_rules
from lineshaft.telemetry.rules.watch import Derivation, WatchFault
from lineshaft.telemetry.tags import TagList, parse_tags
from tests.telemetry.taken import LINE, line, us

POWER = {
    "id": "hydraulic-power",
    "property": "power",
    "applies_to": {"asset_class": "filler"},
    "expression": "pressure * flow / 600",
    "unit": "KWT",
}


def derivations(*derived: Mapping[str, object], tags: TagList | None = None) -> list[Derivation]:
    return read_rules({"rules": [], "derived": list(derived)}, tags or line(), file="r.yaml").derivations()


def power(**changes: object) -> Derivation:
    (derivation,) = derivations({**POWER, **changes})
    return derivation


def findings(*derived: Mapping[str, object], tags: TagList | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        derivations(*derived, tags=tags)
    return [finding.removeprefix("r.yaml: ") for finding in caught.value.findings]


def test_a_virtual_tag_is_like_any_other() -> None:
    rules = read_rules(
        {
            "derived": [POWER],
            "rules": [
                {
                    "id": "power-silent",
                    "version": "1",
                    "tag": "FILLER-7.power",
                    "kind": "missing",
                    "after_s": 60,
                    "severity": 1,
                }
            ],
        },
        line(),
        file="r.yaml",
    )
    tag = rules.tags.get("FILLER-7.power")
    assert tag is not None
    assert (tag.property, tag.equipment_id, tag.physical_asset_id) == ("power", "FIL-01", "FILLER-7")
    assert (tag.unit, tag.target_unit, tag.asset_class) == ("KWT", "KWT", "filler")
    assert rules.watches()[0].inputs == {"FILLER-7.power": "value"}


def test_a_value_comes_of_each_message_once_all_inputs_are_known() -> None:
    derivation = power()
    assert derivation.inputs == {"FIL.PRESSURE": "pressure", "FIL.FLOW": "flow"}
    assert derivation.take(us(0), {"pressure": 3.0}) is None
    assert derivation.take(us(1), {"flow": 200.0}) == (us(1), 1.0)
    assert derivation.take(us(2), {"pressure": 6.0}) == (us(2), 2.0)
    assert derivation.take(us(3), {"pressure": 6.0, "flow": 100.0}) == (us(3), 1.0)


def test_a_value_is_newer_than_the_one_before() -> None:
    derivation = power()
    derivation.take(us(5), {"pressure": 3.0, "flow": 200.0})
    assert derivation.take(us(10), {"pressure": 6.0}) == (us(10), 2.0)
    assert derivation.take(us(8), {"flow": 100.0}) is None
    assert derivation.take(us(10), {"flow": 300.0}) is None
    assert derivation.take(us(11), {"pressure": 6.0}) == (us(11), 3.0)


def test_inputs_that_are_too_old_give_no_value() -> None:
    derivation = power(max_age_s=10)
    derivation.take(us(0), {"pressure": 3.0, "flow": 200.0})
    assert derivation.take(us(10), {"pressure": 6.0}) == (us(10), 2.0)
    assert derivation.take(us(10.1), {"pressure": 6.0}) is None
    assert derivation.take(us(11), {"flow": 100.0}) == (us(11), 1.0)


def test_only_inputs_of_one_time_where_nothing_may_be_older() -> None:
    derivation = power(max_age_s=0)
    assert derivation.take(us(0), {"pressure": 3.0}) is None
    assert derivation.take(us(0), {"flow": 200.0}) == (us(0), 1.0)  # in a message of its own
    assert derivation.take(us(1), {"pressure": 6.0}) is None


def test_a_lost_input_is_unknown_until_it_comes_again() -> None:
    derivation = power()
    derivation.take(us(0), {"pressure": 3.0, "flow": 200.0})
    derivation.lost("flow", us(1))
    assert derivation.take(us(2), {"pressure": 6.0}) is None
    assert derivation.take(us(3), {"flow": 100.0}) == (us(3), 1.0)


def test_no_value_is_a_fault_when_it_begins() -> None:
    derivation = power(expression="pressure / flow")
    fault = derivation.take(us(0), {"pressure": 3.0, "flow": 0.0})
    assert isinstance(fault, WatchFault)
    assert "derived 'hydraulic-power' of 'FILLER-7': the expression has no finite value" in fault.cause
    assert derivation.take(us(1), {"pressure": 4.0}) is None
    assert derivation.take(us(2), {"flow": 2.0}) == (us(2), 2.0)
    assert isinstance(derivation.take(us(3), {"flow": 0.0}), WatchFault)


def test_it_goes_on_from_what_was_saved_also_with_other_inputs() -> None:
    derivation = power()
    derivation.take(us(0), {"pressure": 3.0, "flow": 200.0})
    again = power()
    again.restore(derivation.saved())
    assert again.saved() == derivation.saved()
    assert again.take(us(0), {"flow": 200.0}) is None
    assert again.take(us(1), {"flow": 400.0}) == (us(1), 2.0)
    other = power(expression="pressure + good_count")
    other.restore(again.saved())
    assert other.take(us(2), {"pressure": 3.0}) is None
    assert other.take(us(3), {"good_count": 1.0}) == (us(3), 4.0)


def test_an_expression_takes_its_inputs_in_the_units_that_it_names() -> None:
    both = {**POWER, "applies_to": {"assets": ["FILLER-7", "CAPPER-2"]}, "expression": "pressure * 2"}
    assert findings(both) == [
        "derived[0].expression: 'pressure' is in BAR on 'FIL.PRESSURE' and in KPA on 'CAP.PRESSURE'; "
        "say which one is meant, as in units: {pressure: KPA}"
    ]
    fil, cap = derivations({**both, "units": {"pressure": "BAR"}})
    assert fil.take(us(0), {"pressure": 3.0}) == (us(0), 6.0)
    assert cap.take(us(0), {"pressure": 300.0}) == (us(0), 6.0)


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        (
            {"expression": "presure * 2"},
            "expression: 'presure' is no known property; did you mean 'pressure'?",
        ),
        ({"expression": "power * 2"}, "expression: 'power' is no known property"),
        ({"unit": "kW"}, "unit: 'kW' is no known UNECE Rec 20 code; did you mean 'KWT'?"),
        ({"units": {"presure": "BAR"}}, "units.presure: is unknown; did you mean 'pressure'?"),
        (
            {"units": {"pressure": "KGM"}},
            "units: pressure: on tag 'FIL.PRESSURE': BAR (pressure) cannot become KGM",
        ),
        ({"property": "pressure"}, "property: 'pressure' of 'FILLER-7' is tag 'FIL.PRESSURE' already"),
        (
            {"applies_to": {"asset_class": "filer"}},
            "applies_to.asset_class: no tag has asset class 'filer'; did",
        ),
        (
            {"applies_to": {"assets": ["FILLER-8"]}},
            "applies_to.assets: no tag is of physical asset 'FILLER-8'; did",
        ),
        ({"applies_to": {}}, "applies_to: give either asset_class or assets"),
        (
            {"applies_to": {"assets": ["FILLER-7", "CAPPER-2"]}},
            "expression: 'flow' is no property of a tag of 'CAPPER-2'; add the tag, or name the assets that",
        ),
        ({"max_age_s": -1}, "max_age_s: is -1; expected a number from 0 to 86400"),
        ({"max_age": 1}, "max_age: is unknown; did you mean 'max_age_s'?"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(changes: dict[str, object], finding: str) -> None:
    found = findings({**POWER, **changes})
    assert any(one.startswith(f"derived[0].{finding}") for one in found), found


def test_a_property_that_several_tags_of_an_asset_have_is_not_clear() -> None:
    tags = parse_tags(LINE + "FIL.FLOW2,l1/fil,flow2,flow,FIL-01,FILLER-7,LTR,,filler\n", file="tags.csv")
    assert findings(POWER, tags=tags) == [
        "derived[0].expression: 'flow' is the property of several tags of 'FILLER-7': FIL.FLOW, FIL.FLOW2; "
        "give each its own property"
    ]


def test_two_expressions_for_one_tag_are_refused() -> None:
    assert findings(POWER, POWER, {**POWER, "id": "other"}) == [
        "derived[1].id: 'hydraulic-power' is there already; give each expression its own id",
        "derived[1].property: tag 'FILLER-7.power' comes of 'hydraulic-power' already",
        "derived[2].property: tag 'FILLER-7.power' comes of 'hydraulic-power' already",
    ]
