"""What is open, came and went, as monitoring asks for it."""

from __future__ import annotations

from sqlalchemy import update

from lineshaft.core.clock import rfc3339
from lineshaft.ledger.gauges import Gauges, gauges
from lineshaft.store import Outbox, Store, Worker
from lineshaft.store.schema import exceptions
from tests.clocks import ManualClock
from tests.facts import AT
from tests.ledger.exceptions_at_work import Bench, dead_event, parked, reading
from tests.processes.plant import started_by

MAINTENANCE = ("maintenance", "business_fault")
ENGINEERS = ("plant-engineering", "malformed_reading")


async def test_exceptions_by_desk_and_kind(store: Store) -> None:
    bench = Bench(store)
    clock: ManualClock = bench.clock

    async def now(after: str, until: str) -> Gauges:
        return await store.read(lambda connection: gauges(connection, "NSP", after, until))

    start = rfc3339(clock.now())
    clock.advance(10)
    await bench.desk.report([parked("p1"), parked("p2"), reading(), parked("elsewhere", plant="LYON")])
    middle = rfc3339(clock.now())
    clock.advance(10)
    await bench.desk.report([dead_event()])
    await store.write(
        lambda connection: (
            connection.execute(
                update(exceptions)
                .where(exceptions.c.ref == "p1")
                .values(state="resolved", closed_at=rfc3339(clock.now()))
            )
            and None
        )
    )
    end = rfc3339(clock.now())
    contract = ("plant-engineering", "contract_violation")
    found = await now(start, end)
    assert found.exceptions == {MAINTENANCE: 1, ENGINEERS: 1, contract: 1}
    assert found.opened == {MAINTENANCE: 2, ENGINEERS: 1, contract: 1}
    assert found.closed == {MAINTENANCE: 1}
    assert (await now(middle, end)).opened == {contract: 1}
    assert (await now(start, middle)).closed == {}
    assert (await now(end, rfc3339(AT.replace(year=2030)))).opened == {}


async def test_the_outbox_and_who_is_there(store: Store) -> None:
    async def now() -> Gauges:
        return await store.read(lambda connection: gauges(connection, "NSP", "", ""))

    found = await now()
    assert (found.outbox, found.workers) == (0, 0)
    events = [started_by(id=f"e{number}") for number in range(3)]
    await store.write(lambda connection: Outbox.add(connection, events))
    worker = Worker(store, "one", plant="NSP", lease_s=3600)
    await worker.join()
    found = await now()
    assert (found.outbox, found.workers) == (3, 1)
