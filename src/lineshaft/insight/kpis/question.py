"""What is asked of each KPI: over which time, of which plants, with what to read it from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from itertools import chain
from math import ceil, floor
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection

from lineshaft.core.clock import rfc3339
from lineshaft.insight.kpis.spans import Span, epoch
from lineshaft.insight.kpis.told import told_in
from lineshaft.insight.kpis.told_hours import HOUR, covered, packed_in
from lineshaft.insight.service_levels import ServiceLevels
from lineshaft.model.calendar import CalendarEntry, EquipmentPeriod

__all__ = ["Question", "WorkingTime"]

T = TypeVar("T")
WorkingTime = Callable[[str, EquipmentPeriod], Sequence[CalendarEntry] | None]
"""When equipment of a plant is to work; None where no calendar says."""


class Question:
    """plants     whose rows count; None: of all
    end           exclusive, at most `now`
    edges         from start to end: between two of them lies a point of a series; epoch seconds, and as
                  `moments`
    """

    def __init__(
        self,
        connection: Connection,
        plants: frozenset[str] | None,
        edges: Sequence[datetime],
        now: datetime,
        working: WorkingTime,
        levels: ServiceLevels,
    ) -> None:
        self.connection = connection
        self.plants = plants
        self.start, self.end, self.now = edges[0], edges[-1], now
        self.moments = list(edges)
        self.edges = [edge.timestamp() for edge in edges]
        self.working = working
        self.levels = levels
        self._known: dict[str, Any] = {}

    def has_calendar(self, plant: str) -> bool:
        asked = EquipmentPeriod(equipment_id=plant, start_time=self.start, end_time=self.end)
        return self.once(f"calendar of {plant}", lambda _: self.working(plant, asked) is not None)

    def bucket(self, at: float | datetime | str) -> int | None:
        """Of a time: the number of the point in a series; None outside of the period."""
        seconds = at if isinstance(at, float) else epoch(at)
        inside = self.edges[0] <= seconds < self.edges[-1]
        return bisect_right(self.edges, seconds) - 1 if inside else None

    @cached_property
    def whole(self) -> Span:
        return self.edges[0], self.edges[-1]

    def once(self, name: str, make: Callable[[Question], T]) -> T:
        """Several KPIs are made of the same rows: they are read once."""
        if name not in self._known:
            self._known[name] = make(self)
        return self._known[name]  # type: ignore[no-any-return]

    def here(self, column: ColumnElement[str]) -> list[ColumnElement[bool]]:
        return [] if self.plants is None else [column.in_(sorted(self.plants))]

    def within(self, column: ColumnElement[str]) -> list[ColumnElement[bool]]:
        """RFC 3339 text in the period."""
        return [column >= rfc3339(self.start), column < rfc3339(self.end)]

    def told(
        self, kind: str, what: type[T], since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[tuple[str, datetime, T]]:
        """(plant, time, fact) of a kind, one of FACTS, in [since, until), else in the period, by time.

        Whole hours are read as they were packed; both ends, and what is not packed yet, from the events.
        """
        begins, ends = since or self.start, until or self.end
        packed_from, packed_to = self.once("packed", lambda _: covered(self.connection))
        first = max(packed_from, ceil(begins.timestamp() / HOUR) * HOUR)
        last = min(packed_to, floor(ends.timestamp() / HOUR) * HOUR)
        if first >= last:
            return told_in(self.connection, kind, rfc3339(begins), rfc3339(ends), self.plants)
        edges = [rfc3339(datetime.fromtimestamp(edge, UTC)) for edge in (first, last)]
        return chain(
            told_in(self.connection, kind, rfc3339(begins), edges[0], self.plants),
            packed_in(self.connection, kind, first, last, self.plants),
            told_in(self.connection, kind, edges[1], rfc3339(ends), self.plants),
        )
