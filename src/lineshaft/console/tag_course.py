"""The recent course of one value of a machine, with its limits, as a chart and as figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from lineshaft.console.figures import unit_symbol
from lineshaft.console.moments import Moment
from lineshaft.console.views import Line, LiveValue
from lineshaft.contracts.plant_facts import TagFacts

__all__ = ["tag_course"]

_GAP_S = 60.0


def tag_course(
    line: Line | None,
    tags: Sequence[TagFacts],
    values: Sequence[LiveValue],
    wanted: str,
    moment: Callable[[datetime], Moment | None],
) -> dict[str, Any] | None:
    """The chart of one tag, and the tags to choose from; None where no tag has a course."""
    found = [value for value in values if value.value is not None]
    if not found or line is None:
        return None
    usual = next((value for value in found if value.limit is not None), found[0])
    value = next((value for value in found if value.tag == wanted), usual)
    times, points = line.course(value.tag)
    rules = [rule for tag in tags if tag.tag == value.tag for rule in tag.rules]
    limits = [
        {"label": f"limit of {rule.id}", "y": rule.limit, "tone": "bad"}
        for rule in rules
        if rule.limit is not None
    ] + [
        {"label": f"end of {rule.id}", "y": rule.release, "tone": "plain"}
        for rule in rules
        if rule.release is not None and rule.release != rule.limit
    ]
    x, y = _with_gaps(times, points)
    return {
        "value": value,
        "tags": [(each.tag, each.property) for each in found],
        "series": {
            "x": x,
            "lines": [{"label": value.property.replace("_", " "), "y": y}],
            "unit": unit_symbol(value.unit),
            "limits": limits,
            "since_zero": False,
            "height": 220,
        },
        "sums": {
            "lowest": min(points),
            "mean": math.fsum(points) / len(points),
            "highest": max(points),
        }
        if points
        else {},
        "since": moment(datetime.fromtimestamp(times[0], UTC)) if times else None,
    }


def _with_gaps(times: Sequence[float], points: Sequence[float]) -> tuple[list[float], list[float | None]]:
    """Where nothing came for a minute the line is broken."""
    x: list[float] = []
    y: list[float | None] = []
    for time, point in zip(times, points, strict=True):
        if x and time - x[-1] > _GAP_S:
            x.append(x[-1] + _GAP_S / 2)
            y.append(None)
        x.append(time)
        y.append(round(point, 6))
    return x, y
