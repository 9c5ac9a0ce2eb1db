"""What must come of a day's messages, and what did, as books that can be compared.

The first are kept by the pieces that were made, not by what a counter showed. They take from the traffic only
what `evaluation.py` says of order: which readings are newer than all before, late, repeated or ahead.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from lineshaft.contracts.catalogue import (
    COUNT_AGGREGATED,
    DOWNTIME_ENDED,
    DOWNTIME_STARTED,
    READINGS_AGGREGATED,
    THRESHOLD_EXCEEDED,
)
from lineshaft.core.values import Event
from lineshaft.telemetry.decode.sample import microseconds

from .day import DEBOUNCE_S, EXECUTE, LIMIT, MINOR_STOP_S, RELEASE, WINDOW_S, S, Sent

__all__ = ["Books", "must_be_told", "was_told"]


class Books(msgspec.Struct):
    """Times in µs.

    good      (asset, start of window): pieces
    windows   (asset, start): (readings, their sum in bar)
    begun, stops, breaches   (asset, start of stop), (asset, start, end), (asset, start of episode)
    """

    good: Counter[tuple[str, int]] = msgspec.field(default_factory=Counter)
    windows: dict[tuple[str, int], tuple[int, float]] = {}
    begun: set[tuple[str, int]] = set()
    stops: set[tuple[str, int, int]] = set()
    breaches: set[tuple[str, int]] = set()


def must_be_told(sent: Iterable[Sent]) -> tuple[Books, Counter[str]]:
    """With what becomes of the messages that are not plain: gone, ahead, repeated, late."""
    books, odd = Books(), Counter[str]()
    by_machine: dict[int, list[Sent]] = defaultdict(list)
    for one in sent:
        by_machine[one.machine].append(one)
    for machine, messages in by_machine.items():
        asset = f"M-{machine}"
        taken = _taken(asset, messages, books, odd)
        _count(asset, taken, books)
        heard = [one for one in taken if one.quality != "gone"]
        _stop(asset, heard, books)
        _breach(asset, heard, books)
    return books, odd


def _taken(asset: str, messages: Sequence[Sent], books: Books, odd: Counter[str]) -> list[Sent]:
    """What moves rules. All that counts for windows is entered."""
    newest, seen, taken = 0, set[int](), list[Sent]()
    for one in messages:
        if one.quality == "gone":
            odd["gone"] += 1
            taken.append(one)
        elif one.time - one.received > 300 * S:
            odd["ahead"] += 1
        elif one.time in seen:
            odd["repeated"] += 1
        else:
            seen.add(one.time)
            good = one.quality == "good"
            if good:
                key = asset, _window(one.time)
                count, total = books.windows.get(key, (0, 0.0))
                books.windows[key] = count + 1, total + one.bar
            if one.time < newest:
                odd["late"] += 1
            else:
                newest = one.time
                taken += [one] if good else []
    return taken


def _count(asset: str, taken: Sequence[Sent], books: Books) -> None:
    last: Sent | None = None
    for one in taken:
        if one.quality == "gone":
            last = None
        else:
            books.good[asset, _window(one.time)] += one.made - last.made if last is not None else 0
            last = one


def _stop(asset: str, taken: Sequence[Sent], books: Books) -> None:
    start = None
    for one in taken:
        if start is not None and one.time - start >= MINOR_STOP_S * S:
            books.begun.add((asset, start))
        if one.state != EXECUTE:
            start = one.time if start is None else start
        elif start is not None:
            if (asset, start) in books.begun:
                books.stops.add((asset, start, one.time))
            start = None
    if start is not None:
        books.begun.add((asset, start))  # time goes on after the day


def _breach(asset: str, taken: Sequence[Sent], books: Books) -> None:
    start = None
    for one in taken:
        if one.bar <= RELEASE:
            start = None
        elif one.bar > LIMIT:
            start = one.time if start is None else start
            if one.time - start >= DEBOUNCE_S * S:
                books.breaches.add((asset, start))


def _window(time: int) -> int:
    return time // (WINDOW_S * S) * WINDOW_S * S


def was_told(events: Iterable[Event]) -> Books:
    """Of events without repeats. Of a window its last revision counts."""
    books, revisions = Books(), dict[tuple[str, int], int]()
    for event in events:
        if event.type == COUNT_AGGREGATED.type:
            count = COUNT_AGGREGATED.decode(event)
            assert count.complete
            books.good[count.physical_asset_id, _window(_us(count.start_time))] += int(count.quantity.value)
        elif event.type == READINGS_AGGREGATED.type:
            window = READINGS_AGGREGATED.decode(event)
            key = window.physical_asset_id, _us(window.start_time)
            if window.revision >= revisions.get(key, -1):
                revisions[key] = window.revision
                books.windows[key] = window.count, window.mean * window.count
        elif event.type == DOWNTIME_STARTED.type:
            stop = DOWNTIME_STARTED.decode(event)
            books.begun.add((stop.physical_asset_id, _us(stop.start_time)))
        elif event.type == DOWNTIME_ENDED.type:
            stop = DOWNTIME_ENDED.decode(event)
            assert stop.end_time is not None
            books.stops.add((stop.physical_asset_id, _us(stop.start_time), _us(stop.end_time)))
        elif event.type == THRESHOLD_EXCEEDED.type:
            breach = THRESHOLD_EXCEEDED.decode(event)
            books.breaches.add((breach.physical_asset_id, _us(breach.episode_start)))
    for key, (readings, total) in books.windows.items():
        books.windows[key] = readings, round(total * 4) / 4  # readings are quarters of a bar
    return books


def _us(moment: datetime) -> int:
    return microseconds(moment)
