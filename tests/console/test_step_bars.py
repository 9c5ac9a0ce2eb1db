from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lineshaft.console.step_bars import WIDTH, bars

START = datetime(2026, 3, 9, 13, 2, tzinfo=UTC)
SPANS = st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=1, max_size=12)


@given(SPANS)
def test_bars_keep_the_order_of_time_and_stay_on_the_axis(spans: list[tuple[float, float]]) -> None:
    times = [(START + timedelta(seconds=at), START + timedelta(seconds=at + took)) for at, took in spans]
    drawn = bars(times)
    assert all(bar.x >= 0 and bar.width > 0 and bar.x + bar.width <= WIDTH + 0.2 for bar in drawn)
    by_start = sorted(zip(times, drawn, strict=True), key=lambda pair: pair[0][0])
    xs = [bar.x for _, bar in by_start]
    assert all(after >= before - 0.1 for before, after in pairwise(xs))


def test_a_call_is_seen_beside_a_wait_of_days() -> None:
    day = timedelta(days=3)
    call, wait, after = bars(
        [
            (START, START + timedelta(milliseconds=200)),
            (START + timedelta(milliseconds=200), START + day),
            (START + day, START + day + timedelta(seconds=1)),
        ]
    )
    assert wait.width > 10 * call.width > WIDTH / 5
    assert (call.x, round(after.x + after.width)) == (0, WIDTH)
