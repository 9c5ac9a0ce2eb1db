"""Readings of one device source on their way to the backbone: gathered for a moment, put in order, kept until
they are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec
import structlog

from lineshaft.core.errors import TransientFault
from lineshaft.core.ports import RawSink
from lineshaft.core.values import Quality

__all__ = ["OutgoingReadings", "doubling"]

_log = structlog.get_logger(__name__)
_LONGEST_MESSAGE = 512 * 1024
_FIRST_RETRY_S, _LAST_RETRY_S = 0.1, 5.0
_FAREWELL_S = 2.0


class OutgoingReadings:
    """Messages of the shape {"metric": […], "time": [ms since 1970], "value": […], "quality": […]}.

    gather_s  what is added within this time after the first reading goes into one message
    most      readings: from then on `is_full`, and a source stops asking its device for more

    Nothing is ever dropped here: a source that goes on although it is full needs more memory.
    """

    def __init__(self, topic: str, *, gather_s: float, most: int = 20_000) -> None:
        self.topic = topic
        self._gather_s = gather_s
        self._most = most
        self._clear()
        self._being_put: list[tuple[str, bytes]] = []
        self._some, self._many, self._room = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._room.set()
        self.trouble = ""

    def _clear(self) -> None:
        self._metrics: list[str] = []
        self._times: list[float] = []
        self._values: list[float | None] = []
        self._qualities: list[Quality] = []

    def add(self, metric: str, time_ms: float, value: float | None, quality: Quality) -> None:
        """value: finite, or None where the quality is not good."""
        self._metrics.append(metric)
        self._times.append(time_ms)
        self._values.append(value)
        self._qualities.append(quality)

    def added(self) -> None:
        """To be called after one or several `add`."""
        self._some.set()
        if len(self._metrics) >= self._most:
            self._many.set()
            self._room.clear()

    @property
    def is_full(self) -> bool:
        return not self._room.is_set()

    async def room(self) -> None:
        """Returns when the backbone has taken enough to go on."""
        await self._room.wait()

    async def run(self, sink: RawSink) -> None:
        """Until cancelled; what is gathered then is put once more."""
        try:
            while True:
                await self._some.wait()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._gather_s):
                        await self._many.wait()
                await self._put(sink)
        finally:
            left = [*self._being_put, *self._messages()]
            if left:
                with suppress(TransientFault, TimeoutError):
                    async with asyncio.timeout(_FAREWELL_S):
                        await sink.put(left)
                    self._being_put = []
                    self._clear()

    async def _put(self, sink: RawSink) -> None:
        self._being_put = list(self._messages())
        self._clear()
        self._some.clear()
        self._many.clear()
        pauses = doubling(_FIRST_RETRY_S, _LAST_RETRY_S)
        while self._being_put:
            try:
                await sink.put(self._being_put)
                self._being_put = []
            except TransientFault as fault:
                if not self.trouble:
                    _log.warning("the backbone does not take readings", topic=self.topic, cause=str(fault))
                self.trouble = f"the backbone does not take readings: {fault.message}"
                await asyncio.sleep(pauses())
        self.trouble = ""
        if len(self._metrics) < self._most:
            self._room.set()

    def _messages(self) -> Iterator[tuple[str, bytes]]:
        yield from self._pieces(0, len(self._metrics))

    def _pieces(self, start: int, end: int) -> Iterator[tuple[str, bytes]]:
        if start == end:
            return
        payload = msgspec.json.encode(
            {
                "metric": self._metrics[start:end],
                "time": self._times[start:end],
                "value": self._values[start:end],
                "quality": self._qualities[start:end],
            }
        )
        if len(payload) <= _LONGEST_MESSAGE or end - start == 1:
            yield self.topic, payload
            return
        middle = (start + end) // 2
        yield from self._pieces(start, middle)
        yield from self._pieces(middle, end)


def doubling(first_s: float, last_s: float) -> Callable[[], float]:
    """How long to wait before each further attempt: first_s, twice as long each time, at most last_s."""
    next_s = first_s

    def pause() -> float:
        nonlocal next_s
        now, next_s = next_s, min(2 * next_s, last_s)
        return now

    return pause
