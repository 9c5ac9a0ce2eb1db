"""Arithmetic of times: spans [start, finish) in epoch seconds, in order and apart from each other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

__all__ = ["Span", "common", "epoch", "length", "merged", "shares", "spread", "without"]

Span = tuple[float, float]


def epoch(at: datetime | str) -> float:
    return (datetime.fromisoformat(at) if isinstance(at, str) else at).timestamp()


def merged(spans: Iterable[Span]) -> list[Span]:
    """In order, without overlaps; empty ones and those that end before they begin are left out."""
    found: list[Span] = []
    for start, finish in sorted(span for span in spans if span[1] > span[0]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], finish))
        else:
            found.append((start, finish))
    return found


def common(one: Sequence[Span], other: Sequence[Span]) -> list[Span]:
    """What is in both."""
    found: list[Span] = []
    here = there = 0
    while here < len(one) and there < len(other):
        start = max(one[here][0], other[there][0])
        finish = min(one[here][1], other[there][1])
        if start < finish:
            found.append((start, finish))
        if one[here][1] < other[there][1]:
            here += 1
        else:
            there += 1
    return found


def without(spans: Sequence[Span], taken: Sequence[Span]) -> list[Span]:
    """What of `spans` is not in `taken`."""
    found: list[Span] = []
    at = 0
    for start, finish in spans:
        left = start
        while at < len(taken) and taken[at][1] <= left:
            at += 1
        index = at
        while index < len(taken) and taken[index][0] < finish:
            if taken[index][0] > left:
                found.append((left, taken[index][0]))
            left = max(left, taken[index][1])
            index += 1
        if left < finish:
            found.append((left, finish))
    return found


def length(spans: Iterable[Span]) -> float:
    return sum(finish - start for start, finish in spans)


def shares(span: Span, edges: Sequence[float]) -> Iterator[tuple[int, float]]:
    """(bucket, how much of the span lies in it, 0 to 1), for each bucket [edges[i], edges[i + 1]) it is in.

    An instant lies in one bucket.
    """
    start, finish = span
    bucket = max(0, bisect_right(edges, start) - 1)
    if finish <= start:
        if edges[0] <= start < edges[-1]:
            yield bucket, 1.0
        return
    while bucket < len(edges) - 1 and edges[bucket] < finish:
        within = min(finish, edges[bucket + 1]) - max(start, edges[bucket])
        if within > 0:
            yield bucket, within / (finish - start)
        bucket += 1


def spread(spans: Iterable[Span], edges: Sequence[float]) -> list[float]:
    """Seconds of the spans in each bucket; what lies outside counts nowhere."""
    found = [0.0] * (len(edges) - 1)
    for span in spans:
        for bucket, part in shares(span, edges):
            found[bucket] += part * (span[1] - span[0])
    return found
