"""Calendar files.

title: Shifts of the Leipzig plant
shifts:
  - id: early
    days: [mon, tue, wed, thu, fri]             # every day, if left out
    start: "06:00"                              # in site time
    finish: "14:00"                             # at or before the start: on the next day
    breaks:
      - {start: "09:00", finish: "09:15"}
holidays: [2026-12-25, 2026-12-26]              # shifts that would start on these days do not take place
planned_downtime:
  - id: audit
    start: 2026-11-23 10:00                     # in site time
    finish: 2026-11-23 12:00
    at: [BTL-L1]                                # work centers and equipment; everywhere, if left out
at:                                             # what is other there: equipment before its work center
  LABELLER-01: {shifts: […], holidays: […]}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from lineshaft.core.errors import ConfigError
from lineshaft.core.yamlfile import YamlFile

__all__ = ["DAYS", "Break", "Calendar", "PlannedDowntime", "Rota", "Shift", "read_calendar"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
WEEK_MINUTES = 7 * DAY_MINUTES
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Clock = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Place = tuple[str | int, ...]
D = TypeVar("D", date, datetime)


class _Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As the file has it."""


class _Break(_Said, frozen=True, kw_only=True):
    start: Clock
    finish: Clock


class _Shift(_Said, frozen=True, kw_only=True):
    id: Name
    days: list[Day] = msgspec.field(default_factory=lambda: list(DAYS))  # type: ignore[arg-type]
    start: Clock
    finish: Clock
    breaks: list[_Break] = []


class _Planned(_Said, frozen=True, kw_only=True):
    id: Name
    start: str
    finish: str
    at: list[Name] = []


class _Own(_Said, frozen=True, kw_only=True):
    shifts: list[_Shift] | None = None
    holidays: list[str] | None = None


class _File(_Said, frozen=True, kw_only=True):
    title: str = "Work calendar"
    shifts: list[_Shift]
    holidays: list[str] = []
    planned_downtime: list[_Planned] = []
    at: dict[Name, _Own] = {}


class Break(msgspec.Struct, frozen=True):
    """Minutes after midnight of the day on which its shift starts."""

    start: int
    finish: int


class Shift(msgspec.Struct, frozen=True):
    """days: 0 is Monday; times in minutes after midnight, finish beyond 1440 on the next day."""

    id: str
    days: frozenset[int]
    start: int
    finish: int
    breaks: tuple[Break, ...]


class PlannedDowntime(msgspec.Struct, frozen=True):
    """Naive times, of the site. at: empty for everywhere"""

    id: str
    start: datetime
    finish: datetime
    at: frozenset[str]


class Rota(msgspec.Struct, frozen=True):
    shifts: tuple[Shift, ...]
    holidays: frozenset[date]


class Calendar(msgspec.Struct, frozen=True):
    """rota: of all that has none of its own in `at`"""

    title: str
    rota: Rota
    at: dict[str, Rota]
    planned_downtime: tuple[PlannedDowntime, ...]

    def rota_of(self, equipment_id: str, work_center_id: str | None) -> Rota:
        return self.at.get(equipment_id) or self.at.get(work_center_id or "") or self.rota


def read_calendar(path: Path) -> Calendar:
    """raises  ConfigError with every finding, each `file:line: what`"""
    file = YamlFile(path)
    said = file.read(_File)
    reader = _Reader(file)
    rota = Rota(reader.shifts(said.shifts, ()), reader.holidays(said.holidays, ()))
    at = {}
    for name, own in said.at.items():
        shifts, holidays = rota.shifts, rota.holidays
        if own.shifts is not None:
            shifts = reader.shifts(own.shifts, ("at", name))
        if own.holidays is not None:
            holidays = reader.holidays(own.holidays, ("at", name))
        at[name] = Rota(shifts, holidays)
    planned = tuple(reader.planned(said.planned_downtime))
    if reader.findings:
        raise ConfigError(f"calendar {path} has {len(reader.findings)} error(s)", findings=reader.findings)
    return Calendar(said.title, rota, at, planned)


class _Reader:
    """Goes on after a finding, with what it could read."""

    def __init__(self, file: YamlFile) -> None:
        self._file = file
        self.findings: list[str] = []

    def shifts(self, said: Sequence[_Shift], place: Place) -> tuple[Shift, ...]:
        place = (*place, "shifts")
        found = [self._shift(shift, (*place, index)) for index, shift in enumerate(said)]
        ids = [shift.id for shift in found]
        for index, shift in enumerate(found):
            if shift.id in ids[:index]:
                self._find((*place, index, "id"), f"shift {shift.id!r} is there twice; give each its own id")
        self._check_overlaps(found, place)
        return tuple(found)

    def holidays(self, said: Sequence[str], place: Place) -> frozenset[date]:
        days = (self._parsed(date, text, (*place, "holidays", at)) for at, text in enumerate(said))
        return frozenset(day for day in days if day is not None)

    def planned(self, said: Sequence[_Planned]) -> Iterator[PlannedDowntime]:
        for index, planned in enumerate(said):
            place = ("planned_downtime", index)
            start = self._parsed(datetime, planned.start, (*place, "start"))
            finish = self._parsed(datetime, planned.finish, (*place, "finish"))
            if start is None or finish is None:
                continue
            if finish <= start:
                self._find(
                    (*place, "finish"),
                    f"{planned.id!r} finishes at {finish}, not after its start; correct one",
                )
            yield PlannedDowntime(planned.id, start, finish, frozenset(planned.at))

    def _shift(self, said: _Shift, place: Place) -> Shift:
        start = _minutes(said.start)
        finish = _after(start, said.finish)
        breaks = []
        for index, pause in enumerate(said.breaks):
            from_minute = _minutes(pause.start)
            from_minute += DAY_MINUTES if from_minute < start else 0
            until = _after(from_minute, pause.finish)
            if until > finish:
                self._find(
                    (*place, "breaks", index),
                    f"the break {pause.start} to {pause.finish} is not within shift {said.id!r}, "
                    f"{said.start} to {said.finish}; move it",
                )
            breaks.append(Break(from_minute, until))
        days = frozenset(DAYS.index(day) for day in said.days)
        return Shift(said.id, days, start, finish, tuple(breaks))

    def _check_overlaps(self, shifts: Sequence[Shift], place: Place) -> None:
        """At any time there is one shift at most; weeks follow each other."""
        spans = sorted(
            (day * DAY_MINUTES + shift.start, day * DAY_MINUTES + shift.finish, index)
            for index, shift in enumerate(shifts)
            for day in shift.days
        )
        again = [(start + WEEK_MINUTES, finish + WEEK_MINUTES, index) for start, finish, index in spans[:1]]
        for (_, finish, one), (start, _, other) in zip(spans, [*spans[1:], *again], strict=True):
            if start < finish:
                day = DAYS[start // DAY_MINUTES % 7]
                self._find(
                    (*place, other),
                    f"shift {shifts[other].id!r} starts on {day} before shift {shifts[one].id!r} is over; "
                    "change one of them",
                )

    def _parsed(self, type: type[D], text: str, place: Place) -> D | None:
        try:
            found = type.fromisoformat(text)
        except ValueError:
            example = "2026-12-25" if type is date else "2026-12-25 06:00"
            self._find(place, f"{text!r} is none; write it as {example}")
            return None
        if isinstance(found, datetime) and found.tzinfo is not None:
            self._find(place, f"{text!r} has an offset; write it in site time, without one")
            return None
        return found

    def _find(self, place: Place, what: str) -> None:
        self.findings.append(f"{self._file.where(place)}: {what}")


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def _after(start: int, finish: str) -> int:
    """In minutes after the midnight that `start` counts from: the next time that the clock shows `finish`."""
    passed = (_minutes(finish) - start) % DAY_MINUTES
    return start + (passed or DAY_MINUTES)
