"""The last value and recent course of each tag, for the console, and how telemetry is doing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from lineshaft.app.live_channel import LiveMessage, LivePoint, live_messages
from lineshaft.app.value_course import ValueCourse
from lineshaft.backbone import Connection
from lineshaft.console import LiveValue
from lineshaft.console.views import LimitSide, ValueState
from lineshaft.contracts.plant_facts import TagFacts
from lineshaft.core.ports import Health, HealthState
from lineshaft.core.values import Quality, moment_of
from lineshaft.model.condition import LimitKind
from lineshaft.telemetry import RuleSet, TagList, tag_facts

__all__ = ["LiveValues"]

_POINTS = 90
_SILENT_S = 5.0
_LATE_MS = 10_000


class LiveValues:
    """Implements console.views.Line. tags, rules: may be replaced while it runs."""

    def __init__(self, tags: TagList, rules: RuleSet) -> None:
        self.tags = tags
        self.rules = rules
        self._last: dict[str, LivePoint] = {}
        self._points: dict[str, deque[float]] = {}
        self._courses: dict[str, ValueCourse] = {}
        self._told: tuple[RuleSet, list[TagFacts]] | None = None
        self._heard: LiveMessage | None = None
        self.heard_at = 0.0  # seconds of the event loop's clock

    @property
    def heard(self) -> LiveMessage | None:
        """The last message, with the counters of the telemetry process."""
        return self._heard

    async def follow(self, connection: Connection, plant: str, on_change: Callable[[], None]) -> None:
        """Until cancelled."""
        async with live_messages(connection, plant) as messages:
            async for message in messages:
                self._heard, self.heard_at = message, asyncio.get_running_loop().time()
                self.take(message.points)
                if message.points:
                    on_change()

    def take(self, points: Iterable[LivePoint]) -> None:
        for point in points:
            self._last[point.tag] = point
            if point.value is not None:
                self._points.setdefault(point.tag, deque(maxlen=_POINTS)).append(point.value)
                self._courses.setdefault(point.tag, ValueCourse()).take(point.time / 1e6, point.value)

    async def health(self) -> Health:
        """Of the telemetry process, by what it tells."""
        heard = self._heard
        if heard is None:
            return Health(state=HealthState.STARTING, detail="nothing was heard yet")
        silent_s = asyncio.get_running_loop().time() - self.heard_at
        if silent_s > _SILENT_S:
            return Health(state=HealthState.STOPPED, detail=f"nothing was heard for {silent_s:.0f} s")
        if heard.problem:
            return Health(state=HealthState.DEGRADED, detail=heard.problem, latency_ms=heard.lag_ms)
        if heard.lag_ms > _LATE_MS:
            detail = f"{heard.waiting} messages wait, the last one waited {heard.lag_ms / 1000:.0f} s"
            return Health(state=HealthState.DEGRADED, detail=detail, latency_ms=heard.lag_ms)
        return Health(state=HealthState.ACTIVE, latency_ms=heard.lag_ms)

    def views(self) -> Sequence[LiveValue]:
        return [self._view(tag.tag, tag.equipment_id, tag.property, tag.target_unit) for tag in self.tags]

    def tags_with_rules(self) -> Sequence[TagFacts]:
        if self._told is None or self._told[0] is not self.rules:
            self._told = self.rules, tag_facts(self.rules)
        return self._told[1]

    def values_of(self, tags: Iterable[TagFacts]) -> Sequence[LiveValue]:
        return [self._view(tag.tag, tag.equipment_id, tag.property, tag.unit) for tag in tags]

    def course(self, tag: str) -> tuple[list[float], list[float]]:
        course = self._courses.get(tag)
        return course.points() if course else ([], [])

    def backlog(self) -> tuple[int, float] | None:
        return (self._heard.waiting, self._heard.lag_ms) if self._heard else None

    def _view(self, name: str, equipment: str, property: str, unit: str) -> LiveValue:
        last = self._last.get(name)
        limit = next(iter(self.rules.limits(name)), None)
        side = LimitSide.LOW if limit and limit.kind is LimitKind.LOW else LimitSide.HIGH
        state = ValueState.UNKNOWN
        if last is not None:
            state = ValueState.STALE if last.quality is Quality.STALE else ValueState.NORMAL
            if limit is not None and last.value is not None and state is ValueState.NORMAL:
                beyond = last.value > limit.limit if side is LimitSide.HIGH else last.value < limit.limit
                state = ValueState.BREACH if beyond else ValueState.NORMAL
        return LiveValue(
            tag=name,
            equipment=equipment,
            property=property,
            unit=unit,
            value=last.value if last else None,
            quality=last.quality if last else Quality.STALE,
            time=moment_of(last.time) if last else None,
            limit=limit.limit if limit else None,
            limit_side=side,
            state=state,
            points=tuple(self._points.get(name, ())),
        )
