"""Windows of a state tag: how long the equipment was in each state, besides what every window tells."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lineshaft.model.aggregates import ReadingsAggregate
from lineshaft.telemetry.rules.windows import NONE, SILENCE_US, Cell, Window, WindowTrack, aggregate
from lineshaft.telemetry.state import read_state

__all__ = ["StateTrack"]

_LONGEST_US = 86400 * 1_000_000


class _Saved(msgspec.Struct, frozen=True):
    cells: dict[int, Cell]
    spans: dict[int, dict[str, int]]
    until: int
    state: str | None
    raw: float
    refused: int
    lag_us: int


class StateTrack(WindowTrack):
    """A state lasts until the next good reading, or until the device is gone, and is split at the borders of
    windows to the microsecond. A window through which a known state lasted is told without a reading of its
    own: its count is 0, and its values are those of the state. A gap of more than a day belongs to no state.
    Late and historical readings are counted, and change no time. A device that is back with its last reading
    is in that state again from then on.

    until   up to when time was given to states
    state   that lasts, None: unknown; raw: its value
    lag_us  how long the last reading took that was on time and not at once there
    """

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self.spans: dict[int, dict[str, int]] = {}
        self.until = NONE
        self.state: str | None = None
        self.raw = 0.0
        self.lag_us = 0

    @property
    def key(self) -> str:
        return self.window.key

    def take(self, time: int, value: float) -> None:
        self._last(time)
        assert self.window.state_of is not None  # noqa: S101 - the caller looked
        self.state, self.raw = self.window.state_of(value), value

    def lost(self, at: int) -> None:
        self._last(at)
        self.state = None

    def confirmed(self, received: int, value: float) -> None:
        self.take(received - self.lag_us, value)

    def passed(self, before: int, newest: int) -> Iterator[ReadingsAggregate]:
        self._last(newest)
        return super().passed(before, newest)

    def count(self, time: int, value: float, newest: int, lag_us: int) -> bool:
        self.lag_us = lag_us or self.lag_us
        return super().count(time, value, newest, lag_us)

    def tick(self, now: int, newest: int) -> Iterator[ReadingsAggregate]:
        window = self.window
        quiet = now - window.grace_us - SILENCE_US - self.lag_us
        if self.state is not None:
            self._last(quiet // window.every_us * window.every_us)
        for number in sorted(self.cells):
            if window.closed(number, newest) or window.end(number) <= quiet:
                yield from self._tell(number)

    def saved(self) -> bytes:
        return msgspec.msgpack.encode(
            _Saved(self.cells, self.spans, self.until, self.state, self.raw, self.refused, self.lag_us)
        )

    def restore(self, data: bytes) -> None:
        saved = read_state(self.key, data, _Saved)
        self.cells, self.spans, self.until = saved.cells, saved.spans, saved.until
        self.state, self.raw = saved.state, saved.raw
        self.refused, self.lag_us = saved.refused, saved.lag_us

    def _last(self, until: int) -> None:
        """The state lasts until then at least."""
        if until <= self.until:
            return
        if self.state is not None and until - self.until <= _LONGEST_US:
            every = self.window.every_us
            while self.until < until:
                number = self.until // every
                upto = min(until, self.window.end(number))
                spans = self.spans.setdefault(number, {})
                spans[self.state] = spans.get(self.state, 0) + upto - self.until
                self.cells.setdefault(number, Cell(last=self.raw, min=self.raw, max=self.raw))
                self.until = upto
        self.until = until

    def _tell(self, number: int) -> Iterator[ReadingsAggregate]:
        cell = self.cells[number]
        if cell.count > cell.told or cell.revision == 0:
            seconds = {state: us / 1e6 for state, us in self.spans.get(number, {}).items()}
            yield aggregate(self.window, number, cell, seconds)
            cell.told = cell.count
            cell.revision += 1

    def _forget(self, number: int) -> None:
        super()._forget(number)
        self.spans.pop(number, None)
