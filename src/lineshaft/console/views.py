"""What `app` tells the console besides the ledger: the plant, its systems, the values of its line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from lineshaft.contracts.plant_facts import TagFacts
from lineshaft.core.ports import HealthState
from lineshaft.core.values import Quality

__all__ = ["LimitSide", "Line", "LiveValue", "PlantView", "SystemView", "ValueState"]


class PlantView(msgspec.Struct, frozen=True, kw_only=True):
    """name: the plant's key, as in `event.plant`; time_zone: IANA name, e.g. `Europe/Berlin`."""

    name: str
    title: str
    time_zone: str
    enterprise: str = ""


class SystemView(msgspec.Struct, frozen=True, kw_only=True):
    """One connected system, or a part of our own (backbone, store, telemetry).

    kind         what it is to the plant, e.g. `erp`, `cmms`, `wms`, `mes`, `aps`, `backbone`
    detail       one sentence for people: what is wrong, or what it is doing
    latency_ms   of the last health check or call; None when nothing was measured
    breaker      `closed`, `open` or `half-open`; empty for parts without one
    since        when it entered this state
    """

    name: str
    title: str
    kind: str
    state: HealthState
    detail: str = ""
    latency_ms: float | None = None
    breaker: str = ""
    since: datetime | None = None


class LimitSide(StrEnum):
    HIGH = "high"
    LOW = "low"


class ValueState(StrEnum):
    NORMAL = "normal"
    BREACH = "breach"
    STALE = "stale"
    UNKNOWN = "unknown"


class LiveValue(msgspec.Struct, frozen=True, kw_only=True):
    """The last reading of one tag, with its recent course.

    value, limit, points   in `unit` (UNECE Rec 20 code); value is None before the first reading
    time                   device time, UTC
    points                 oldest first, evenly spaced; sixty to a hundred and twenty are enough
    """

    tag: str
    equipment: str
    property: str
    unit: str
    value: float | None = None
    quality: Quality = Quality.GOOD
    time: datetime | None = None
    limit: float | None = None
    limit_side: LimitSide = LimitSide.HIGH
    state: ValueState = ValueState.NORMAL
    points: tuple[float, ...] = ()


class Line(Protocol):
    """What this node's memory knows of its own devices."""

    def tags_with_rules(self) -> Sequence[TagFacts]: ...

    def values_of(self, tags: Iterable[TagFacts]) -> Sequence[LiveValue]: ...

    def course(self, tag: str) -> tuple[list[float], list[float]]:
        """Of the last half hour: epoch seconds and values, the oldest first."""
        ...

    def backlog(self) -> tuple[int, float] | None:
        """Messages of devices that wait, and the milliseconds that the last batch waited; None: not heard."""
        ...
