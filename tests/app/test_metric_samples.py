"""What is asked of the database for metrics, every few seconds."""

from __future__ import annotations

from typing import Any, cast

from lineshaft.app.metric_samples import Sampler
from lineshaft.backbone import Backbone, StreamState
from lineshaft.core.standing import Standing
from lineshaft.store import Store
from tests.ledger.exceptions_at_work import Bench, parked

MAINTENANCE = ("maintenance", "business_fault")


class Quiet:
    async def stream_states(self) -> list[StreamState]:
        return []


async def standing() -> Standing:
    nothing: dict[str, Any] = dict.fromkeys(("plants", "late", "work", "desks"), ())
    return Standing(begins=None, outbox=0, outbox_oldest="", lag_s=None, **nothing)


async def test_of_a_desk_that_closed_nothing_it_is_said_that_it_closed_nothing(store: Store) -> None:
    """An alert on what grows compares with it."""
    bench = Bench(store)
    sampler = Sampler(store, cast("Backbone", Quiet()), "NSP", bench.clock, lambda _: None, standing)
    await sampler.sample()
    assert (dict(sampler.opened), dict(sampler.closed)) == ({}, {})
    await bench.desk.report([parked("p1"), parked("p2")])
    bench.clock.advance(60)
    last = await sampler.sample()
    assert last.gauges.exceptions == {MAINTENANCE: 2}
    assert (dict(sampler.opened), dict(sampler.closed)) == ({MAINTENANCE: 2}, {MAINTENANCE: 0})
