"""A cancellation that a library swallows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["cancellation_kept"]


@contextmanager
def cancellation_kept() -> Iterator[None]:
    """What the block has swallowed is raised at its end; else a task that asks again and again never ends.

    `wait_for` of Python 3.11, by which nats-py, pymodbus and asyncua wait, swallows a cancellation that comes
    with the answer, and nats-py one that comes while it flushes.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    yield
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
