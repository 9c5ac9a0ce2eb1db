"""The last value and recent course of each tag, for the console."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from lineshaft.console import LiveValue
from lineshaft.console.views import LimitSide, ValueState
from lineshaft.core.values import Quality, Reading
from lineshaft.model.condition import LimitKind
from lineshaft.telemetry import RuleSet, TagList

__all__ = ["LiveValues"]

_POINTS = 90


class LiveValues:
    def __init__(self, tags: TagList, rules: RuleSet) -> None:
        self._tags = tags
        self._rules = rules
        self._last: dict[str, Reading] = {}
        self._course: dict[str, deque[float]] = {}

    def take(self, readings: Iterable[Reading]) -> None:
        for reading in readings:
            if reading.historical:
                continue
            self._last[reading.tag] = reading
            self._course.setdefault(reading.tag, deque(maxlen=_POINTS)).append(reading.value)

    def views(self) -> Sequence[LiveValue]:
        return [self._view(tag.tag, tag.equipment_id, tag.property, tag.unit) for tag in self._tags]

    def _view(self, name: str, equipment: str, property: str, unit: str) -> LiveValue:
        reading = self._last.get(name)
        limit = next(iter(self._rules.limits(name)), None)
        side = LimitSide.LOW if limit and limit.kind is LimitKind.LOW else LimitSide.HIGH
        state = ValueState.UNKNOWN
        if reading is not None:
            state = ValueState.STALE if reading.quality is Quality.STALE else ValueState.NORMAL
            if limit is not None and state is ValueState.NORMAL:
                beyond = (
                    reading.value > limit.limit if side is LimitSide.HIGH else reading.value < limit.limit
                )
                state = ValueState.BREACH if beyond else ValueState.NORMAL
        return LiveValue(
            tag=name,
            equipment=equipment,
            property=property,
            unit=reading.unit if reading else unit,
            value=reading.value if reading else None,
            quality=reading.quality if reading else Quality.STALE,
            time=reading.time if reading else None,
            limit=limit.limit if limit else None,
            limit_side=side,
            state=state,
            points=tuple(self._course.get(name, ())),
        )
