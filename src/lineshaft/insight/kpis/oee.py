"""Overall equipment effectiveness and its losses, as ISO 22400-2 has them.

    availability A = APT / PBT      effectiveness E = PRI · PQ / APT      quality ratio Q = GQ / PQ
    OEE = A · E · Q = PRI · GQ / PBT

PBT planned busy time · APT actual production time · PRI planned run time per item · PQ produced and GQ good
quantity. Times add up over equipment and over any split of a period; ratios are made of the sums.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import astuple

from lineshaft.contracts.kpis import KpiLoss
from lineshaft.insight.kpis.spans import Span, common, merged, shares, spread, without

__all__ = ["Course", "Made", "Oee", "losses", "oee_of", "sorted_out", "times", "total"]


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """What a work unit did, in spans that need not be in order, and may overlap.

    planned    when it was to work
    known      when its state is known
    executing  in PackML state Execute; None where it tells no states: it produced whenever no stop is told
    stopped    in a settled state of a stop
    down       stops that are downtime: longer than a minor one
    blocked    stops whose cause is upstream or downstream
    """

    planned: Sequence[Span]
    known: Sequence[Span]
    executing: Sequence[Span] | None = None
    stopped: Sequence[Span] = ()
    down: Sequence[Span] = ()
    blocked: Sequence[Span] = ()


class Made(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was produced over a span: it counts for a period by the share that lies in it.

    made         PQ: good, scrap and rework
    good         GQ; None where nobody says what was scrap
    run_time_s   PRI; None where no plan says
    """

    span: Span
    made: float
    good: float | None = None
    run_time_s: float | None = None


class Oee(msgspec.Struct, frozen=True, gc=False):
    """Times in seconds, each second of `planned` in one of those below it.

    made_s, good_s   PRI · PQ and PRI · GQ: the time that they should have taken
    weighed          of `made`, what has a planned run time
    judged           of `made`, what has been told good or not
    """

    planned: float = 0.0
    executing: float = 0.0
    down: float = 0.0
    blocked: float = 0.0
    minor: float = 0.0
    other: float = 0.0
    unknown: float = 0.0
    made: float = 0.0
    good: float = 0.0
    weighed: float = 0.0
    judged: float = 0.0
    made_s: float = 0.0
    good_s: float = 0.0

    @property
    def busy(self) -> float:
        """PBT, as far as it is known what happened in it."""
        return self.planned - self.unknown

    @property
    def availability(self) -> float | None:
        return min(1.0, self.executing / self.busy) if self.busy > _NOTHING else None

    @property
    def effectiveness(self) -> float | None:
        """Above 1 where the planned run times are too long."""
        if self.executing <= _NOTHING or not _all(self.weighed, self.made):
            return None
        return self.made_s / self.executing

    @property
    def quality(self) -> float | None:
        """Of several products by the time that each should have taken, where every plan is known."""
        if not _all(self.judged, self.made):
            return None
        if _all(self.weighed, self.made) and self.made_s > _NOTHING:
            return min(1.0, self.good_s / self.made_s)
        return min(1.0, self.good / self.made)

    @property
    def oee(self) -> float | None:
        factors = (self.availability, self.effectiveness, self.quality)
        if any(factor is None for factor in factors):
            return None
        return self.good_s / self.busy


_NOTHING = 1e-9
_PLACES = {name: place for place, name in enumerate(Oee.__struct_fields__)}


def _all(part: float, whole: float) -> bool:
    return whole > 0 and part >= whole * (1 - 1e-9)


def total(parts: Sequence[Oee]) -> Oee:
    return Oee(*map(sum, zip(*map(astuple, parts), strict=True))) if parts else Oee()


def times(of: Oee, number: int) -> Oee:
    """That of so many work units that are alike."""
    return of if number == 1 else Oee(*(each * number for each in astuple(of)))


def sorted_out(course: Course) -> dict[str, list[Span]]:
    """Each second of the planned time under one of Oee's names for times."""
    planned = merged(course.planned)
    known = common(planned, merged(course.known))
    blocked, down = merged(course.blocked), merged(course.down)
    if course.executing is None:
        executing = without(without(known, down), blocked)
    else:
        executing = common(known, merged(course.executing))
    left = without(known, executing)
    found = {"planned": planned, "unknown": without(planned, known), "executing": executing}
    for name, spans in (("blocked", blocked), ("down", down), ("minor", merged(course.stopped))):
        found[name] = common(left, spans)
        left = without(left, spans)
    return found | {"other": left}


def oee_of(course: Course, made: Sequence[Made], edges: Sequence[float]) -> list[Oee]:
    """Of each bucket between the edges."""
    sums = [[0.0] * len(_PLACES) for _ in edges[1:]]
    for name, spans in sorted_out(course).items():
        for number, seconds in enumerate(spread(spans, edges)):
            sums[number][_PLACES[name]] = seconds
    for one in made:
        run_time_s = one.run_time_s or 0.0
        for number, part in shares(one.span, edges):
            here, pieces = sums[number], part * one.made
            here[_PLACES["made"]] += pieces
            here[_PLACES["weighed"]] += pieces if one.run_time_s is not None else 0.0
            here[_PLACES["made_s"]] += pieces * run_time_s
            if one.good is not None:
                here[_PLACES["judged"]] += pieces
                here[_PLACES["good"]] += part * one.good
                here[_PLACES["good_s"]] += part * one.good * run_time_s
    return [Oee(*here) for here in sums]


def losses(of: Oee) -> list[KpiLoss]:
    """From the planned busy time down to what good parts should have taken; together they are all of it.

    Speed and scrap can only be told where OEE can.
    """
    found = [
        ("down", "Downtime", of.down),
        ("minor", "Minor stops", of.minor),
        ("blocked", "Blocked or starved", of.blocked),
        ("other", "Idle, starting, setting up", of.other),
    ]
    if of.oee is None:
        found.append(("executing", "Producing", of.executing))
    else:
        made = min(of.made_s, of.executing)
        good = min(of.good_s, made)
        found += [
            ("speed", "Slower than planned", of.executing - made),
            ("scrap", "Scrap and rework", made - good),
            ("good", "Good parts at planned speed", good),
        ]
    return [KpiLoss(what=what, title=title, seconds=round(seconds, 3)) for what, title, seconds in found]
