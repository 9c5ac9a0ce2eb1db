"""Recordings are read with every error, and taken through rules as a node would have."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from lineshaft.core.errors import ConfigError
from lineshaft.core.values import Value
from lineshaft.model.aggregates import ReadingsAggregate
from lineshaft.model.condition import SignalLoss, ThresholdExceeded
from lineshaft.model.equipment_state import Downtime
from lineshaft.telemetry import QUALITIES, read_rules
from lineshaft.telemetry.recording import Recording, read_recording
from lineshaft.telemetry.rehearsal import Rehearsal, rehearse

from .messages import us
from .plant import RULE, at, ms, tag_list

TAGS = tag_list()


def recording(folder: Path, *lines: str) -> Recording:
    path = folder / "recording.csv"
    path.write_text("\n".join(lines) + "\n")
    return read_recording(path, TAGS)


def rehearsed(folder: Path, rules: list[dict[str, object]], *lines: str) -> Rehearsal:
    found = read_rules({"rules": rules}, TAGS, file="rules.yaml")
    return rehearse(found, recording(folder, *lines))


def test_times_values_and_qualities(tmp_path: Path) -> None:
    rows = recording(
        tmp_path,
        "time,tag,value,quality,received",
        f"{ms(2)},P08.PRESSURE,1,,2024-05-01T06:00:09Z",
        "2024-05-01 06:00:01.5+00:00,P07.PRESSURE,,stale,",
    ).rows
    assert [(row.line, row.time, row.received) for row in rows] == [
        (3, us(1.5), us(1.5)),
        (2, us(2), us(9)),
    ]
    assert math.isnan(rows[0].value)
    assert (rows[1].value, QUALITIES[rows[0].quality]) == (1, "stale")


def test_what_a_device_sent_is_in_its_own_unit(tmp_path: Path) -> None:
    (row,) = recording(tmp_path, "time,topic,metric,value", f"{ms(0)},plant/p08,pressure,2").rows
    assert (TAGS.names[row.tag], row.value) == ("P08.PRESSURE", pytest.approx(200))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("2024-05-01T06:00:00,P07.PRESSURE,1,", "time '2024-05-01T06:00:00' has no offset"),
        ("1714543200,P07.PRESSURE,1,", "send epochs in milliseconds"),
        ("now,P07.PRESSURE,1,", "time 'now' is no RFC 3339 time"),
        (f"{ms(0)},P07.PRESURE,1,", "did you mean 'P07.PRESSURE'?"),
        (f'{ms(0)},P07.PRESSURE,"1,5",', "value '1,5' is no number"),
        (f"{ms(0)},P07.PRESSURE,inf,", "is not finite"),
        (f"{ms(0)},P07.PRESSURE,,", "value is empty"),
        (f"{ms(0)},P07.PRESSURE,1,great", "quality 'great' is none of good"),
        (f"{ms(0)},P07.PRESSURE", "not as many cells"),
    ],
)
def test_each_error_has_its_line(tmp_path: Path, row: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        recording(tmp_path, "time,tag,value,quality", f"{ms(0)},P07.PRESSURE,1,good", row, row)
    for line, finding in zip((3, 4), caught.value.findings, strict=True):
        assert finding.startswith(f"{tmp_path / 'recording.csv'}:{line}: ")
        assert says in finding


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("time,tag", "'value' is missing"),
        ("time,value", "either the column 'tag', or 'topic'"),
        ("time,tag,topic,value", "either the column 'tag', or 'topic'"),
        ("time,tag,value,receved", "did you mean 'received'?"),
    ],
)
def test_the_header(tmp_path: Path, header: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        recording(tmp_path, header, "x")
    assert says in "\n".join(caught.value.findings)


def test_many_errors_are_cut(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="80 error") as caught:
        recording(tmp_path, "time,tag,value", *["x,y,z"] * 80)
    assert caught.value.findings[-1].endswith("and 30 more")


def told(found: Rehearsal, kind: type[Value]) -> list[Value]:
    return [fact for fact in found.facts if isinstance(fact, kind)]


def test_time_passes_between_the_readings_and_windows_close_after_them(tmp_path: Path) -> None:
    on = {"version": "1", "tag": "P07.PRESSURE"}
    found = rehearsed(
        tmp_path,
        [
            {**on, "id": "w", "kind": "window", "every_s": 60},
            {**on, "id": "silent", "kind": "missing", "after_s": 90, "severity": 1},
        ],
        "time,tag,value",
        *(f"{ms(s)},P07.PRESSURE,{s}" for s in (0, 10, 200)),
    )
    lost, first, last = found.facts[1], found.facts[0], found.facts[2]
    assert isinstance(first, ReadingsAggregate)
    assert isinstance(last, ReadingsAggregate)
    assert [(window.count, window.start_time) for window in (first, last)] == [(2, at(0)), (1, at(180))]
    assert isinstance(lost, SignalLoss)  # of the silence in the recording, not of that after it
    assert lost.detected_at == at(101)
    assert len(found.facts) == 3


def test_late_and_impossible_readings_are_told_of(tmp_path: Path) -> None:
    found = rehearsed(
        tmp_path,
        [{**RULE, "debounce_s": 10}],
        "time,tag,value,received",
        f"{ms(0)},P07.PRESSURE,220,{ms(0)}",
        f"{ms(5)},P07.PRESSURE,100,{ms(12)}",
        f"{ms(11)},P07.PRESSURE,220,{ms(11)}",
        f"{ms(11)},P07.PRESSURE,220,{ms(13)}",
        f"{ms(500)},P07.PRESSURE,100,{ms(14)}",
    )
    (breach,) = found.facts
    assert isinstance(breach, ThresholdExceeded)
    assert breach.evidence.position == "recording.csv:4"
    counters = found.counters
    assert (counters.taken, counters.late, counters.duplicates, counters.quarantined) == (2, 1, 1, 1)
    ((_, cause),) = found.faults
    assert "ahead of its receipt" in cause


def test_a_stop_that_lasts_is_not_told_by_the_end_of_the_recording(tmp_path: Path) -> None:
    rules = [{"id": "s", "version": "1", "tag": "L1.SPEED", "kind": "state", "packml": True}]
    rows = [f"{ms(0)},L1.SPEED,6", f"{ms(10)},L1.SPEED,2"]
    assert told(rehearsed(tmp_path, rules, "time,tag,value", *rows), Downtime) == []
    rows.append(f"{ms(400)},L1.SPEED,2")
    assert len(told(rehearsed(tmp_path, rules, "time,tag,value", *rows), Downtime)) == 1
