from __future__ import annotations

from lineshaft.telemetry.rules.counter_watch import CounterWatch
from tests.telemetry.taken import findings, watches

RULE = {
    "id": "good",
    "property": "good_count",
    "applies_to": {"asset_class": "filler"},
    "kind": "counter",
    "max_rate_per_s": 10,
}


def test_a_rule_comes_to_one_watch_for_each_counter_with_its_overrides() -> None:
    overrides = {"FILLER-7": {"max_rate_per_s": 2.5, "reset_below": 1}}
    (watch,) = watches({**RULE, "maximum": 9999, "reset_flag": "count_reset", "overrides": overrides})
    assert isinstance(watch, CounterWatch)
    spec = watch.spec
    assert watch.key == "counter/good/FIL.GOOD"
    assert (spec.max_rate_per_s, spec.maximum, spec.reset_below, spec.reset_tag) == (
        2.5,
        9999,
        1,
        "FIL.RESET",
    )
    assert (spec.window_us, spec.grace_us) == (300_000_000, 2_000_000)


def test_what_is_wrong_is_told_at_its_place() -> None:
    rule = {key: value for key, value in RULE.items() if key != "max_rate_per_s"}
    assert findings({**rule, "maximum": 0, "window_s": 0, "reset": "allowed"}) == [
        "reset: is unknown; did you mean 'reset_flag'?",
        "max_rate_per_s: is missing; expected a number from 1e-06 to 1e+15",
        "maximum: is 0; expected a number from 1 to 9.0072e+15",
        "window_s: is 0; expected a number from 1 to 86400",
    ]
    (found,) = findings({**RULE, "reset_flag": "count_rest"})
    assert found.startswith(
        "reset_flag: 'count_rest' is no property of another tag of equipment 'FIL-01'; did you"
    )
