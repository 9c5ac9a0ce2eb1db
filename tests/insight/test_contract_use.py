"""How much a contract was used, by the rollups, equals what happened."""

from __future__ import annotations

from lineshaft.insight.contract_use import ContractUse
from lineshaft.store.schema import calls, events
from tests.insight.test_rollups import BREACH, CONFIRMATION, LEVELS, Counting, call, counting, event

__all__ = ["counting"]


async def test_events_and_calls_of_the_last_day_are_counted(counting: Counting) -> None:
    hour = 3600
    told = [event(1, hour), event(2, 23 * hour, plant="lyon"), event(3, 25 * hour)]
    await counting.put(events, *told)
    made = [
        call(1, "posted", 90, 60),
        call(2, "rejected", 2 * hour, 2 * hour - 1),
        call(3, "sending", 30, None),
    ]
    await counting.put(calls, *made)
    await counting.everything()
    uses = ContractUse(counting.store, LEVELS, counting.clock)
    use = await uses.of(BREACH, is_event=True, plants=None, hours=24)
    assert (use.count, use.failed, use.p95_s is not None) == (2, 0, True)
    assert (await uses.of(BREACH, is_event=True, plants=["lyon"], hours=24)).count == 1
    use = await uses.of(CONFIRMATION, is_event=False, plants=None, hours=24)
    assert (use.count, use.failed) == (2, 1)
    unknown = await uses.of("no.such.event.v1", is_event=True, plants=None, hours=24)
    assert (unknown.count, unknown.late, unknown.p95_s) == (0, 0, None)
