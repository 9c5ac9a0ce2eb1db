"""What is wrong with a calendar is told with file and line, all of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineshaft.connectors.calendar.calendar_file import Calendar, read_calendar
from lineshaft.core.errors import ConfigError

DAY = '{id: day, start: "06:00", finish: "14:00"}'


def read(text: str, tmp_path: Path) -> Calendar:
    path = tmp_path / "calendar.yaml"
    path.write_text(text)
    return read_calendar(path)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("title: x\n", 1, '"shifts" is a required property'),
        (f"shifts:\n  - {DAY}\nholiday: []\n", 3, "did you mean 'holidays'"),
        ('shifts:\n  - {id: a, start: "6:00", finish: "24:00"}\n', 2, "does not match"),
        (f"shifts: [{DAY}]\nholidays: [2026-12-25, 2026-02-30]\n", 2, "'2026-02-30' is none; write it as"),
        (
            f"shifts: [{DAY}]\nplanned_downtime:\n  - {{id: x, start: 2026-05-01 06:00, finish: soon}}\n",
            3,
            "'soon' is none; write it as 2026-12-25 06:00",
        ),
        (
            f"shifts: [{DAY}]\nplanned_downtime:\n"
            "  - {id: x, start: 2026-05-01 06:00, finish: 2026-05-01T07:00:00Z}\n",
            3,
            "write it in site time",
        ),
        (
            f"shifts: [{DAY}]\nplanned_downtime:\n"
            "  - id: x\n    start: 2026-05-01 06:00\n    finish: 2026-05-01 05:00\n",
            5,
            "not after its start",
        ),
        (f"shifts:\n  - {DAY}\n  - {DAY}\n", 3, "'day' is there twice"),
        (
            f'shifts:\n  - {DAY}\n  - {{id: b, days: [sat], start: "13:59", finish: "15:00"}}\n',
            3,
            "shift 'b' starts on sat before shift 'day' is over",
        ),
        (
            'shifts:\n  - {id: a, days: [sun], start: "22:00", finish: "06:00"}\n'
            '  - {id: b, days: [mon], start: "05:00", finish: "12:00"}\n',
            3,
            "shift 'b' starts on mon before shift 'a' is over",
        ),
        (
            'shifts:\n  - id: a\n    start: "06:00"\n    finish: "14:00"\n    breaks:\n'
            '      - {start: "13:50", finish: "14:10"}\n',
            6,
            "the break 13:50 to 14:10 is not within shift 'a'",
        ),
        (
            f"shifts: [{DAY}]\nat:\n  PRESS-1:\n    holidays:\n      - christmas\n",
            5,
            "'christmas' is none",
        ),
    ],
)
def test_one_mistake_is_found_where_it_is(text: str, line: int, what: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read(text, tmp_path)
    place = f"{tmp_path}/calendar.yaml:{line}: "
    assert any(found.startswith(place) and what in found for found in refused.value.findings), refused.value


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read(f"shifts: [{DAY}, {DAY}]\nholidays: [x, y]\n", tmp_path)
    # an id twice, one overlap on each day, and two days
    assert len(refused.value.findings) == 1 + 7 + 2


def test_shifts_may_follow_each_other_around_the_clock_and_the_week(tmp_path: Path) -> None:
    calendar = read("shifts: [{id: a, start: 06:00, finish: 06:00}]\n", tmp_path)
    (shift,) = calendar.rota.shifts
    assert (shift.start, shift.finish) == (360, 360 + 1440)


def test_equipment_comes_before_its_work_center(tmp_path: Path) -> None:
    calendar = read(
        f"shifts: [{DAY}]\nat:\n  LINE-1: {{holidays: [2026-05-01]}}\n  PRESS-1: {{shifts: []}}\n", tmp_path
    )
    assert calendar.rota_of("PRESS-1", "LINE-1").shifts == ()
    assert calendar.rota_of("PRESS-2", "LINE-1").shifts == calendar.rota.shifts
    assert len(calendar.rota_of("PRESS-2", "LINE-1").holidays) == 1
    assert calendar.rota_of("PRESS-2", "LINE-2") is calendar.rota
    assert calendar.rota_of("PRESS-2", None) is calendar.rota
