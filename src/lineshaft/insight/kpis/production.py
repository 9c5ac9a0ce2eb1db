"""How well equipment was used: OEE with its losses, unplanned downtime, and what stands still now."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from lineshaft.contracts.kpis import KpiTable
from lineshaft.core.clock import rfc3339
from lineshaft.insight.kpis.declare import Found, Row, column, rounded, said_count, said_time, table
from lineshaft.insight.kpis.equipment import Unit, courses, open_stops
from lineshaft.insight.kpis.oee import Course, Oee, losses, oee_of, sorted_out, times, total
from lineshaft.insight.kpis.output import output
from lineshaft.insight.kpis.question import Question

__all__ = ["oee", "unplanned_downtime", "unresolved_downtime"]

_COLUMNS = [
    column("oee", "OEE", "share"),
    column("availability", "Availability", "share"),
    column("effectiveness", "Effectiveness", "share"),
    column("quality", "Quality", "share"),
    column("planned", "Planned busy", "s"),
    column("down", "Downtime", "s"),
    column("made", "Made", "count"),
    column("good", "Good", "count"),
]


def oee(question: Question) -> Found:
    by_unit, whole = question.once("oee", _by_unit), question.once("oee of all", _whole)
    if not whole:
        return Found()
    distinct = {id(of): of for of in whole.values()}
    ratio = {each: of.oee for each, of in distinct.items()}
    measured = [unit for unit, of in whole.items() if ratio[id(of)] is not None]
    over = measured or list(whole)
    told = _added([whole[unit] for unit in over])
    points = _columns([by_unit[unit] for unit in over])
    plants: dict[str, list[Oee]] = defaultdict(list)
    for unit in over:
        plants[unit[0]].append(whole[unit])
    cells = {each: rounded(_cells(of)) for each, of in distinct.items()}
    units = [column("plant", "Plant"), column("equipment", "Equipment", "asset"), *_COLUMNS]
    ordered = sorted(whole.items(), key=lambda entry: _or_more(ratio[id(entry[1])]))
    says = " × ".join(
        f"{name} {'not known' if value is None else format(value, '.0%')}"
        for name, value in (
            ("availability", told.availability),
            ("effectiveness", told.effectiveness),
            ("quality", told.quality),
        )
    )
    return Found(
        value=told.oee,
        says=says,
        series=[_point(of) if measured else None for of in points],
        losses=losses(told),
        tables=[
            KpiTable(
                id="equipment",
                title="By equipment",
                columns=units,
                rows=[[*unit, *cells[id(of)]] for unit, of in ordered],
            ),
            table(
                "plants",
                "By plant",
                [column("plant", "Plant"), *_COLUMNS],
                [[plant, *_cells(_added(some))] for plant, some in sorted(plants.items())],
            ),
        ],
        notes=_notes(question, whole, told, len(measured)),
    )


def unplanned_downtime(question: Question) -> Found:
    by_unit, whole = question.once("oee", _by_unit), question.once("oee of all", _whole)
    found = question.once("courses", courses)
    if not found:
        return Found()
    rows: list[Row] = []
    for unit, course in found.items():
        if course.down and (stops := _within(question, course)):
            of = whole[unit]
            longest = max(finish - start for start, finish in stops)
            share = of.down / of.busy if of.busy > 0 else None
            rows.append([*unit, float(len(stops)), of.down, share, longest])
    series = [of.down for of in _columns([by_unit[unit] for unit in found])]
    down = sum(series)
    busy = _added(list(whole.values())).busy
    columns = [
        column("plant", "Plant"),
        column("equipment", "Equipment", "asset"),
        column("stops", "Stops", "count"),
        column("down", "Downtime", "s"),
        column("share", "Of planned time", "share"),
        column("longest", "Longest", "s"),
    ]
    count = int(sum(row[2] for row in rows))
    of_planned = f", {down / busy:.1%} of planned time" if busy > 0 else ""
    return Found(
        value=down,
        says=f"in {said_count(count, 'stop')}{of_planned}" if count else "no stop longer than a minor one",
        series=series,
        tables=[table("equipment", "By equipment", columns, sorted(rows, key=lambda row: -row[3]))],
    )


def unresolved_downtime(question: Question) -> Found:
    stops = question.once("open stops", open_stops)
    columns = [
        column("plant", "Plant"),
        column("equipment", "Equipment", "asset"),
        column("since", "Since", "at"),
        column("lasts", "Lasts", "s"),
        column("reason", "Reason code"),
        column("upstream", "Upstream stopped first"),
        column("job", "Job", "key"),
    ]
    now = question.now.timestamp()
    rows: list[Row] = [
        [
            stop.plant,
            stop.equipment_id,
            rfc3339(stop.start),
            now - stop.start.timestamp(),
            stop.reason,
            stop.upstream,
            stop.job,
        ]
        for stop in stops
    ]
    if stops:
        says = f"the longest, {stops[0].equipment_id}, for {said_time(now - stops[0].start.timestamp())}"
    elif question.once("courses", courses):
        says = "nothing stands still longer than a minor stop"
    else:
        return Found()
    return Found(
        value=float(len(stops)),
        says=says,
        tables=[table("stops", "Standing still now", columns, rows)],
        notes=["As it is now, whichever period is shown."],
    )


def _by_unit(question: Question) -> dict[Unit, list[Oee]]:
    """Most equipment keeps to one state: what is the same of many is computed once, and is one object."""
    found, made = question.once("courses", courses), question.once("output", output)
    nothing = Course(planned=[question.whole], known=[])
    alike: dict[int, list[Oee]] = {}
    by_unit = {}
    for unit in sorted(found.keys() | made.keys()):
        course = found.get(unit, nothing)
        if unit in made:
            by_unit[unit] = oee_of(course, made[unit], question.edges)
            continue
        if id(course) not in alike:
            alike[id(course)] = oee_of(course, (), question.edges)
        by_unit[unit] = alike[id(course)]
    return by_unit


def _whole(question: Question) -> dict[Unit, Oee]:
    by_unit = question.once("oee", _by_unit)
    totals: dict[int, Oee] = {}
    for buckets in by_unit.values():
        if id(buckets) not in totals:
            totals[id(buckets)] = total(buckets)
    return {unit: totals[id(buckets)] for unit, buckets in by_unit.items()}


def _columns(some: Sequence[list[Oee]]) -> list[Oee]:
    """Of each bucket the total of all."""
    alike, numbers = {id(buckets): buckets for buckets in some}, Counter(map(id, some))
    many = [[times(of, numbers[each]) for of in buckets] for each, buckets in alike.items()]
    return [total(column) for column in zip(*many, strict=True)]


def _added(some: Sequence[Oee]) -> Oee:
    alike, numbers = {id(of): of for of in some}, Counter(map(id, some))
    return total([times(of, numbers[each]) for each, of in alike.items()])


def _within(question: Question, course: Course) -> list[tuple[float, float]]:
    start, finish = question.whole
    down = sorted_out(course)["down"]
    return [(max(a, start), min(b, finish)) for a, b in down if a < finish and b > start]


def _point(of: Oee) -> float | None:
    """None also where it ran and nobody has told yet what it made."""
    told = of.made > 0 or of.executing <= 0
    return of.good_s / of.busy if told and of.busy > 0 else None


def _cells(of: Oee) -> Row:
    made, good = (of.made, of.good) if of.made else (None, None)
    return [of.oee, of.availability, of.effectiveness, of.quality, of.planned, of.down, made, good]


def _or_more(value: float | None) -> float:
    return 2.0 if value is None else value


def _notes(question: Question, whole: dict[Unit, Oee], told: Oee, measured: int) -> list[str]:
    found = []
    if measured < len(whole):
        missing = said_count(len(whole) - measured, "work unit")
        found.append(
            f"{missing} left out: it takes states or stops, confirmations with scrap, and planned run times."
            if measured
            else "It takes states or stops, confirmations with scrap, and planned run times."
        )
    if told.planned > 0 and told.unknown > told.planned * 0.001:
        share = told.unknown / told.planned
        found.append(f"Nothing is known of {share:.1%} of the planned time: it is left out.")
    if told.effectiveness is not None and told.effectiveness > 1:
        found.append("Effectiveness above 100 %: plans allow more time, or it was made in unplanned time.")
    if not all(map(question.has_calendar, {plant for plant, _ in whole})):
        found.append("Where no work calendar says when to work, every hour counts as planned.")
    return found
