from __future__ import annotations

import asyncio

import pytest

from lineshaft.core.cancelling import cancellation_kept


async def test_a_cancellation_that_comes_with_the_answer_is_kept() -> None:
    answer: asyncio.Future[str] = asyncio.Future()

    async def ask() -> None:
        with cancellation_kept():
            await asyncio.wait_for(answer, 60)

    asking = asyncio.create_task(ask())
    await asyncio.sleep(0)
    answer.set_result("yes")
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
