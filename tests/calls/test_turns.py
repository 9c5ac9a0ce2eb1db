"""Callers under one key take turns, in the order of asking."""

from __future__ import annotations

import asyncio

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
