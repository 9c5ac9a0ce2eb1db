"""Every event of a committed unit reaches the publisher, in order, whatever fails on the way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineshaft.core.errors import TransientFault
from lineshaft.core.values import Event, EventClass
from lineshaft.store import Outbox, Store
from lineshaft.store.outbox import _GATHER_S
from lineshaft.store.schema import outbox as table
from tests.examples import examples
from tests.rows import rows
from tests.waiting import until


def told(name: str) -> Event:
    return Event(
        id=name,
        type="test.fact.told.v1",
        source="/test",
        subject=name,
        time=datetime(2026, 3, 2, tzinfo=UTC),
        plant="NSP",
        eventclass=EventClass.TRANSACTIONAL,
        data=b'{"x":"\xc3\xa9"}',
    )


class Backbone:
    """Keeps what comes; refuses as often as it is told, before or after it has taken the batch."""

    def __init__(self, faults: Sequence[bool] = ()) -> None:
        self.faults = list(faults)
        self.taken: list[Event] = []
        self.batches = 0

    async def publish(self, events: Sequence[Event]) -> None:
        self.batches += 1
        if self.faults:
            if self.faults.pop(0):
                self.taken += events
            raise TransientFault("the backbone is away")
        self.taken += events

    @property
    def distinct(self) -> list[str]:
        """As the backbone keeps them: a known id changes nothing."""
        return list(dict.fromkeys(event.id for event in self.taken))


@contextlib.asynccontextmanager
async def running(outbox: Outbox, backbone: Backbone) -> AsyncIterator[None]:
    task = asyncio.create_task(outbox.run(backbone))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def emptied(store: Store) -> None:
    async def is_empty() -> bool:
        return not await rows(store, table)

    await until(is_empty)


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second between attempts is for machines."""
    sleep = asyncio.sleep
    monkeypatch.setattr("lineshaft.store.outbox.asyncio.sleep", lambda seconds: sleep(min(seconds, 0.002)))


async def test_what_was_written_before_the_start_goes_out_in_order(store: Store) -> None:
    outbox, backbone = Outbox(store), Backbone()
    for name in "cab":
        await store.write(lambda connection, name=name: outbox.add(connection, [told(name)]))  # type: ignore[misc]
    async with running(Outbox(store), backbone):
        await emptied(store)
    assert backbone.taken == [told(name) for name in "cab"]


async def test_one_id_is_one_row(store: Store) -> None:
    outbox, backbone = Outbox(store), Backbone()

    def unit(connection: object) -> None:
        for _ in range(3):
            outbox.add(connection, [told("a")])  # type: ignore[arg-type]

    await asyncio.gather(store.write(unit), store.write(unit))
    async with running(outbox, backbone):
        await emptied(store)
    assert [event.id for event in backbone.taken] == ["a"]


async def test_a_failed_unit_tells_nothing(store: Store) -> None:
    outbox = Outbox(store)

    def unit(connection: object) -> None:
        outbox.add(connection, [told("a")])  # type: ignore[arg-type]
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        await store.write(unit)
    assert await rows(store, table) == []


async def test_a_wake_up_between_two_looks_is_not_lost(store: Store) -> None:
    outbox, backbone = Outbox(store), Backbone()
    async with running(outbox, backbone):
        for number in range(60):
            await store.write(lambda connection, n=number: outbox.add(connection, [told(f"e{n}")]))  # type: ignore[misc]
            outbox.wake()
            await asyncio.sleep(0.001 * (number % 3))
        await emptied(store)
    assert backbone.distinct == [f"e{number}" for number in range(60)]


async def test_after_many_what_comes_next_goes_out_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    gathered = asyncio.Event()

    async def pause(seconds: float) -> None:
        assert seconds == _GATHER_S
        await gathered.wait()

    monkeypatch.setattr("lineshaft.store.outbox.asyncio", SimpleNamespace(**vars(asyncio) | {"sleep": pause}))
    outbox, backbone = Outbox(store), Backbone()

    async def add(names: Sequence[str]) -> None:
        await store.write(lambda connection: outbox.add(connection, [told(name) for name in names]))
        outbox.wake()

    names = [f"e{number}" for number in range(40)]
    await add(names[:32])
    async with running(outbox, backbone):
        await until(lambda: backbone.batches == 1)
        for name in names[32:]:
            await add([name])
        gathered.set()
        await emptied(store)
    assert backbone.distinct == names
    assert backbone.batches == 2


async def test_more_than_a_batch_goes_out(store: Store) -> None:
    outbox, backbone = Outbox(store), Backbone()
    await store.write(lambda connection: [outbox.add(connection, [told(f"e{n}")]) for n in range(1203)])
    async with running(outbox, backbone):
        await emptied(store)
    assert backbone.distinct == [f"e{number}" for number in range(1203)]
    assert backbone.batches == 3


@settings(
    max_examples=examples(8),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(faults=st.lists(st.booleans(), max_size=6))
async def test_a_publisher_that_fails_loses_nothing_and_changes_no_order(
    faults: list[bool], store: Store, no_pause: None
) -> None:
    outbox, backbone = Outbox(store), Backbone(faults)
    expected = [f"e{number}" for number in range(5)]
    await store.write(lambda connection: [outbox.add(connection, [told(name)]) for name in expected[:3]])
    async with running(outbox, backbone):
        await asyncio.sleep(0.003)
        await store.write(lambda connection: [outbox.add(connection, [told(name)]) for name in expected[3:]])
        outbox.wake()
        await emptied(store)
    assert backbone.distinct == expected


async def test_stopped_after_the_publish_it_publishes_the_same_ids_again(store: Store) -> None:
    outbox = Outbox(store)
    await store.write(lambda connection: outbox.add(connection, [told("a")]))
    published = asyncio.Event()

    class Slow(Backbone):
        async def publish(self, events: Sequence[Event]) -> None:
            await super().publish(events)
            published.set()
            await asyncio.sleep(3600)

    first, second = Slow(), Backbone()
    async with running(outbox, first):
        await published.wait()
    async with running(Outbox(store), second):
        await emptied(store)
    assert first.taken == second.taken == [told("a")]


async def test_what_a_dead_worker_left_goes_out_without_being_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineshaft.store.outbox._LOOK_AGAIN_S", 0.01)
    mine, backbone = Outbox(store), Backbone()
    async with running(mine, backbone):
        await until(lambda: not mine._pending.is_set())
        await store.write(lambda connection: Outbox.add(connection, [told("left behind")]))
        await until(lambda: backbone.distinct == ["left behind"])
