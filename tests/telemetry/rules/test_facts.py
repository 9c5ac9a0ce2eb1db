"""Rules in one sentence, on the tags that they are on."""

from __future__ import annotations

import yaml

from lineshaft.telemetry import parse_tags, read_rules, tag_facts

_TAGS = """\
tag,topic,metric,property,equipment_id,physical_asset_id,unit,target_unit,asset_class
F.P,a/f/p,,pressure,FIL,F-1,BAR,,filler
F.S,a/f/s,,state,FIL,F-1,C62,,filler
F.C,a/f/c,,count,FIL,F-1,C62,,filler
C.P,a/c/p,,pressure,CAP,C-1,BAR,,capper
"""
_RULES = """\
rules:
  - {id: high, version: 2, property: pressure, applies_to: {asset_class: filler}, kind: high, limit: 450,
     unit: KPA, hysteresis: 30, debounce_s: 60, severity: 700, overrides: {F-1: {limit: 400}}}
  - {id: falls, version: 1, tag: F.P, kind: fall, limit: 0.5, unit: BAR, over_s: 30, severity: 400}
  - {id: gone, version: 1, tag: F.P, kind: missing, after_s: 120, severity: 500}
  - {id: sums, version: 1, tag: F.P, kind: window, every_s: [300]}
  - {id: states, version: 1, tag: F.S, kind: state, packml: true, minor_stop_s: 30, upstream: {FIL: [CAP]}}
  - {id: counts, version: 1, tag: F.C, kind: counter, max_rate_per_s: 20, window_s: 3600}
"""


def test_each_rule_says_what_holds_on_its_tag_overrides_and_units_applied() -> None:
    tags = parse_tags(_TAGS, file="tags.csv")
    facts = {tag.tag: tag for tag in tag_facts(read_rules(yaml.safe_load(_RULES), tags, file="rules.yaml"))}
    said = {rule.id: rule.said for tag in facts.values() for rule in tag.rules}
    assert said == {
        "high": "above 4 {unit} for 1 min; ends at 3.7 {unit}",
        "falls": "falls by more than 0.5 {unit} a second over 30 s",
        "gone": "no good value for 2 min",
        "sums": "summed up every 5 min",
        "states": "state of the machine; stops from 30 s are told; fed by CAP",
        "counts": "counted every 1 h, at most 20 a second",
    }
    high = next(rule for rule in facts["F.P"].rules if rule.id == "high")
    assert (high.version, high.severity, high.limit, round(high.release or 0, 6)) == ("2", 700, 4.0, 3.7)
    assert all(rule.limit is None for rule in facts["F.P"].rules if rule.id != "high")
