"""The recent course of a value as an SVG line, in a box of fixed size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

__all__ = ["HEIGHT", "WIDTH", "Sparkline", "sparkline"]

WIDTH = 160
HEIGHT = 36
_MARGIN = 3
_MOST_POINTS = 120


class Sparkline(msgspec.Struct, frozen=True, kw_only=True):
    """points: for <polyline>; last: where it ends; limit_y: height of the limit, None when out of the box."""

    points: str
    last: tuple[float, float]
    limit_y: float | None


def sparkline(points: Sequence[float], limit: float | None) -> Sparkline | None:
    """None for fewer than two finite points. A limit near the line is drawn into the same scale."""
    course = [point for point in points if math.isfinite(point)][-_MOST_POINTS:]
    if len(course) < 2:
        return None
    low, high = min(course), max(course)
    if limit is not None and math.isfinite(limit):
        reach = max(high - low, abs(limit) * 0.05)
        if low - 4 * reach <= limit <= high + 4 * reach:
            low, high = min(low, limit), max(high, limit)
    span = (high - low) or 1.0
    floor = low if high > low else low - 0.5

    def height(value: float) -> float:
        share = (value - floor) / span
        return round(HEIGHT - _MARGIN - share * (HEIGHT - 2 * _MARGIN), 1)

    step = (WIDTH - 2 * _MARGIN) / (len(course) - 1)
    spots = [(round(_MARGIN + index * step, 1), height(value)) for index, value in enumerate(course)]
    inside = limit is not None and math.isfinite(limit) and low <= limit <= high
    return Sparkline(
        points=" ".join(f"{x:g},{y:g}" for x, y in spots),
        last=spots[-1],
        limit_y=height(limit) if inside and limit is not None else None,
    )
