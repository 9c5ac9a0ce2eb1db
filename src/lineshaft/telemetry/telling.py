"""Events on their way to the backbone, in their order, while the next messages are evaluated: a disk that is
slow to sync holds up no reading."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import structlog

from lineshaft.core.errors import TransientFault
from lineshaft.core.ports import EventPublisher
from lineshaft.core.values import Event

__all__ = ["Telling", "patiently"]

_MOST = 10_000
_BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

_log = structlog.get_logger(__name__)


class Telling:
    """What the publisher refuses for good is raised by every later call."""

    def __init__(self, publisher: EventPublisher) -> None:
        self._publisher = publisher
        self._waiting: list[Event] = []
        self._taken = self._stored = 0
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._round: asyncio.Task[None] | None = None
        self._refused: BaseException | None = None

    async def take(self, events: Sequence[Event]) -> None:
        """Returns at once, or when not too many wait any more."""
        if len(self._waiting) >= _MOST or self._refused:
            await self.told()
        if events:
            self._waiting += events
            self._taken += len(events)
            if self._round is None:
                self._round = asyncio.create_task(self._tell())

    async def told(self) -> None:
        """Returns when the backbone has stored every event taken before; waits for it if need be."""
        if self._refused:
            raise self._refused
        if self._stored < self._taken:
            told = asyncio.get_running_loop().create_future()
            self._waiters.append((self._taken, told))
            await told

    async def _tell(self) -> None:
        try:
            while self._waiting:
                events = self._waiting
                self._waiting = []
                await patiently("telemetry.events_wait", lambda: self._publisher.publish(events))  # noqa: B023
                self._stored += len(events)
                while self._waiters and self._waiters[0][0] <= self._stored:
                    _settle(self._waiters.popleft()[1], None)
            self._round = None
        except BaseException as error:
            self._refused = error
            for _, told in self._waiters:
                _settle(told, error)
            if isinstance(error, asyncio.CancelledError):
                raise


async def patiently(waits: str, do: Callable[[], Awaitable[None]]) -> None:
    """Again and again, until it is done. waits: what the log says meanwhile"""
    attempt = 0
    while True:
        try:
            return await do()
        except TransientFault as fault:
            pause_s = fault.retry_after_s or _BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)]
            _log.warning(waits, fault=str(fault))
            await asyncio.sleep(pause_s)
            attempt += 1


def _settle(told: asyncio.Future[None], error: BaseException | None) -> None:
    if told.done():
        return
    if error is None:
        told.set_result(None)
    else:
        told.set_exception(error)
