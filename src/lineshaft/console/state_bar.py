"""The course of a machine's states as a bar of fixed width, with its stops over it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from lineshaft.contracts.plant_facts import Condition, StateSpan, Stop

__all__ = ["WIDTH", "Bar", "BarPart", "state_bar"]

WIDTH = 1000


class BarPart(msgspec.Struct, frozen=True, kw_only=True):
    """kind: running, standing, unknown or down; seconds: of it within the bar"""

    x: float
    width: float
    kind: str
    state: str
    seconds: float


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """sums: state → seconds in it; down_s: of all stops, which are in the states, too."""

    parts: Sequence[BarPart]
    stops: Sequence[BarPart]
    sums: Sequence[tuple[str, float]]
    down_s: float
    length_s: float


def state_bar(spans: Iterable[StateSpan], stops: Iterable[Stop], start: datetime, end: datetime) -> Bar:
    """Time of which nothing is known is left empty."""

    def part(begins: datetime, ends: datetime | None, kind: str, state: str) -> BarPart | None:
        first, last = max(begins, start), min(ends or end, end)
        if last <= first:
            return None
        share = WIDTH / (end - start).total_seconds()
        return BarPart(
            x=round((first - start).total_seconds() * share, 2),
            width=round(max((last - first).total_seconds() * share, 0.5), 2),
            kind=kind,
            state=state,
            seconds=(last - first).total_seconds(),
        )

    parts = [part(span.start, span.end, _kind(span.condition), span.state) for span in spans]
    down = [part(stop.start, stop.end, "down", stop.reason or "no reason told") for stop in stops]
    known, standing = [each for each in parts if each], [each for each in down if each]
    sums: dict[str, float] = {}
    for each in known:
        sums[each.state] = sums.get(each.state, 0.0) + each.seconds
    return Bar(
        parts=known,
        stops=standing,
        sums=sorted(sums.items(), key=lambda item: -item[1]),
        down_s=sum(each.seconds for each in standing),
        length_s=(end - start) / timedelta(seconds=1),
    )


def _kind(condition: Condition) -> str:
    return {Condition.RUNNING: "running", Condition.STANDING: "standing"}.get(condition, "unknown")
