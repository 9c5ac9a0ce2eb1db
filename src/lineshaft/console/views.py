"""What `app` tells the console besides the ledger: the plant, its systems, the values of its line."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from lineshaft.core.ports import HealthState
from lineshaft.core.values import Quality

__all__ = ["LimitSide", "LiveValue", "PlantView", "SystemView", "ValueState"]


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
