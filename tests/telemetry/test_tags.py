from __future__ import annotations

from pathlib import Path

import pytest

from lineshaft.core.errors import ConfigError
from lineshaft.telemetry import parse_tags, read_tags
from lineshaft.telemetry.tags import scaling

from .plant import HEADER, tag_list


def test_reads_tags_and_fills_in_metric_and_target_unit() -> None:
    tags = tag_list()
    p07, p08 = tags.get("P07.PRESSURE"), tags.get("P08.PRESSURE")
    assert p07 is not None
    assert p08 is not None
    assert (p07.metric, p07.unit, p07.target_unit) == ("value", "BAR", "BAR")
    assert (p08.metric, p08.target_unit, p08.asset_class) == ("pressure", "KPA", "press")
    assert len(tags) == 5


def test_scaling_is_exact_in_decimal() -> None:
    rows = "A,a,,x,E,P,FAH,CEL,\nB,b,,x,E,P,BAR,KPA,\nC,c,,x,E,P,BAR,,\n"
    fahrenheit, bar, same = parse_tags(HEADER + rows, file="t.csv")
    factor, offset = scaling(fahrenheit)
    assert 212 * factor + offset == pytest.approx(100, abs=1e-9)
    assert scaling(bar) == (100.0, 0.0)
    assert scaling(same) == (1.0, 0.0)


def test_optional_columns_may_be_absent() -> None:
    text = "tag,topic,metric,property,equipment_id,physical_asset_id,unit\nA,a,,x,E,P,BAR\n"
    (tag,) = parse_tags(text, file="t.csv")
    assert (tag.target_unit, tag.asset_class) == ("BAR", "")


def test_every_finding_is_reported_with_its_line_and_a_way_out() -> None:
    rows = (
        "A,a,,x,E,P,BAR,,\n"
        "A,b,,x,E,P,BAR,,\n"  # 3: tag twice
        "C,a,value,x,E,P,BAR,,\n"  # 4: source twice
        "D,d,,x,E,P,BARR,,\n"  # 5: unit
        "E,e,,x,,P,BAR,CEL,\n"  # 6: empty, and dimension
        "F,spBv1.0/g/DDATA/n/d,,x,E,P,BAR,,\n"  # 7
        "G,g/#,,x,E,P,BAR,,\n"  # 8
        "H,h,,x,E,P,BAR,,,extra\n"  # 9
        "I,i,,x\n"  # 10
    )
    with pytest.raises(ConfigError) as caught:
        parse_tags(HEADER + rows, file="plant/tags.csv")
    findings = caught.value.findings
    assert [finding.split(": ")[0] for finding in findings] == [
        "plant/tags.csv:3",
        "plant/tags.csv:4",
        "plant/tags.csv:5",
        "plant/tags.csv:6",
        "plant/tags.csv:6",
        "plant/tags.csv:7",
        "plant/tags.csv:8",
        "plant/tags.csv:9",
        *["plant/tags.csv:10"] * 5,
    ]
    assert "'A' is already on line 2" in findings[0]
    assert "already feeds tag 'A' on line 2" in findings[1]
    assert "did you mean 'BAR'" in findings[2]
    assert "equipment_id is empty" in findings[3]
    assert "BAR (pressure) cannot become CEL (temperature)" in findings[4]
    assert "group/edge_node/device" in findings[5]


def test_missing_and_misspelt_columns() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_tags("tag,topic,metrik,property,equipment_id,physical_asset_id,unit\n", file="t.csv")
    assert "column 'metric' is missing" in caught.value.findings[0]
    assert "'metrik' is unknown; did you mean 'metric'" in caught.value.findings[1]
    with pytest.raises(ConfigError, match="empty"):
        parse_tags("", file="t.csv")


def test_broken_quoting_keeps_the_other_findings() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_tags(HEADER + 'D,d,,x,E,P,BARR,,\n"E,e,,x,E,P,BAR,,\n', file="t.csv")
    assert len(caught.value.findings) == 2


def test_files(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "tags.csv"
    with pytest.raises(ConfigError, match="cannot be read"):
        read_tags(path)
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_tags(path)
    path.write_text(HEADER + "A,a,,x,E,P,BAR,,\n", encoding="utf-8-sig")
    assert read_tags(path).names == ["A"]


def test_a_yaml_list_is_the_same_as_the_csv_one(tmp_path: Path) -> None:
    csv, yaml = tmp_path / "tags.csv", tmp_path / "tags.yaml"
    csv.write_text(
        "tag,topic,metric,property,equipment_id,physical_asset_id,unit,target_unit,asset_class,deadband,keep\n"
        "a.t,plant/a,,temperature,A,A-1,FAH,CEL,oven,0.5,fine\nb.n,7,,count,B,B-1,C62,,,,\n"
    )
    yaml.write_text(
        "tags:\n"
        "  - {tag: a.t, topic: plant/a, property: temperature, equipment_id: A, physical_asset_id: A-1,\n"
        "     unit: FAH, target_unit: CEL, asset_class: oven, deadband: 0.5, keep: fine}\n"
        "  - {tag: b.n, topic: 7, property: count, equipment_id: B, physical_asset_id: B-1, unit: C62}\n"
    )
    assert list(read_tags(yaml)) == list(read_tags(csv))


def test_what_is_wrong_with_a_yaml_list_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "tags.yaml"
    path.write_text(
        "tags:\n"
        "  - {tag: a.t, topic: plant/a, propery: x, property: temperature, equipment_id: A,\n"
        "     physical_asset_id: A-1, unit: CEL}\n"
        "  - {tag: b.t, topic: [1], property: t, equipment_id: B, physical_asset_id: B, unit: CEL}\n"
        "  - c.t\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_tags(path)
    assert caught.value.findings == [
        f"{path}:2: 'propery' is unknown; did you mean 'property'?",
        f"{path}:4: topic is [1]; expected text or a number",
        f"{path}:5: 'c.t' is no mapping of columns",
    ]
    path.write_text("tags:\n  - {tag: a.t, topic: plant/a, property: t, equipment_id: A}\n")
    with pytest.raises(ConfigError) as caught:
        read_tags(path)
    assert f"{path}:2: unit is empty; fill it in" in caught.value.findings
