"""What protects a system from us: rate, concurrency, breaker."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from lineshaft.calls import BreakerState, Door, System
from lineshaft.calls.limits import Breaker, Limits
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import TransientFault
from lineshaft.ledger import Audit, Claims
from lineshaft.store import Outbox, Store
from tests.books import (
    ACTOR,
    PLANT,
    Books,
    Ledgerman,
    answer_lost,
    booked,
    booking,
    refused_connection,
    unknown_material,
)
from tests.clocks import ManualClock
from tests.waiting import until

from .conftest import QUICK, door_on


def test_the_breaker_opens_after_faults_in_a_row_probes_and_closes() -> None:
    clock = ManualClock()
    breaker = Breaker("books", clock, threshold=3, open_s=2.0)
    breaker.failed()
    breaker.failed()
    breaker.succeeded()  # not in a row
    for _ in range(3):
        breaker.admit()
        breaker.failed()
    assert breaker.state is BreakerState.OPEN
    with pytest.raises(TransientFault) as caught:
        breaker.admit()
    assert (caught.value.code, caught.value.retry_after_s) == ("breaker_open", 2.0)

    clock.advance(2.0)
    assert breaker.state is BreakerState.PROBING
    breaker.admit()
    with pytest.raises(TransientFault):
        breaker.admit()  # one probe at a time
    breaker.failed()
    assert breaker.state is BreakerState.OPEN

    clock.advance(2.0)
    breaker.admit()
    breaker.abandoned()  # the prober was cancelled: the next may probe
    breaker.admit()
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED
    breaker.admit()


async def test_the_door_leaves_a_broken_system_alone_and_comes_back(store: Store) -> None:
    clock = ManualClock()
    target = Ledgerman([refused_connection] * 5)
    door = door_on(store, target, clock=clock)
    for reference in ("R1", "R2"):
        with pytest.raises(TransientFault):
            await door.call(booking(reference))
    assert target.sends == 5
    with pytest.raises(TransientFault) as caught:
        await door.call(booking("R3"))
    assert (caught.value.code, target.sends) == ("breaker_open", 5)
    clock.advance(2.0)
    for reference in ("R1", "R2", "R3"):
        assert not (await door.call(booking(reference))).replayed
    assert (len(target.effects), target.sends) == (3, 8)


async def test_a_business_fault_does_not_open_the_breaker(store: Store) -> None:
    target = Ledgerman([unknown_material] * 10)
    door = door_on(store, target)
    await asyncio.gather(*(door.call(booking(f"R{n}")) for n in range(10)), return_exceptions=True)
    assert (await door.call(booking("R10"))).document == "D1"


async def test_requests_start_evenly_spaced() -> None:
    limits, starts = Limits(rate_per_s=100, concurrency=50), []
    loop = asyncio.get_running_loop()

    async def one() -> None:
        async with limits:
            starts.append(loop.time())

    began = loop.time()
    await asyncio.gather(*(one() for _ in range(11)))
    assert starts[-1] - began >= 0.099
    assert starts == sorted(starts)


async def test_no_more_than_concurrency_are_under_way() -> None:
    limits, under_way, most = Limits(rate_per_s=1e6, concurrency=3), 0, 0
    go_on = asyncio.Event()

    async def one() -> None:
        nonlocal under_way, most
        async with limits:
            under_way += 1
            most = max(most, under_way)
            await go_on.wait()
            await asyncio.sleep(0.002)
            under_way -= 1

    asked = [asyncio.create_task(one()) for _ in range(12)]
    await until(lambda: under_way == 3)
    go_on.set()
    await asyncio.gather(*asked)
    assert most == 3


async def test_who_had_to_wait_is_counted_and_who_is_under_way() -> None:
    limits, go_on = Limits(rate_per_s=1e6, concurrency=2), asyncio.Event()

    async def one() -> None:
        async with limits:
            assert limits.in_flight <= 2
            await go_on.wait()

    asked = [asyncio.create_task(one()) for _ in range(4)]
    await until(lambda: limits.in_flight == 2)
    await asyncio.sleep(0.01)
    go_on.set()
    await asyncio.gather(*asked)
    assert limits.in_flight == 0
    assert limits.waited >= 2
    assert limits.waited_s >= 0.018


async def test_requests_and_retries_of_a_system_are_counted(store: Store) -> None:
    clock = SystemClock()
    target = Ledgerman([refused_connection, answer_lost])
    system = System("books", target, {"books": Books}, QUICK, clock)
    claims = Claims(store, Outbox(store), Audit("node", clock), clock)
    door = Door(
        claims, [system], {ACTOR: frozenset(["books.post"])}, plant=PLANT, source="/test/NSP", clock=clock
    )
    await door.call(booking())
    assert (target.sends, target.lookups) == (2, 1)
    assert (system.tally.requests, system.tally.retries) == (3, 2)
    assert (system.inside.calls, system.limits.in_flight) == (0, 0)


async def test_a_cancelled_wait_gives_its_slot_back() -> None:
    limits = Limits(rate_per_s=1e6, concurrency=1)
    async with limits:
        waiting = asyncio.create_task(limits.__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(60), limits:
        pass


async def test_what_the_peer_asks_to_wait_is_waited(store: Store) -> None:
    loop = asyncio.get_running_loop()
    starts: list[float] = []

    async def busy(target: Ledgerman, call: object, request: object) -> object:
        starts.append(loop.time())
        if len(starts) == 1:
            raise TransientFault("429", retry_after_s=0.05)
        return await booked(target, call, request)  # type: ignore[arg-type]

    target = Ledgerman([busy, busy])  # type: ignore[list-item]
    policy = msgspec.structs.replace(QUICK, backoff_max_s=1.0)
    await door_on(store, target, policy=policy).call(booking())
    assert starts[1] - starts[0] >= 0.049
