"""What accounts have used of their day: kept over restarts, summed over workers, begun anew each day."""

from __future__ import annotations

from lineshaft.ledger.requests import Quotas
from lineshaft.store import Store
from lineshaft.store.schema import quota_use
from tests.clocks import ManualClock
from tests.rows import rows


async def test_use_is_kept_over_a_restart(store: Store) -> None:
    clock = ManualClock()
    quotas = Quotas(store, clock, "w1")
    await quotas.load()
    assert [quotas.use("mes") for _ in range(3)] == [1, 2, 3]
    await quotas.flush()
    await quotas.flush()
    again = Quotas(store, clock, "w1")
    await again.load()
    assert again.use("mes") == 4
    assert again.use("wms") == 1


async def test_workers_learn_of_each_other(store: Store) -> None:
    clock = ManualClock()
    one, other = Quotas(store, clock, "w1"), Quotas(store, clock, "w2")
    await one.load()
    await other.load()
    one.use("mes")
    assert other.use("mes") == 1
    await one.flush()
    await other.flush()
    assert other.use("mes") == 3


async def test_a_new_day_begins_at_nothing(store: Store) -> None:
    clock = ManualClock()
    quotas = Quotas(store, clock, "w1")
    await quotas.load()
    quotas.use("mes")
    await quotas.flush()
    clock.advance(24 * 3600)
    assert quotas.use("mes") == 1
    await quotas.flush()
    assert [(row["day"], row["used"]) for row in await rows(store, quota_use)] == [
        ("2026-03-02", 1),
        ("2026-03-03", 1),
    ]
