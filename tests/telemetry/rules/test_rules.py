from __future__ import annotations

from pathlib import Path

import pytest

from lineshaft.core.errors import ConfigError
from lineshaft.core.yamlfile import YamlFile
from lineshaft.telemetry import read_rules
from tests.telemetry import evaluating
from tests.telemetry.plant import RULE, rule_set, tag_list


def findings_of(*rules: object, **options: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_rules({"rules": list(rules)}, tag_list(), file="rules.yaml", **options)  # type: ignore[arg-type]
    return caught.value.findings


def test_a_rule_comes_to_a_limit_in_the_unit_of_each_tag() -> None:
    rules = rule_set(overrides={"PRESS-08": {"limit": 200, "debounce_s": 5}})
    (p07,) = rules.limits("P07.PRESSURE")
    (p08,) = rules.limits("P08.PRESSURE")
    assert (p07.limit, p07.release, p07.unit) == (210, 205, "BAR")
    assert (p08.limit, p08.release, p08.unit) == (20000, 19500, "KPA")
    assert (p07.debounce_us, p08.debounce_us) == (30_000_000, 5_000_000)
    assert rules.limits("P09.OIL") == []


def test_low_rules_release_above_the_limit_also_across_an_offset() -> None:
    document = {
        "id": "oil-cold",
        "version": 3,
        "tag": "P09.OIL",
        "kind": "low",
        "limit": 50,
        "unit": "FAH",
        "hysteresis": 9,
        "severity": 100,
    }
    (limit,) = read_rules({"rules": [document]}, tag_list(), file="r.yaml").limits("P09.OIL")
    assert limit.limit == pytest.approx(10)
    assert limit.release == pytest.approx(15)
    assert limit.rule_version == "3"
    assert limit.debounce_us == 0


def test_tags_can_be_listed() -> None:
    rules = rule_set(applies_to={"tags": ["P07.PRESSURE", "P07.PRESSURE"]})
    assert len(rules.limits("P07.PRESSURE")) == 1
    assert rules.limits("P08.PRESSURE") == []


def test_every_finding_is_reported_at_its_place() -> None:
    broken = {
        "id": "",
        "property": "hydraulic_presure",
        "applies_to": {"asset_class": "press"},
        "kind": "hihg",
        "limit": True,
        "unit": "bar",
        "hysteresis": -1,
        "debounce_s": "30",
        "severity": 0,
        "debounce": 3,
    }
    found = findings_of(broken, {**RULE}, {**RULE})
    places = [finding.split(": ")[1] for finding in found]
    assert places == [
        "rules[0].kind",
        "rules[0].debounce",
        "rules[0].property",
        "rules[0].id",
        "rules[0].version",
        "rules[0].unit",
        "rules[0].limit",
        "rules[0].hysteresis",
        "rules[0].debounce_s",
        "rules[0].severity",
        "rules[2].id",
    ]
    text = "\n".join(found)
    for suggestion in ("'debounce_s'", "'hydraulic_pressure'", "'BAR'", "'high'"):
        assert f"did you mean {suggestion}?" in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"unit": "CEL"}, "CEL (temperature) cannot become BAR"),
        ({"applies_to": {"asset_class": "pres"}}, "did you mean 'press'"),
        ({"applies_to": {"asset_class": "line"}}, "no tag of asset class 'line' has property"),
        ({"applies_to": {"tags": ["P7.PRESSURE"]}}, "did you mean 'P07.PRESSURE'"),
        ({"applies_to": {"tags": ["P09.OIL"]}}, "has property 'oil_temperature'"),
        ({"applies_to": {}}, "either asset_class or tags"),
        ({"applies_to": 3}, "expected a mapping"),
        ({"tag": "P07.PRESSURE"}, "either tag, or property"),
        ({"overrides": {"PRES-07": {"limit": 1}}}, "did you mean 'PRESS-07'"),
        ({"overrides": {"PRESS-07": {"limit": "x"}}}, "expected a number"),
        ({"overrides": {"PRESS-07": {"limt": 1}}}, "did you mean 'limit'"),
        ({"debounce_s": 1e12}, "a number from 0 to"),
        ({"limit": float("nan")}, "expected a number"),
    ],
)
def test_what_is_refused(change: dict[str, object], says: str) -> None:
    assert any(says in finding for finding in findings_of({**RULE, **change}))


def test_an_override_is_read_like_the_rule_and_reports_only_what_is_its_own() -> None:
    window = {"id": "w", "version": 1, "property": "hydraulic_pressure", "kind": "window", "every_s": 60}
    window |= {"applies_to": {"asset_class": "press"}, "grace_s": 5}
    rules = read_rules(
        {"rules": [{**window, "overrides": {"PRESS-08": {"lateness_s": 60}}}]}, tag_list(), file="rules.yaml"
    )
    found = {one.tag.tag: (one.every_us, one.grace_us, one.lateness_us) for one in rules.windows()}
    assert found["P07.PRESSURE"] == (60_000_000, 5_000_000, 900_000_000)
    assert found["P08.PRESSURE"] == (60_000_000, 5_000_000, 60_000_000)
    wrong = findings_of(
        {**window, "every_s": [0], "overrides": {"PRESS-08": {"lateness_s": 1, "every_s": 9}}}
    )
    assert [finding.split(": ")[1] for finding in wrong] == [
        "rules[0].overrides.PRESS-08.every_s",
        "rules[0].every_s",
    ]
    (grace,) = findings_of({**window, "grace_s": 1000})
    assert "told before it is forgotten" in grace


def test_a_file_with_every_kind_of_rule_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        """
derived:
  - {id: d, property: load, applies_to: {assets: [A]}, expression: pressure * 2, unit: C62}
rules:
  - {id: h, version: 1, tag: A.P, kind: high, limit: 5, unit: BAR, severity: 1}
  - {id: l, version: 1, tag: A.load, kind: low, limit: 5, unit: C62, severity: 1}
  - {id: r, version: 1, tag: A.P, kind: rise, limit: 5, unit: BAR, severity: 1}
  - {id: f, version: 1, tag: A.P, kind: fall, limit: 5, unit: BAR, severity: 1}
  - {id: w, version: 1, property: state, applies_to: {asset_class: press}, kind: window, every_s: [60, 300]}
  - {id: s, version: 1, tag: A.S, kind: state, states: {1: Stopped, 5: Execute}}
  - {id: c, version: 1, tag: A.C, kind: counter, max_rate_per_s: 20}
  - {id: m, version: 1, tag: A.P, kind: missing, after_s: 60, severity: 1}
"""
    )
    file = YamlFile(path)
    rules = read_rules(file.data, evaluating.tag_list(), file=str(path), line_of=file.line)
    assert [limit.key for limit in (*rules.levels(), *rules.rates())] == [
        "high/h/A.P",
        "low/l/A.load",
        "rise/r/A.P",
        "fall/f/A.P",
    ]
    states = {window.tag.tag: window.state_of for window in rules.windows()}
    assert states["B.S"] is None
    of_a = states["A.S"]
    assert of_a is not None
    assert [of_a(1), of_a(5), of_a(2)] == ["Stopped", "Execute", None]
    assert [watch.key for watch in rules.watches()] == ["state/s/A-EQ", "counter/c/A.C", "missing/m/A.P"]
    assert [tag.tag for tag in rules.tags][-1] == "A.load"


def test_a_limit_on_speed_is_converted_as_a_difference() -> None:
    rise = {"id": "heats-up", "version": 1, "tag": "P09.OIL", "kind": "rise", "limit": 9, "unit": "FAH"}
    rise |= {"hysteresis": 1.8, "over_s": 2.5, "severity": 5}
    (limit,) = read_rules({"rules": [rise]}, tag_list(), file="rules.yaml").rates()
    assert (limit.limit, limit.release) == (pytest.approx(5), pytest.approx(4))
    assert limit.over_us == 2_500_000
    assert "from 0 to" in findings_of({**rise, "limit": -1})[0]


@pytest.mark.parametrize("document", [None, [], {"rules": {}}, {"rule": []}, {"rules": ["x"]}])
def test_documents_of_another_shape(document: object) -> None:
    with pytest.raises(ConfigError):
        read_rules(document, tag_list(), file="rules.yaml")


def test_lines_come_from_the_nearest_place_that_has_one() -> None:
    lines = {("rules", 0): 4, ("rules", 0, "kind"): 9}
    found = findings_of({**RULE, "kind": "up", "severity": 5000}, line_of=lines)
    assert [finding.split(": ")[0] for finding in found] == ["rules.yaml:9", "rules.yaml:4"]
    assert findings_of({**RULE, "kind": "up"}, line_of=lambda path: None)[0].startswith(
        "rules.yaml: rules[0]"
    )
