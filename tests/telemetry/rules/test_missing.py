from __future__ import annotations

from lineshaft.model.condition import SignalLoss
from lineshaft.telemetry.rules.watch import Watch
from tests.telemetry.taken import at, facts, findings, taken, us, watches

RULE = {
    "id": "pressure-silent",
    "property": "pressure",
    "applies_to": {"asset_class": "filler"},
    "kind": "missing",
    "after_s": 60,
    "severity": 500,
}


def silent(**changes: object) -> Watch:
    (watch,) = watches({**RULE, **changes})
    return watch


def test_a_loss_is_told_once_and_again_only_after_a_good_reading() -> None:
    watch = silent()
    watch.take("value", taken(0, 3.0, late_s=5))
    assert facts(watch.tick(us(65))) == []
    (loss,) = facts(watch.tick(us(65.5)))
    assert loss == SignalLoss(
        tag="FIL.PRESSURE",
        equipment_id="FIL-01",
        physical_asset_id="FILLER-7",
        property="pressure",
        rule="pressure-silent",
        rule_version="1",
        severity=500,
        last_time=at(0),
        after_s=60,
        detected_at=at(65.5),
    )
    assert facts(watch.tick(us(999))) == []
    watch.take("value", taken(1000, 3.0))
    assert facts(watch.tick(us(1060))) == []
    (again,) = facts(watch.tick(us(1061)))
    assert isinstance(again, SignalLoss)
    assert again.last_time == at(1000)


def test_it_survives_a_restart_told_or_not() -> None:
    watch, after = silent(), silent()
    watch.take("value", taken(0, 3.0))
    after.restore(watch.saved())
    assert len(facts(after.tick(us(61)))) == 1
    watch.restore(after.saved())
    assert facts(watch.tick(us(62))) == []


def test_what_was_never_heard_is_not_lost_nor_is_a_device_that_says_goodbye() -> None:
    watch, fresh = silent(), silent()
    assert facts(watch.tick(us(9999))) == []
    fresh.restore(watch.saved())
    assert facts(fresh.tick(us(9999))) == []
    watch.take("value", taken(0, 3.0))
    assert facts(watch.lost("value", us(10))) == []
    assert len(facts(watch.tick(us(61)))) == 1


def test_each_asset_may_be_silent_as_long_as_its_override_says() -> None:
    found = watches(
        {
            **RULE,
            "applies_to": {"tags": ["FIL.PRESSURE", "CAP.PRESSURE"]},
            "overrides": {"CAPPER-2": {"after_s": 5}},
        }
    )
    for watch in found:
        watch.take("value", taken(0, 3.0))
    assert [len(facts(watch.tick(us(6)))) for watch in found] == [0, 1]


def test_what_is_wrong_is_told_at_its_place() -> None:
    assert findings({**RULE, "after_s": 0, "severity": "high"}) == [
        "after_s: is 0; expected a number from 1 to 2.6784e+06",
        "severity: is 'high'; expected a whole number from 1 to 1000",
    ]
