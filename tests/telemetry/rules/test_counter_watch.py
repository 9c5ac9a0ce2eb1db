from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.core.values import Value
from lineshaft.model.aggregates import CountAggregate
from lineshaft.telemetry.rules.counter_watch import CounterWatch
from lineshaft.telemetry.rules.watch import Found, WatchFault
from tests.telemetry.taken import at, facts, faults, taken, us, watches

RULE = {
    "id": "good",
    "property": "good_count",
    "applies_to": {"asset_class": "filler"},
    "kind": "counter",
    "max_rate_per_s": 10,
}
WRAPPING = {"maximum": 999}


def counter(**changes: object) -> CounterWatch:
    (watch,) = watches({**RULE, **changes})
    assert isinstance(watch, CounterWatch)
    return watch


def counted(found: Sequence[Value]) -> list[tuple[float, float, float, str]]:
    """(start of the window in seconds, from, to, quantity)"""
    return [
        (
            (fact.start_time - at(0)).total_seconds(),
            fact.from_count,
            fact.to_count,
            str(fact.quantity.value),
        )
        for fact in found
        if isinstance(fact, CountAggregate)
    ]


def samples(watch: CounterWatch, *samples: tuple[float, float]) -> list[Value]:
    return [fact for seconds, value in samples for fact in facts(watch.take("value", taken(seconds, value)))]


def unexplained(watch: CounterWatch, seconds: float, value: float) -> Sequence[Value]:
    found: Found = watch.take("value", taken(seconds, value))
    (fault,) = faults(found)
    assert fault.startswith("rule 'good' on tag 'FIL.GOOD': a step is no rise, reset or wrap")
    return [fact for fact in found if isinstance(fact, Value)]


def test_a_window_is_told_when_a_later_count_comes() -> None:
    watch = counter()
    assert samples(watch, (0, 100), (10, 150), (299, 200)) == []
    (fact,) = samples(watch, (300, 203))
    assert isinstance(fact, CountAggregate)
    assert counted([fact]) == [(0, 100, 200, "100")]
    assert (fact.epoch, fact.start_time, fact.end_time) == (at(0), at(0), at(300))
    assert (fact.equipment_id, fact.property, fact.quantity.unit) == ("FIL-01", "good_count", "C62")
    assert fact.complete
    assert counted(samples(watch, (605, 303))) == [(300, 200, 203, "3")]


def test_a_step_belongs_to_the_window_of_its_later_count() -> None:
    watch = counter()
    assert counted(samples(watch, (0, 0), (299, 10), (900, 70), (1200, 70))) == [
        (0, 0, 10, "10"),
        (900, 10, 70, "60"),
    ]


def test_a_tick_tells_a_window_that_is_over() -> None:
    watch = counter()
    samples(watch, (0, 0), (290, 10))
    assert facts(watch.tick(us(301.9))) == []
    assert counted(facts(watch.tick(us(302)))) == [(0, 0, 10, "10")]
    assert facts(watch.tick(us(999))) == []
    # the next one comes for the window that was told already: it counts in the one after it
    assert samples(watch, (299, 12)) == []
    assert counted(samples(watch, (310, 20), (600, 20))) == [(300, 10, 20, "10")]


def test_a_tick_goes_by_the_device_s_clock() -> None:
    watch = counter()
    watch.take("value", taken(290, 5, late_s=60))
    assert facts(watch.tick(us(361))) == []
    assert counted(facts(watch.tick(us(362)))) == [(0, 5, 5, "0")]


def test_the_first_count_after_a_birth_is_a_baseline() -> None:
    watch = counter()
    samples(watch, (0, 100), (10, 150))
    assert facts(watch.lost("value", us(11))) == []
    assert counted(samples(watch, (20, 5000))) == [(0, 100, 150, "50")]
    (fact,) = samples(watch, (30, 5007), (300, 5007))
    assert counted([fact]) == [(0, 5000, 5007, "7")]
    assert isinstance(fact, CountAggregate)
    assert fact.epoch == at(20)


@pytest.mark.parametrize(
    ("seconds", "value", "quantity"),
    [
        (1, 4, "9"),  # 996 … 999, 0 … 4
        (1, 5, "10"),
        (1, 6, None),  # more than 10/s
        (2, 15, "20"),
        (2, 16, None),
        (0.1, 0, "5"),  # clocks are no finer than a second
        (0.1, 6, None),
    ],
)
def test_a_wrap_is_one_only_at_a_rate_that_the_counter_can_make(
    seconds: float, value: float, quantity: str | None
) -> None:
    watch = counter(**WRAPPING)
    samples(watch, (0, 995))
    if quantity is None:
        assert counted(unexplained(watch, seconds, value)) == [(0, 995, 995, "0")]
        (fact,) = facts(watch.tick(us(400)))
        assert counted([fact]) == [(0, value, value, "0")]
        assert isinstance(fact, CountAggregate)
        assert not fact.complete
    else:
        assert samples(watch, (seconds, value)) == []
        assert counted(facts(watch.tick(us(400)))) == [(0, 995, value, quantity)]


@pytest.mark.parametrize(
    ("maximum", "last", "count", "quantity"),
    [
        (65_535, 65_530, 9, "15"),
        (2_147_483_647, 2_147_483_640, 7, "15"),  # AccCount of PackML: Int32, counts on from 0
        (4_294_967_295, 4_294_967_295, 0, "1"),
        (9_999, 9_999, 14, "15"),
    ],
)
def test_widths_of_counters(maximum: int, last: int, count: int, quantity: str) -> None:
    watch = counter(maximum=maximum, max_rate_per_s=20)
    assert counted(samples(watch, (0, last), (1, count), (300, count))) == [(0, last, count, quantity)]


@pytest.mark.parametrize(
    ("counts", "quantity", "complete"),
    [
        ([10], 0, True),  # the first one
        ([5, 5], 0, True),
        ([5, 2], 0, False),
        ([1000, 0, 10], 10, True),  # a reset
        ([0, 900], 900, True),
        ([0, 1200], 0, False),  # more than it can make
        ([1000, 0, 1002], 0, False),  # there +2; here it is for a person to say
    ],
)
def test_published_examples(counts: list[float], quantity: int, complete: bool) -> None:
    """Source: "Valid increase guard", "Performance guard" of PackOS (ilabo.atlassian.net/wiki/spaces/LW)."""
    watch, found = counter(max_rate_per_s=16, reset_below=0), list[Value | WatchFault]()
    for minute, count in enumerate(counts):
        found += watch.take("value", taken(minute * 60, count))
    told = [fact for fact in [*found, *watch.tick(us(999))] if isinstance(fact, CountAggregate)]
    assert sum(fact.quantity.value for fact in told) == quantity
    assert all(fact.complete for fact in told) is complete


def test_a_fall_to_the_start_is_a_reset_where_that_is_declared() -> None:
    watch = counter(reset_below=5)
    assert counted(samples(watch, (0, 100), (10, 150), (11, 5))) == [(0, 100, 150, "50")]
    (fact,) = samples(watch, (12, 8), (300, 8))
    assert counted([fact]) == [(0, 0, 8, "8")]
    assert isinstance(fact, CountAggregate)
    assert (fact.epoch, fact.complete) == (at(11), True)
    unexplained(watch, 301, 6)


def test_a_wrap_that_fits_comes_before_a_fall_to_the_start() -> None:
    watch = counter(**WRAPPING, reset_below=5)
    assert counted(samples(watch, (0, 998), (1, 3), (300, 3))) == [(0, 998, 3, "5")]
    assert counted(samples(watch, (340, 400), (341, 3))) == [(300, 3, 400, "397")]


def test_an_announced_reset_counts_from_zero_once() -> None:
    watch = counter(reset_flag="count_reset", **WRAPPING)
    assert watch.inputs == {"FIL.GOOD": "value", "FIL.RESET": "reset"}
    samples(watch, (0, 990), (10, 998))
    assert watch.take("reset", taken(10.5, 1)) == ()
    assert counted(samples(watch, (11, 2))) == [(0, 990, 998, "8")]  # no wrap
    watch.take("reset", taken(11.5, 1))  # still up: no second one
    assert counted(unexplained(watch, 12, 1)) == [(0, 0, 2, "2")]
    watch.take("reset", taken(13, 0))
    watch.take("reset", taken(14, 1))
    assert counted(samples(watch, (15, 0))) == [(0, 1, 1, "0")]
    watch.take("reset", taken(16, 0))
    watch.take("reset", taken(17, 1))
    samples(watch, (18, 0), (19, 5))  # there was nothing to fall from: the next fall is none of that reset
    assert counted(unexplained(watch, 20, 3)) == [(0, 0, 5, "5")]


def test_a_glitch_counts_nothing() -> None:
    watch = counter(max_rate_per_s=10)
    samples(watch, (0, 100_000), (1, 100_005))
    told = [*unexplained(watch, 2, 0), *unexplained(watch, 3, 100_009)]
    told += samples(watch, (4, 100_012), (300, 100_012))
    assert [quantity for *_, quantity in counted(told)] == ["5", "0", "3"]
    assert [fact.complete for fact in told if isinstance(fact, CountAggregate)] == [True, False, False]


def test_a_count_that_cannot_be_one_is_a_fault_and_changes_nothing() -> None:
    watch = counter(**WRAPPING)
    samples(watch, (0, 10))
    for value in (-1, 1000, 1e18):
        assert "below 0 or beyond the maximum" in faults(watch.take("value", taken(1, value)))[0]
    assert counted(samples(watch, (2, 15), (300, 15))) == [(0, 10, 15, "5")]


def test_parts_of_a_unit_add_up_exactly() -> None:
    watch = counter()
    found = samples(watch, (0, 0.1), (1, 0.3), (2, 0.30000000000000004), (3, 0.7), (300, 0.7))
    assert counted(found) == [(0, 0.1, 0.7, "0.6")]


def test_one_count_can_come_at_any_time() -> None:
    assert counted(samples(counter(max_rate_per_s=0.1), (0, 7), (2, 8), (300, 8))) == [(0, 7, 8, "1")]


def test_several_counts_at_once_after_a_pause_of_the_network() -> None:
    watch = counter(max_rate_per_s=2)
    found = samples(watch, (0, 0), (10, 1), (10.001, 2), (10.002, 3), (300, 3))
    assert counted(found) == [(0, 0, 3, "3")]


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, float, int]]:
    """(what happens, seconds since the one before, parts made since)"""
    kinds = st.sampled_from(["count"] * 6 + ["tick", "restart", "birth", "reset"])
    step = st.tuples(kinds, st.sampled_from([1, 5, 60, 290, 700]), st.integers(0, 50))
    return draw(st.lists(step, max_size=40))


@given(histories(), st.sampled_from([60, 300, 3600]), st.integers(0, 99))
def test_what_is_told_adds_up_to_what_was_made(
    history: list[tuple[str, float, int]], window_s: int, first: int
) -> None:
    """By a device that counts to 99, announces its resets, and loses what it made before a birth or a reset;
    whatever the windows, ticks and restarts."""
    options = {"maximum": 99, "max_rate_per_s": 50, "reset_flag": "count_reset", "window_s": window_s}
    watch, seconds, shown, made = counter(**options), 0.0, first, 0
    told = samples(watch, (0, shown))
    for what, later, parts in history:
        seconds += later
        if what == "tick":
            told += facts(watch.tick(us(seconds)))
            continue
        if what == "reset":
            watch.take("reset", taken(seconds, 0))
            watch.take("reset", taken(seconds + 0.1, 1))
            shown = 0
        elif what == "birth":
            watch.lost("value", us(seconds))
            shown = (shown + parts) % 100
        else:
            made += parts
            shown = (shown + parts) % 100
        if what == "restart":
            saved, watch = watch.saved(), counter(**options)
            watch.restore(saved)
        told += samples(watch, (seconds + 0.2, shown))
    told += facts(watch.tick(us(seconds + 9999)))
    counts = [fact for fact in told if isinstance(fact, CountAggregate)]
    assert sum((fact.quantity.value for fact in counts), Decimal(0)) == made
    assert all(fact.complete for fact in counts)
    assert len({(fact.epoch, fact.start_time) for fact in counts}) == len(counts)
    for before, after in pairwise(counts):
        assert before.start_time <= after.start_time
        assert before.epoch != after.epoch or before.to_count == after.from_count
