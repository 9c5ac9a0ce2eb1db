"""Readings on their way: gathered, in order, never dropped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec

from lineshaft.core.errors import TransientFault
from lineshaft.core.outgoing_readings import OutgoingReadings, doubling
from lineshaft.core.values import Quality
from tests.waiting import until


class Sink:
    """refuses: how many puts are not taken; open: cleared, a put waits."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.refuses = 0
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def put(self, messages: Sequence[tuple[str, bytes]]) -> None:
        self.asked.set()
        await self.open.wait()
        if self.refuses:
            self.refuses -= 1
            raise TransientFault("the backbone is away")
        self.messages += messages

    @property
    def values(self) -> list[float | None]:
        return [value for _, payload in self.messages for value in msgspec.json.decode(payload)["value"]]


@asynccontextmanager
async def running(outgoing: OutgoingReadings, sink: Sink) -> AsyncIterator[None]:
    task = asyncio.create_task(outgoing.run(sink))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def add(outgoing: OutgoingReadings, *values: float) -> None:
    for value in values:
        outgoing.add("a", 1000.0, value, Quality.GOOD)
    outgoing.added()


async def test_what_comes_together_goes_in_one_message_of_columns() -> None:
    outgoing, sink = OutgoingReadings("plant/a", gather_s=0.02), Sink()
    async with running(outgoing, sink):
        outgoing.add("a", 1000.5, 1.5, Quality.GOOD)
        outgoing.added()
        outgoing.add("b", 1001.0, None, Quality.STALE)
        outgoing.added()
        await until(lambda: bool(sink.messages))
    ((topic, payload),) = sink.messages
    assert topic == "plant/a"
    assert msgspec.json.decode(payload) == {
        "metric": ["a", "b"],
        "time": [1000.5, 1001.0],
        "value": [1.5, None],
        "quality": ["good", "stale"],
    }


async def test_what_is_not_taken_is_put_again_in_order() -> None:
    outgoing, sink = OutgoingReadings("plant/a", gather_s=0), Sink()
    sink.refuses = 2
    async with running(outgoing, sink):
        add(outgoing, 1)
        await until(lambda: "backbone is away" in outgoing.trouble)
        add(outgoing, 2)
        await until(lambda: sink.values == [1, 2])
        assert not outgoing.trouble


async def test_a_full_one_asks_to_wait_until_the_backbone_takes_it() -> None:
    outgoing, sink = OutgoingReadings("plant/a", gather_s=0, most=3), Sink()
    sink.open.clear()
    async with running(outgoing, sink):
        add(outgoing, 1)
        await sink.asked.wait()
        add(outgoing, 2, 3, 4)
        assert outgoing.is_full
        waiting = asyncio.create_task(outgoing.room())
        sink.open.set()
        await asyncio.wait_for(waiting, 60)
        assert not outgoing.is_full
        await until(lambda: sink.values == [1, 2, 3, 4])


async def test_what_is_gathered_when_it_ends_is_put() -> None:
    outgoing, sink = OutgoingReadings("plant/a", gather_s=60), Sink()
    async with running(outgoing, sink):
        add(outgoing, 1, 2)
        await asyncio.sleep(0)
    assert sink.values == [1, 2]


async def test_a_put_that_is_interrupted_is_made_good() -> None:
    outgoing, sink = OutgoingReadings("plant/a", gather_s=0), Sink()
    sink.refuses = 1
    async with running(outgoing, sink):
        add(outgoing, 1)
        await until(lambda: bool(outgoing.trouble))
    assert sink.values == [1]


async def test_long_messages_are_divided() -> None:
    outgoing, sink = OutgoingReadings("plant/a", gather_s=0), Sink()
    async with running(outgoing, sink):
        for value in range(6000):
            outgoing.add("m" * 200, 1000.0, value, Quality.GOOD)
        outgoing.added()
        await until(lambda: len(sink.values) == 6000)
    assert len(sink.messages) > 1
    assert max(len(payload) for _, payload in sink.messages) <= 512 * 1024
    assert sink.values == list(range(6000))


def test_pauses_double_up_to_the_longest() -> None:
    pause = doubling(0.5, 3)
    assert [pause() for _ in range(5)] == [0.5, 1.0, 2.0, 3, 3]
