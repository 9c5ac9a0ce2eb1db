"""Bars along one axis of time on which a call of a tenth of a second and a wait of days both can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

import msgspec

__all__ = ["WIDTH", "Bar", "bars"]

WIDTH = 1000
_LEAST = 8.0


class Bar(msgspec.Struct, frozen=True):
    """Of WIDTH."""

    x: float
    width: float


def bars(spans: Sequence[tuple[datetime, datetime]]) -> list[Bar]:
    """Order and overlap of the spans are true; long stretches are drawn shorter, by the fourth root."""
    moments = sorted({moment for span in spans for moment in span})
    at, reached = dict.fromkeys(moments, 0.0), 0.0
    for before, after in pairwise(moments):
        reached += (after - before).total_seconds() ** 0.25
        at[after] = reached
    scale = WIDTH / reached if reached else 0.0
    return [_bar(at[start] * scale, at[end] * scale) for start, end in spans]


def _bar(start: float, end: float) -> Bar:
    width = max(end - start, _LEAST)
    return Bar(round(min(start, WIDTH - width), 1), round(width, 1))
