"""What takes too long is ended, and nothing else is taken for it."""

from __future__ import annotations

import asyncio

import pytest

from lineshaft.gateway.deadline import Deadline


async def test_what_takes_too_long_is_a_time_out() -> None:
    with pytest.raises(TimeoutError), Deadline(0.001) as deadline:
        await asyncio.Event().wait()
    assert deadline.is_over
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_what_is_done_in_time_is_not_ended_later() -> None:
    with Deadline(0.001):
        pass
    await asyncio.sleep(0.01)


async def test_another_time_out_within_is_not_its_own() -> None:
    with pytest.raises(TimeoutError), Deadline(60) as deadline:
        raise TimeoutError
    assert not deadline.is_over


async def test_a_cancellation_from_outside_stays_one() -> None:
    """Also where it comes in the same turn in which the time is over."""
    started = asyncio.Event()
    deadline = Deadline(60)

    async def work() -> None:
        with deadline:
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await started.wait()
    deadline._end()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not deadline.is_over
