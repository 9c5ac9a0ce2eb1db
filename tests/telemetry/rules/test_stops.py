from __future__ import annotations

from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.telemetry.rules.stops import Phase, Stop, StopLimits, Stops, phase_of

LIMITS = StopLimits(minor_us=300, split_us=10)
UP, TRANSITION, DOWN, OUT, UNKNOWN = Phase.UP, Phase.TRANSITION, Phase.DOWN, Phase.OUT, Phase.UNKNOWN


def told(*entered: tuple[int, Phase], until: int) -> list[tuple[int, int | None]]:
    """(start, end) of the stops that are told, in this order."""
    stops = Stops(LIMITS)
    found = [stop for at, phase in entered for stop in stops.enter(phase, 2, at)]
    return [(stop.start, stop.end) for stop in [*found, *stops.pass_time(until)]]


@pytest.mark.parametrize(
    ("state", "mode", "has_mode", "phase"),
    [
        *((state, None, False, DOWN) for state in (2, 5, 9, 11)),
        *((state, None, False, UP) for state in (4, 6, 17)),
        *((state, None, False, TRANSITION) for state in (1, 3, 7, 8, 10, 12, 13, 14, 15, 16)),
        (0, None, False, UNKNOWN),
        (None, None, False, UNKNOWN),
        (2, 1, True, DOWN),
        (2, None, True, UNKNOWN),
        (2, 2, True, OUT),
        (6, 3, True, OUT),
        (2, 17, True, OUT),  # a mode of the machine builder
    ],
)
def test_what_a_state_means_for_stops(state: int, mode: int | None, has_mode: bool, phase: Phase) -> None:
    assert phase_of(state, mode, has_mode=has_mode) is phase


@pytest.mark.parametrize(
    ("entered", "until", "expected"),
    [
        ([(0, UP), (100, DOWN)], 399, []),
        ([(0, UP), (100, DOWN)], 400, [(100, None)]),
        ([(0, UP), (100, DOWN), (399, UP)], 900, []),
        ([(0, UP), (100, DOWN), (400, UP)], 409, [(100, None)]),
        ([(0, UP), (100, DOWN), (400, UP)], 410, [(100, None), (100, 400)]),
        # a run of under 10 s does not split
        ([(0, DOWN), (200, UP), (209, DOWN)], 300, [(0, None)]),
        ([(0, DOWN), (200, UP), (210, DOWN)], 509, []),
        ([(0, DOWN), (400, UP), (409, DOWN), (500, UP)], 510, [(0, None), (0, 500)]),
        # nor does what it takes to come to a stop again count as run
        ([(0, DOWN), (400, UP), (405, TRANSITION), (450, DOWN), (500, UP)], 510, [(0, None), (0, 500)]),
        ([(0, DOWN), (400, UP), (405, TRANSITION), (406, UP)], 410, [(0, None), (0, 400)]),
        # transitions belong to the stop around them
        ([(0, UP), (100, TRANSITION), (105, DOWN), (390, TRANSITION)], 400, [(100, None)]),
        (
            [(0, UP), (100, TRANSITION), (105, DOWN), (390, TRANSITION), (401, UP)],
            411,
            [(100, None), (100, 401)],
        ),
        ([(0, UP), (100, TRANSITION), (900, UP)], 999, []),  # never settled in a stop
        # out of production
        ([(0, OUT)], 999, []),
        ([(0, DOWN), (400, OUT)], 400, [(0, None), (0, 400)]),
        ([(0, DOWN), (200, OUT)], 999, []),
        ([(0, DOWN), (400, UP), (405, OUT)], 405, [(0, None), (0, 400)]),
        ([(0, OUT), (100, DOWN)], 400, [(100, None)]),
        # the unknown neither starts nor ends
        ([(0, DOWN), (200, UNKNOWN)], 999, []),
        ([(0, DOWN), (200, UNKNOWN), (250, DOWN)], 300, [(0, None)]),
        ([(0, DOWN), (310, UNKNOWN), (900, DOWN), (950, UP)], 960, [(0, None), (0, 950)]),
        ([(0, DOWN), (310, UNKNOWN), (900, UP)], 910, [(0, None), (0, 310)]),
        ([(0, DOWN), (310, UNKNOWN), (900, OUT)], 900, [(0, None), (0, 310)]),
        ([(0, DOWN), (200, UNKNOWN), (900, UP)], 999, []),
        ([(0, DOWN), (310, UP), (315, UNKNOWN), (318, DOWN), (400, UP)], 410, [(0, None), (0, 400)]),
        ([(0, UP), (100, UNKNOWN), (200, DOWN)], 500, [(200, None)]),
        ([(0, UP), (100, TRANSITION), (105, UNKNOWN), (200, DOWN)], 499, []),
    ],
)
def test_stops(entered: list[tuple[int, Phase]], until: int, expected: list[tuple[int, int | None]]) -> None:
    assert told(*entered, until=until) == expected


def test_a_stop_in_mind_while_it_lasts() -> None:
    stops = Stops(LIMITS)
    stops.enter(UP, 6, 0)
    stops.note(reason="nothing to note it on")
    stops.enter(DOWN, 11, 100)
    stops.note(reason="JAM-01")
    stops.note(upstream="FIL-01")
    assert [stops.stood_still(at) for at in (100, 101, 9999)] == [False, True, True]
    (found,) = stops.pass_time(400)
    assert found == Stop(start=100, state=11, reason="JAM-01", upstream="FIL-01", told=True)
    stops.enter(UP, 6, 500)
    stops.note(reason="it runs")
    (over,) = stops.pass_time(510)
    assert (over.end, over.reason) == (500, "JAM-01")
    assert [stops.stood_still(at) for at in (101, 499, 500, 510)] == [True, True, False, False]


Timeline = list[tuple[int, Phase]]


@st.composite
def timelines(draw: st.DrawFn) -> tuple[Timeline, int]:
    """Phases without repeats, and how long the last one lasts up to now."""
    drawn = draw(
        st.lists(
            st.tuples(
                st.sampled_from([UP, TRANSITION, DOWN, OUT]), st.sampled_from([1, 4, 9, 10, 150, 299, 400])
            ),
            min_size=1,
            max_size=14,
        )
    )
    at, timeline = 0, []
    for phase, same in groupby(drawn, key=lambda item: item[0]):
        timeline.append((at, phase))
        at += sum(length for _, length in same)
    return timeline, at


def model(timeline: Timeline, now: int) -> set[tuple[int, int | None]]:
    """Looks at the whole timeline: cuts it at every long run and every time out of production, and takes each
    piece that has a stop state in it."""
    segments = [(start, end, phase) for (start, phase), (end, _) in pairwise([*timeline, (now, UP)])]
    stops: set[tuple[int, int | None]] = set()
    piece: list[tuple[int, int, Phase]] = []

    def close(end: int | None) -> None:
        downs = [index for index, (_, _, phase) in enumerate(piece) if phase is DOWN]
        if not downs:
            return
        first = downs[0]
        while first and piece[first - 1][2] is TRANSITION:
            first -= 1
        start = piece[first][0]
        short_run = [at for at, _, phase in piece[downs[-1] + 1 :] if phase is UP]
        upto = min([*short_run, now if end is None else end])
        if upto - start >= LIMITS.minor_us:
            stops.add((start, None))
            if end is not None:
                stops.add((start, upto))

    for index, (start, end, phase) in enumerate(segments):
        if phase is OUT:
            close(start)
            piece = []
            continue
        if phase is UP:
            run_start = start
            for earlier_start, _, earlier in reversed(segments[:index]):
                if earlier in {DOWN, OUT}:
                    break
                run_start = earlier_start if earlier is UP else run_start
            if end - run_start >= LIMITS.split_us:
                close(run_start)
                piece = [(start, end, UP)]
                continue
        piece.append((start, end, phase))
    close(None)
    return stops


@given(timelines(), st.lists(st.integers(0, 3000), max_size=10), st.booleans())
def test_as_the_model_says_whenever_it_is_asked(
    drawn: tuple[Timeline, int], asked: list[int], saving: bool
) -> None:
    timeline, now = drawn
    stops = Stops(LIMITS)
    found: list[Stop] = []
    for (at, phase), (upto, _) in pairwise([*timeline, (now, UP)]):
        found += stops.enter(phase, 2, at)
        for tick in sorted(tick for tick in asked if at < tick < upto):
            found += stops.pass_time(tick)
        if saving:
            standing = stops.standing
            stops = Stops(LIMITS)
            stops.standing = standing
    found += stops.pass_time(now)
    told = [(stop.start, stop.end) for stop in found]
    assert len(told) == len(set(told))
    assert set(told) == model(timeline, now)
    assert all(told.index((start, None)) < told.index((start, end)) for start, end in told if end is not None)
