"""Callers under one key take turns, in the order of asking."""

from __future__ import annotations

import asyncio

import pytest

from lineshaft.calls.turns import Turns


async def test_one_key_in_order_other_keys_at_once() -> None:
    turns, order = Turns(), []
    gate = asyncio.Event()

    async def one(key: str, number: int) -> None:
        await turns.take(key)
        order.append((key, number))
        await gate.wait()
        turns.give_on(key)

    tasks = [asyncio.create_task(one(key, number)) for number in range(3) for key in "ab"]
    await asyncio.sleep(0)
    assert order == [("a", 0), ("b", 0)]
    gate.set()
    await asyncio.gather(*tasks)
    assert [number for key, number in order if key == "a"] == [0, 1, 2]
    assert len(turns) == 0


async def test_one_who_leaves_the_queue_holds_nobody_up() -> None:
    turns = Turns()
    await turns.take("a")
    waiting = [asyncio.create_task(turns.take("a")) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    turns.give_on("a")
    waiting[1].cancel()  # its turn has come, and it does not know yet
    await waiting[2]
    turns.give_on("a")
    assert len(turns) == 0


@pytest.mark.parametrize("stay", [0, 2], ids=["all", "some"])
async def test_those_who_are_cancelled_at_once_leave_as_cancelled(stay: int) -> None:
    turns, order = Turns(), []
    gate = asyncio.Event()

    async def one(number: int) -> None:
        await turns.take("a")
        try:
            await gate.wait()
            order.append(number)
        finally:
            turns.give_on("a")

    tasks = [asyncio.create_task(one(number)) for number in range(3 + stay)]
    await asyncio.sleep(0)
    for task in tasks[:3]:  # who has its turn, and those next in the queue
        task.cancel()
    gone = await asyncio.gather(*tasks[:3], return_exceptions=True)
    assert [type(each) for each in gone] == [asyncio.CancelledError] * 3
    gate.set()
    await asyncio.gather(*tasks[3:], one(9))
    assert order == [*range(3, 3 + stay), 9]
    assert len(turns) == 0
