"""A time limit on a part of a task, for less than asyncio.timeout takes of each request."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

__all__ = ["Deadline"]


class Deadline:
    """`with Deadline(seconds):` cancels what is in it when its time is over, and raises TimeoutError.

    is_over  whether that TimeoutError is its own
    """

    __slots__ = ("_before", "_handle", "_seconds", "_task", "is_over")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.is_over = False

    def __enter__(self) -> Deadline:
        self._task: asyncio.Task[Any] | None = asyncio.current_task()
        if self._task is None:
            raise RuntimeError("a deadline needs a task")
        self._before = self._task.cancelling()
        self._handle = asyncio.get_running_loop().call_later(self._seconds, self._end)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.cancel()
        if not self.is_over or self._task is None:
            return
        is_only_ours = self._task.uncancel() <= self._before
        self.is_over = is_only_ours and kind is asyncio.CancelledError
        if self.is_over:
            raise TimeoutError from error

    def _end(self) -> None:
        self.is_over = True
        if self._task is not None:
            self._task.cancel()
