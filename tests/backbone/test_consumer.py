from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lineshaft.backbone import ADVISORIES, Backbone, Consumer, DeadLetter, Redelivery
from lineshaft.core.errors import BusinessFault, ContractViolation, PermanentFault, TransientFault
from lineshaft.core.values import Event, RawBatch
from tests.waiting import PATIENCE_S

from .conftest import event, kill_server, until

STREAM = "LS_TRANSACTIONAL"
QUICK = Redelivery(ack_wait_s=60.0, backoff_s=(0.05,), max_deliveries=4, unexpected_attempts=3)
SOON_AGAIN = Redelivery(ack_wait_s=1.0, backoff_s=(0.05,), max_deliveries=20, unexpected_attempts=3)
"""For what nobody acknowledges. It comes twice, too, where this process stalls for as long."""


@asynccontextmanager
async def running(consumer: Consumer) -> AsyncIterator[None]:
    task = asyncio.create_task(consumer.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def all_acknowledged(backbone: Backbone, durable: str) -> bool:
    info = await backbone.connection.api(f"CONSUMER.INFO.{STREAM}.{durable}", timeout_s=PATIENCE_S)
    return int(info["num_pending"]) + int(info["num_ack_pending"]) == 0


async def test_events_come_in_order_and_once(backbone: Backbone) -> None:
    seen: list[str] = []

    async def handle(given: Event) -> None:
        seen.append(given.id)

    consumer = backbone.consumer(STREAM, "orders", owner="planning", handle=handle)
    async with running(consumer):
        await backbone.publisher.publish([event(number) for number in range(3000)])
        await until(lambda: len(seen) >= 3000)
        await until(lambda: all_acknowledged(backbone, "orders"))
        await until(lambda: consumer.handled >= 3000)
    assert seen == [f"e-{number}" for number in range(3000)]
    assert consumer.handled == 3000


async def test_a_server_that_goes_while_consumers_begin_ends_neither_of_them(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when it is killed in a node's first second: what it was asked is never answered."""
    seen: list[str] = []
    asked: list[str] = []
    honest = backbone.connection.api

    async def unanswered_at_first(operation: str, *request: Any, **how: Any) -> dict[str, Any]:
        asked.append(operation)
        if operation.startswith("CONSUMER.INFO.") and asked.count(operation) == 1:
            raise TransientFault(f"request {operation} failed: timeout")
        return await honest(operation, *request, **how)

    async def handle(given: Event) -> None:
        seen.append(given.id)

    async def take(_: RawBatch) -> None:
        raise AssertionError("no device has sent anything")

    monkeypatch.setattr(backbone.connection, "api", unanswered_at_first)
    devices = backbone.raw_source()
    ingest = asyncio.create_task(devices.run(take, {}))
    async with running(backbone.consumer(STREAM, "orders", owner="planning", handle=handle)):
        await backbone.publisher.publish([event(1)])
        await until(lambda: seen == ["e-1"])
        await devices.ready.wait()
        assert not ingest.done()
    ingest.cancel()
    await asyncio.gather(ingest, return_exceptions=True)
    first_asked = {operation for operation in asked if operation.startswith("CONSUMER.INFO.")}
    assert len(first_asked) == 3  # the events, their advisories, and devices by QoS 1


async def test_consumers_of_the_same_name_on_two_streams_hear_of_their_own_messages_only(
    backbone: Backbone,
) -> None:
    """Given up on one stream, a message must not be looked for, by its number, on the other."""
    letters: dict[str, list[DeadLetter]] = {"LS_OPERATIONAL": [], STREAM: []}

    async def refuse(_: Event) -> None:
        raise PermanentFault("not here")

    async def take(_: Event) -> None:
        return

    def consumer(stream: str, handle: Callable[[Event], Awaitable[None]]) -> Consumer:
        async def bury(letter: DeadLetter) -> None:
            letters[stream].append(letter)

        return backbone.consumer(stream, "processes", owner="o", handle=handle, on_dead_letter=bury)

    async with running(consumer("LS_OPERATIONAL", take)), running(consumer(STREAM, refuse)):
        await backbone.publisher.publish([event(number) for number in range(20)])
        await until(lambda: len(letters[STREAM]) == 20)
        await until_heard(backbone, f"{STREAM}-processes-advisories", 20)
        await until_heard(backbone, "LS_OPERATIONAL-processes-advisories", 0)
    assert letters["LS_OPERATIONAL"] == []
    assert sorted(letter.sequence for letter in letters[STREAM]) == list(range(1, 21))


async def until_heard(backbone: Backbone, durable: str, count: int) -> None:
    """Until this consumer of advisories has dealt with so many, and all that there are."""

    async def heard() -> bool:
        info = await backbone.connection.api(f"CONSUMER.INFO.{ADVISORIES}.{durable}", timeout_s=PATIENCE_S)
        waiting = int(info["num_pending"]) + int(info["num_ack_pending"])
        return waiting == 0 and int(info["ack_floor"]["consumer_seq"]) >= count

    await until(heard)


async def test_batches_are_handed_over_together(backbone: Backbone) -> None:
    sizes: list[int] = []

    async def handle_batch(events: Sequence[Event]) -> None:
        sizes.append(len(events))
        await backbone.connection.flush()  # meanwhile others come

    await backbone.publisher.publish([event(number) for number in range(1000)])
    consumer = backbone.consumer(STREAM, "orders", owner="planning", handle_batch=handle_batch, batch=100)
    async with running(consumer):
        await until(lambda: sum(sizes) >= 1000)
    assert sum(sizes) == 1000
    assert max(sizes) <= 100
    assert len(sizes) < 100


async def test_a_filter_takes_its_subjects_only(backbone: Backbone) -> None:
    seen: list[str] = []

    async def handle(given: Event) -> None:
        seen.append(given.plant)

    consumer = backbone.consumer(
        STREAM, "p2", owner="o", handle=handle, filter_subjects=["ls.transactional.plant2.>"]
    )
    other = Event(**{name: getattr(event(2), name) for name in Event.__struct_fields__} | {"plant": "plant2"})
    async with running(consumer):
        await backbone.publisher.publish([event(1), other, event(3)])
        await until(lambda: seen)
    assert seen == ["plant2"]


async def test_what_is_not_done_is_not_acknowledged(backbone: Backbone) -> None:
    """The handler is cut off in the middle; another run of the same durable gets the event again."""
    started, seen = asyncio.Event(), []

    async def never_returns(given: Event) -> None:
        started.set()
        await asyncio.Event().wait()

    async def handle(given: Event) -> None:
        seen.append(given.id)

    await backbone.publisher.publish([event(1)])
    async with running(
        backbone.consumer(STREAM, "orders", owner="o", handle=never_returns, redelivery=SOON_AGAIN)
    ):
        await started.wait()
    async with running(backbone.consumer(STREAM, "orders", owner="o", handle=handle, redelivery=SOON_AGAIN)):
        await until(lambda: seen)
    assert set(seen) == {"e-1"}


async def test_a_slow_handler_is_not_overtaken_by_redelivery(backbone: Backbone) -> None:
    calls = 0

    async def slow(given: Event) -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(10)  # longer than the ack wait

    await backbone.publisher.publish([event(1)])
    patient = Redelivery(ack_wait_s=9.0, backoff_s=(0.05,), max_deliveries=4, unexpected_attempts=3)
    consumer = backbone.consumer(STREAM, "orders", owner="o", handle=slow, redelivery=patient)
    async with running(consumer):
        await until(lambda: consumer.handled == 1)
        await asyncio.sleep(0.3)  # a redelivery from meanwhile would be handed over now
    assert calls == 1


async def test_a_transient_fault_comes_again_until_it_works(backbone: Backbone) -> None:
    attempts: list[str] = []

    async def handle(given: Event) -> None:
        attempts.append(given.id)
        if len(attempts) < 3:
            raise TransientFault("ERP is down")

    await backbone.publisher.publish([event(1)])
    consumer = backbone.consumer(STREAM, "orders", owner="o", handle=handle, redelivery=QUICK)
    async with running(consumer):
        await until(lambda: consumer.handled == 1)
    assert attempts == ["e-1"] * 3
    assert consumer.dead == 0


async def test_a_dead_letter_has_body_cause_and_owner(backbone: Backbone) -> None:
    letters: list[DeadLetter] = []
    faults: dict[str, Exception] = {
        "e-0": ContractViolation("order has no quantity", findings=["quantity: required"]),
        "e-1": PermanentFault("no such endpoint"),
        "e-2": BusinessFault("period closed ä\n2026-10", code="closed_period", owner="finance"),
        "e-3": TransientFault("always down"),
        "e-4": KeyError("bug"),
    }
    calls: list[str] = []

    async def handle(given: Event) -> None:
        calls.append(given.id)
        if given.id in faults:
            raise faults[given.id]

    async def on_dead_letter(letter: DeadLetter) -> None:
        letters.append(letter)

    await backbone.publisher.publish([event(number, data=b'{"n":%d}' % number) for number in range(6)])
    consumer = backbone.consumer(
        STREAM, "orders", owner="planning", handle=handle, redelivery=QUICK, on_dead_letter=on_dead_letter
    )
    async with running(consumer):
        await until(lambda: len(letters) == 5 and consumer.handled == 1)
        await until(lambda: all_acknowledged(backbone, "orders"))
        await until_heard(backbone, f"{STREAM}-orders-advisories", 5)  # of our own terminations
    assert {name: calls.count(name) for name in sorted(set(calls))} == {
        "e-0": 1,
        "e-1": 1,
        "e-2": 1,
        "e-3": 4,
        "e-4": 3,
        "e-5": 1,
    }
    assert len(letters) == 5
    kept = {letter.event.id: letter for letter in await backbone.dead_letters() if letter.event}
    assert set(kept) == set(faults)
    assert kept["e-0"].owner == "planning"
    assert kept["e-0"].code == "contract_violation"
    assert kept["e-2"].owner == "finance"
    assert kept["e-2"].cause == "period closed ä\n2026-10"
    assert kept["e-2"].data == b'{"n":2}'
    assert (kept["e-2"].stream, kept["e-2"].sequence, kept["e-2"].durable) == (STREAM, 3, "orders")
    assert kept["e-3"].deliveries == 4
    assert kept["e-4"].cause == "KeyError: 'bug'"


async def test_only_the_culprits_of_a_batch_are_given_up(backbone: Backbone) -> None:
    done: list[str] = []

    async def handle_batch(events: Sequence[Event]) -> None:
        if any(each.id in ("e-3", "e-7") for each in events):
            raise ContractViolation("bad one inside")
        done.extend(each.id for each in events)

    await backbone.publisher.publish([event(number) for number in range(10)])
    consumer = backbone.consumer(
        STREAM, "orders", owner="o", handle_batch=handle_batch, batch=10, redelivery=QUICK
    )
    async with running(consumer):
        await until(lambda: consumer.handled == 8 and consumer.dead == 2)
    assert len(done) == 8
    assert {letter.sequence for letter in await backbone.dead_letters()} == {4, 8}


async def test_a_message_that_is_no_event_is_a_dead_letter(backbone: Backbone) -> None:
    async def handle(given: Event) -> None:
        raise AssertionError(given)

    await backbone.connection.publish("ls.transactional.p.a.b.c.v1", b"\xff not ours")
    consumer = backbone.consumer(STREAM, "orders", owner="it", handle=handle)
    async with running(consumer):
        await until(lambda: consumer.dead == 1)
    (letter,) = await backbone.dead_letters()
    assert letter.event is None
    assert letter.data == b"\xff not ours"
    assert "ce-id: required" in letter.cause


async def test_a_failing_callback_delays_the_end_but_loses_nothing(backbone: Backbone) -> None:
    told: list[int] = []

    async def handle(given: Event) -> None:
        raise PermanentFault("no")

    async def on_dead_letter(letter: DeadLetter) -> None:
        told.append(letter.sequence)
        if len(told) == 1:
            raise RuntimeError("ledger is down")

    await backbone.publisher.publish([event(1)])
    consumer = backbone.consumer(
        STREAM, "orders", owner="o", handle=handle, redelivery=QUICK, on_dead_letter=on_dead_letter
    )
    async with running(consumer):
        await until(lambda: len(told) == 2)
    assert len(await backbone.dead_letters()) == 1


_CRASHING = """
import asyncio, os, sys
from lineshaft.backbone import Connection, Consumer, Redelivery

async def handle(event):
    if event.id == "e-1":
        os._exit(9)
    with open(sys.argv[3], "a") as effects:
        effects.write(event.id + " ")

async def on_dead_letter(letter):
    with open(sys.argv[3], "a") as effects:
        effects.write(f"dead:{letter.sequence} ")

async def main():
    connection = await Connection.open(sys.argv[1], user="lineshaft", password=sys.argv[2])
    redelivery = Redelivery(ack_wait_s=2.0, max_deliveries=2)
    await Consumer(connection, stream="LS_TRANSACTIONAL", durable="orders", owner="plant-engineering",
                   handle=handle, on_dead_letter=on_dead_letter, redelivery=redelivery).run()

asyncio.run(main())
"""


async def test_a_message_that_crashes_every_process_is_a_dead_letter_and_its_neighbours_are_not(
    backbone: Backbone, tmp_path: Path
) -> None:
    """A crash counts as a delivery of the whole batch in hand; only the culprit may be given up for it."""
    assert backbone.server is not None
    await backbone.publisher.publish([event(1, data=b"poison"), *(event(number) for number in range(2, 6))])
    script, effects = tmp_path / "crashing.py", tmp_path / "effects.txt"
    script.write_text(_CRASHING)
    effects.touch()
    crashes = 0

    def settled() -> bool:
        done = effects.read_text().split()
        return "dead:1" in done and {f"e-{number}" for number in range(2, 6)} <= set(done)

    while not settled():
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(script),
            backbone.server.url,
            backbone.server.password,
            str(effects),
            stdout=subprocess.DEVNULL,
        )
        await until(lambda: settled() or process.returncode is not None)  # noqa: B023
        if process.returncode is None:
            process.kill()
        crashes += await process.wait() == 9
    assert crashes == 2 + 2
    assert set(effects.read_text().split()) == {"dead:1", "e-2", "e-3", "e-4", "e-5"}
    (letter,) = await backbone.dead_letters()
    assert letter.data == b"poison"
    assert letter.code == "max_deliveries"
    assert letter.owner == "plant-engineering"
    assert letter.event is not None
    assert letter.event.id == "e-1"


async def test_consuming_goes_on_after_a_server_kill(backbone: Backbone) -> None:
    seen: list[str] = []

    async def handle_batch(events: Sequence[Event]) -> None:
        seen.extend(each.id for each in events)

    consumer = backbone.consumer(
        STREAM, "orders", owner="o", handle_batch=handle_batch, redelivery=SOON_AGAIN
    )
    async with running(consumer):
        await backbone.publisher.publish([event(number) for number in range(2000)])
        kill_server(backbone)
        await backbone.publisher.publish([event(number) for number in range(2000, 4000)])
        await until(lambda: len(set(seen)) == 4000)
    assert set(seen) == {f"e-{number}" for number in range(4000)}


async def test_a_deleted_durable_is_declared_again(backbone: Backbone) -> None:
    seen: set[str] = set()

    async def handle(given: Event) -> None:
        seen.add(given.id)

    consumer = backbone.consumer(STREAM, "orders", owner="o", handle=handle)
    async with running(consumer):
        await consumer.ready.wait()
        await backbone.publisher.publish([event(1)])
        await until(lambda: "e-1" in seen)
        await backbone.connection.api(f"CONSUMER.DELETE.{STREAM}.orders")
        await backbone.publisher.publish([event(2)])
        await until(lambda: "e-2" in seen)
