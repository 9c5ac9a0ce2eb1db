from __future__ import annotations

import pytest

from lineshaft.app.bench.telemetry.sustained import highest
from lineshaft.app.bench.telemetry.trial import Trial

SECONDS = 2.0
USUAL_S = 0.01


def trial(rate: float, capacity: float, *, lost: int = 0) -> Trial:
    """Of a side that does so much per second: what is beyond that waits longer and longer."""
    behind = max(0.0, 1 - capacity / rate)
    at = [SECONDS * number / 100 for number in range(100)]
    return Trial(
        rate=rate,
        seconds=SECONDS,
        latencies_s=[USUAL_S + behind * each for each in at],
        lost=lost,
        wrong=0,
        usage={},
    )


@pytest.mark.parametrize("guess", [1_000.0, 8_000.0, 10_000.0, 700_000.0])
async def test_finds_what_a_side_keeps_up_with(guess: float) -> None:
    async def one(rate: float) -> Trial:
        return trial(rate, 10_000)

    found = await highest(one, guess)
    assert found.best is not None
    assert found.beyond is not None
    assert found.best.rate < found.beyond.rate
    assert found.best.rate == pytest.approx(10_000, rel=0.12)


async def test_what_loses_breaches_sustains_nothing() -> None:
    async def one(rate: float) -> Trial:
        return trial(rate, 10_000, lost=1)

    found = await highest(one, 1_000)
    assert found.best is None


def test_a_lag_that_is_long_but_does_not_grow_is_sustained() -> None:
    slow = Trial(rate=1, seconds=SECONDS, latencies_s=[0.8] * 100, lost=0, wrong=0, usage={})
    assert slow.is_sustained
    assert slow.quantile_ms(0.99) == 800
    assert trial(10_000, 10_000).is_sustained
    assert not trial(11_500, 10_000).is_sustained
    assert not Trial(rate=1, seconds=SECONDS, latencies_s=[], lost=0, wrong=0, usage={}).is_sustained
