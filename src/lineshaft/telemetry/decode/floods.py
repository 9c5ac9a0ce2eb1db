"""A topic on which more comes than any device has to say: the rest is counted, and not looked into, so that
the devices beside it are not kept waiting. Only where messages may be lost: what was acknowledged is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise

import msgspec
import numpy as np

from lineshaft.core.values import ExceptionKind, RawBatch
from lineshaft.telemetry.decode.notes import Notes
from lineshaft.telemetry.decode.sample import Fault, shown
from lineshaft.telemetry.state import read_state

__all__ = ["MOST_PER_S", "Floods"]

MOST_PER_S = 20_000
_WINDOW_S = 10  # a loaded server stores in bursts
_STATE = "decode/flooded"


class _Window(msgspec.Struct):
    """Of one stream what came in the window in which its last message was stored.

    at        of windows since 1970
    sure      so many more messages come before a topic can be beyond what it may send
    came      messages by topic, without those of the batches in `uncounted`
    flooded   topics on which too many came; before: in the window before this one
    """

    at: int
    sure: int
    came: Counter[str]
    uncounted: list[list[str]] = []
    flooded: set[str] = set()
    before: set[str] = set()

    def count(self) -> None:
        for topics in self.uncounted:
            self.came.update(topics)
        self.uncounted.clear()


class Floods:
    """Counted by the window in which the backbone stored a message, and saved, so that the same messages are
    looked into whatever the batches.

    most_per_s  messages of one topic, counted over a window; 0: any number
    lossy       names of the streams where this applies
    is_known    whether readings can come of a topic: what came on others is not saved
    """

    def __init__(self, most_per_s: int, lossy: frozenset[str], is_known: Callable[[str], bool]) -> None:
        self._most_per_s = most_per_s
        self._most = most_per_s * _WINDOW_S
        self._lossy = lossy
        self._is_known = is_known
        self._windows: dict[str, _Window] = {}

    def looked_into(self, batch: RawBatch, notes: Notes) -> bytearray | None:
        """For each message 1, or 0 where it is beyond what its topic may send; None where none is."""
        if not self._most or batch.stream not in self._lossy or not len(batch):
            return None
        ats = np.array(batch.stored_us, np.int64) // (_WINDOW_S * 1_000_000)
        borders = [0, *(np.flatnonzero(np.diff(ats)) + 1).tolist(), len(batch)]
        kept: bytearray | None = None
        for start, stop in pairwise(borders):
            window = self._window(batch.stream, int(ats[start]))
            topics = batch.topics[start:stop]
            window.uncounted.append(topics)
            window.sure -= len(topics)
            if window.sure >= 0:
                continue
            window.count()
            window.sure = self._most - max(window.came.values())
            beyond = {
                topic: came - self._most for topic in set(topics) if (came := window.came[topic]) > self._most
            }
            if beyond:
                kept = kept or bytearray(b"\1" * len(batch))
                self._leave_out(topics, start, beyond, kept, window, notes)
        return kept

    def _window(self, stream: str, at: int) -> _Window:
        window = self._windows.get(stream)
        if window is None or window.at != at:
            before = window.flooded if window and window.at == at - 1 else set()
            window = self._windows[stream] = _Window(at, self._most, Counter(), before=before)
        return window

    def _leave_out(
        self,
        topics: list[str],
        start: int,
        beyond: dict[str, int],
        kept: bytearray,
        window: _Window,
        notes: Notes,
    ) -> None:
        """beyond: how many of the last messages of a topic, by topic"""
        first: dict[str, int] = {}
        for index in range(len(topics) - 1, -1, -1):
            topic = topics[index]
            if beyond.get(topic, 0):
                beyond[topic] -= 1
                kept[start + index] = 0
                first[topic] = start + index
                notes.counters.overlooked += 1
        for topic, index in first.items():
            if topic not in window.before and topic not in window.flooded:
                notes.faults.append((index, self._fault(topic)))
            window.flooded.add(topic)

    def saved(self) -> dict[str, bytes]:
        known = {}
        for stream, window in self._windows.items():
            window.count()
            came = {topic: came for topic, came in window.came.items() if self._is_known(topic)}
            known[stream] = window.at, came
        return {_STATE: msgspec.msgpack.encode(known)} if known else {}

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """raises PermanentFault for an unreadable value"""
        data = saved.get(_STATE)
        windows = {} if data is None else read_state(_STATE, data, dict[str, tuple[int, dict[str, int]]])
        self._windows = {
            stream: _Window(at, self._most - max(came.values(), default=0), Counter(came))
            for stream, (at, came) in windows.items()
        }

    def _fault(self, topic: str) -> Fault:
        cause = (
            f"more than {self._most:,} messages came on {shown(topic)} in {_WINDOW_S} s: what is beyond is "
            "only counted; correct the device, or raise telemetry.most_messages_per_s, which is "
            f"{self._most_per_s:,}"
        )
        return Fault(cause, kind=ExceptionKind.FLOOD)
